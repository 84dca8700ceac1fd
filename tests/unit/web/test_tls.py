"""Tests of certificates that are loaded anew while the server runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import LogLevel, capturedLogs
from zope.interface.verify import verifyObject

from tests.unit.web.tls_case import TLSCase
from txregistry.interfaces import InvalidOption
from txregistry.web.tls import ReloadingContextFactory

_DAY = 86400.0


class ReloadTests(TLSCase):
    """``ReloadingContextFactory``."""

    def setUp(self) -> None:
        """Load a first pair."""
        super().setUp()
        self.replace("first")
        self.tls = self.contexts()

    def replace(self, name: str, **more: Any) -> None:
        """Put a new pair into the place of the server's."""
        self.write(self.authority.issue(name, **more))

    def shown(self) -> str:
        """Return the name that a new client is shown."""
        return self.connect(self.tls).shown_name

    def test_interface(self) -> None:
        """It provides what Twisted asks for."""
        verifyObject(IOpenSSLServerConnectionCreator, self.tls)

    def test_bad_at_start(self) -> None:
        """Files that cannot be used at the start are an error."""
        Path(self.key).unlink()
        self.assertRaises(InvalidOption, self.contexts)

    def test_changed(self) -> None:
        """A new pair is shown to whoever comes a second later, at the latest."""
        self.replace("second")
        self.clock.advance(1)
        self.assertEqual("second", self.shown())

    def test_looked_at_seldom(self) -> None:
        """Within a second, the files are looked at once."""
        self.clock.advance(1)
        self.shown()
        self.replace("second")
        self.clock.advance(0.9)
        self.assertEqual("first", self.shown())
        self.clock.advance(0.1)
        self.assertEqual("second", self.shown())

    def test_unchanged(self) -> None:
        """Files that have not changed are not loaded."""
        with capturedLogs() as events:
            self.clock.advance(10)
            self.shown()
        self.assertEqual([], events)

    def test_renamed(self) -> None:
        """A file that another one is renamed to is a changed one, whatever its time."""
        before = os.stat(self.certificate)
        self.replace("second")
        os.utime(self.certificate, ns=(before.st_atime_ns, before.st_mtime_ns))
        new = self.folder / "new"
        new.write_bytes(Path(self.certificate).read_bytes())
        new.rename(self.certificate)
        self.clock.advance(1)
        self.assertEqual("second", self.shown())

    def test_symbolic_links(self) -> None:
        """Links that lead elsewhere are changed files, as certbot has it."""
        for name in ("first", "second"):
            folder = self.folder / name
            folder.mkdir()
            self.authority.issue(name).write(folder)
        live = self.folder / "live"
        live.symlink_to("first")
        self.certificate, self.key = f"{live}/server.crt", f"{live}/server.key"
        self.tls = self.contexts()
        self.assertEqual("first", self.shown())
        (self.folder / "next").symlink_to("second")
        (self.folder / "next").rename(live)
        self.clock.advance(1)
        self.assertEqual("second", self.shown())

    def test_connections_stay(self) -> None:
        """A connection goes on with the certificate that it began with."""
        client = self.connect(self.tls)
        self.replace("second")
        self.assertTrue(self.tls.reload())
        self.assertIn(b"404", client.get())
        self.assertEqual("first", client.shown_name)
        self.assertEqual("second", self.shown())

    def test_reload(self) -> None:
        """On demand the files are loaded at once, and the log says so."""
        self.replace("second", days=10)
        with capturedLogs() as events:
            self.assertTrue(self.tls.reload())
        self.assertEqual("second", self.shown())
        [event] = events
        self.assertEqual(
            (LogLevel.info, "CN=second"), (event["log_level"], event["subject"])
        )

    def test_broken(self) -> None:
        """A pair that cannot be used is refused and logged once; the old one stays."""
        Path(self.key).write_bytes(b"nonsense")
        with capturedLogs() as events:
            for _ in range(3):
                self.clock.advance(2)
                self.assertEqual("first", self.shown())
        [event] = events
        self.assertEqual((LogLevel.error, "key"), (event["log_level"], event["key"]))
        self.assertIn("has no private key", event["problem"])

    def test_half_way(self) -> None:
        """Between the two files' changes the old pair is in use, then the new one."""
        second = self.authority.issue("second")
        Path(self.certificate).write_bytes(second.pem)
        self.clock.advance(1)
        self.assertEqual("first", self.shown())
        Path(self.key).write_bytes(second.key_pem())
        self.clock.advance(1)
        self.assertEqual("second", self.shown())

    def test_missing(self) -> None:
        """A file that is gone for a while does no harm."""
        Path(self.certificate).unlink()
        self.clock.advance(1)
        self.assertEqual("first", self.shown())
        self.replace("second")
        self.clock.advance(1)
        self.assertEqual("second", self.shown())

    def test_client_cas(self) -> None:
        """A change of the authorities for clients counts too."""
        options = self.client_options("verify-client-cert-if-given")
        self.tls = ReloadingContextFactory(options, self.clock)
        mallory = self.authority.issue("mallory", is_client=True)
        client = self.connect(self.tls, mallory)
        self.assertIsNotNone(client.server.client_certificate())
        self.authority = type(self.authority)("other")
        self.authority.write(self.folder)
        self.clock.advance(1)
        client = self.connect(self.tls, mallory)
        self.assertRaises(SSL.Error, client.get)

    def test_clock_set_back(self) -> None:
        """A clock that is set back does not keep us from looking."""
        self.replace("second")
        self.clock.rightNow -= 1000
        self.assertEqual("second", self.shown())


class ExpiryTests(TLSCase):
    """How long the certificate is good."""

    def warnings(self) -> list[str]:
        """Load the pair and return the warnings."""
        with capturedLogs() as events:
            self.contexts()
        return [event["log_format"] for event in events]

    def test_days(self) -> None:
        """``expires_in`` counts days."""
        self.write(self.authority.issue(days=30))
        tls = self.contexts()
        self.assertAlmostEqual(30, tls.expires_in(), 2)
        self.clock.advance(31 * _DAY)
        self.assertAlmostEqual(-1, tls.expires_in(), 2)

    def test_chain(self) -> None:
        """A chain is good for as long as all of it is."""
        between = type(self.authority)("between", self.authority)
        self.write(between.issue(days=4000))
        self.assertAlmostEqual(3650, self.contexts().expires_in(), 1)

    def test_warned(self) -> None:
        """A certificate out of its time is loaded with a warning."""
        self.assertEqual([], self.warnings())
        self.write(self.authority.issue(days=-0.5))
        self.assertEqual(["{file} expired on {end}"], self.warnings())
        self.write(self.authority.issue(begins=1))
        self.assertEqual(["{file} is not valid before {begin}"], self.warnings())
