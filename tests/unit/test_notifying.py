"""Tests of txregistry.notifying: what the settings make."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from uuid import UUID

from attrs import evolve
from twisted.internet.defer import Deferred

from tests.certificates import Authority
from tests.unit.notifying_case import FOLDER, NotifyingCase
from tests.unit.web.witness_case import Sink
from tests.unit.webhooks.doubles import blob_pulled, event, manifest_pushed
from txregistry.config import ConfigError
from txregistry.notifying import (
    ledger_path,
    make_notifications,
    make_witness,
    open_ledger,
)
from txregistry.oci.digest import Digest
from txregistry.oci.mediatypes import OCI_MANIFEST
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.urls import Urls
from txregistry.web.witness import EventWitness
from txregistry.webhooks.ledger import IN_MEMORY, BrokenLedger


class EndpointTests(NotifyingCase):
    """Endpoints as values."""

    def test_members(self) -> None:
        """An endpoint is as its options say."""
        secret = "x" * 24
        made = self.endpoint(f"envelope: cloudevents, batch: 7, secrets: [{secret}]")
        members = (made.name, made.envelope, made.batch)
        self.assertEqual(("a", "cloudevents", 7), members)
        self.assertIsNotNone(made.signer)
        self.assertIsNone(self.endpoint().signer)

    def test_filter(self) -> None:
        """It gets what none of the options keeps back, the older one neither."""
        pushed, pulled = manifest_pushed(), manifest_pushed("pull")
        for text, passed in (
            ("", [pushed, pulled, blob_pulled()]),
            ("ignore: {actions: [pull]}", [pushed]),
            (f"ignore: {{mediatypes: ['{OCI_MANIFEST}']}}", [blob_pulled()]),
            (f"ignoredmediatypes: ['{OCI_MANIFEST}']", [blob_pulled()]),
            ("repositories: ['library/*']", [pushed, pulled, blob_pulled()]),
            ("repositories: ['other/**', other]", []),
        ):
            wanted = self.endpoint(text).filter
            found = [
                each for each in (pushed, pulled, blob_pulled()) if wanted.passes(each)
            ]
            self.assertEqual(passed, found, text)

    def test_backoff(self) -> None:
        """Waits are as the options say; 0 is the default."""
        for text, expected in (
            ("", (10, 1.0, 300.0)),
            ("threshold: 0, backoff: 0", (10, 1.0, 300.0)),
            ("threshold: 3, backoff: 2s, maxbackoff: 1m", (3, 2.0, 60.0)),
        ):
            backoff = self.endpoint(text).backoff
            found = (backoff.threshold, backoff.backoff, backoff.longest)
            self.assertEqual(expected, found)
            self.assertTrue(0.0 <= backoff.chance() < 1.0)

    def test_disabled(self) -> None:
        """Endpoints that are disabled are not made, whatever stands there."""
        made = self.endpoints(
            "{disabled: true, secrets: [x]}", "{name: a, url: 'http://x'}"
        )
        self.assertEqual(["a"], [each.name for each in made])

    def test_refused(self) -> None:
        """What cannot be used is said in one line, by its key."""
        good = "name: a, url: 'http://x'"
        for text, line in (
            ("{name: a}", "0.url: is missing"),
            ("{url: 'http://x'}", "0.name: is missing"),
            (f"{{{good}, secrets: [x]}}", "0.secrets.0: is shorter than 24 bytes"),
            (
                f"{{{good}, secrets: ['{'x' * 24}', whsec_x]}}",
                "0.secrets.1: has no base64 behind whsec_",
            ),
            (f"{{{good}, repositories: [a, '']}}", "0.repositories.1: is empty"),
            (
                f"{{{good}, repositories: [a**]}}",
                "0.repositories.0: has ** beside something else than /",
            ),
        ):
            self.assertEqual(line, self.refused(text))

    def test_names(self) -> None:
        """Two endpoints cannot have one name; a disabled one does not count."""
        one, disabled = "{name: a, url: 'http://x'}", "{name: a, disabled: true}"
        line = "2.name: is another endpoint's, too"
        self.assertEqual(line, self.refused(one, disabled, one))
        self.assertEqual(1, len(self.endpoints(disabled, one)))

    def test_certificates(self) -> None:
        """Certificates that vouch for a receiver are read at once."""
        path = Path(self.mktemp()).absolute()
        text = f"{{name: a, url: 'https://x', rootcerts: {path}}}"
        line = f"0.rootcerts: {path}: No such file or directory"
        self.assertEqual(line, self.refused(text))
        path.write_text("nothing")
        line = self.refused(text)
        problem = "is not a file of certificates in PEM form"
        self.assertEqual(f"0.rootcerts: {path} {problem}", line)
        path.write_bytes(Authority().pem)
        self.assertEqual(1, len(self.endpoints(text)))


class LedgerTests(NotifyingCase):
    """Where events wait."""

    def path(self, queue: str, storage: str) -> str:
        """Return where events wait."""
        return ledger_path(self.settings(f"notifications: {{queue: {queue}}}", storage))

    def test_path(self) -> None:
        """They wait beside the content, in memory if it is there, or where it says."""
        beside = "/var/lib/registry/_txregistry/events.sqlite3"
        for queue, storage, path in (
            ("{}", FOLDER, beside),
            ("{driver: sqlite}", FOLDER, beside),
            ("{driver: memory}", FOLDER, IN_MEMORY),
            ("{path: /events}", FOLDER, "/events"),
            ("{}", "inmemory: {}", IN_MEMORY),
            ("{driver: memory}", "inmemory: {}", IN_MEMORY),
            ("{path: /events}", "inmemory: {}", "/events"),
            ("{driver: sqlite, path: /events}", "inmemory: {}", "/events"),
            ("{driver: memory}", "s3: {}", IN_MEMORY),
            ("{path: /events}", "s3: {}", "/events"),
        ):
            self.assertEqual(path, self.path(queue, storage), (queue, storage))

    def test_path_needed(self) -> None:
        """Where there is no folder a path is needed."""
        for queue, storage, name in (
            ("{}", "s3: {}", "s3"),
            ("{driver: sqlite}", "inmemory: {}", "inmemory"),
            ("{}", "filesystem: {}", "filesystem"),
            ("{}", "filesystem: {rootdirectory: 7}", "filesystem"),
        ):
            error = self.assertRaises(ConfigError, self.path, queue, storage)
            expected = (
                "notifications.queue.path:"
                f" is needed with storage.{name}: a file on a local disk"
            )
            self.assertTrue(str(error).endswith(expected), error)

    def test_open(self) -> None:
        """The folder is made, for its owner alone."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        path = Path(self.mktemp()) / "a" / "events"
        for _ in range(2):
            open_ledger(str(path)).close()
        self.assertTrue(path.exists())
        self.assertEqual(0o700, stat.S_IMODE(path.parent.stat().st_mode))

    def test_memory(self) -> None:
        """For what is in memory no folder is made."""
        open_ledger(IN_MEMORY).close()
        self.assertFalse(Path(IN_MEMORY).exists())

    def test_unusable(self) -> None:
        """A folder that cannot be made is named."""
        path = f"{self._file()}/a/events"
        error = self.assertRaises(BrokenLedger, open_ledger, path)
        self.assertEqual(f"{path}: Not a directory", str(error))

    def _file(self) -> str:
        path = Path(self.mktemp())
        path.write_text("")
        return str(path)


ONE = "notifications: {endpoints: [{name: a, url: 'http://192.0.2.1/'}]}\n"


class NotificationsTests(NotifyingCase):
    """All of it."""

    def test_nobody(self) -> None:
        """Where nobody is told there are no notifications, and no path is needed."""
        for text in ("", "notifications: {endpoints: [{name: a, disabled: true}]}"):
            self.assertIsNone(
                make_notifications(self.settings(text, "s3: {}"), self.reactor)
            )

    def test_refused(self) -> None:
        """Where somebody is, it is."""
        settings = self.settings(ONE, "s3: {}")
        error = self.assertRaises(
            ConfigError, make_notifications, settings, self.reactor
        )
        self.assertIn("notifications.queue.path: is needed with storage.s3", str(error))

    def test_delivered(self) -> None:
        """What is taken in is posted."""
        made = make_notifications(self.settings(ONE), self.reactor)
        assert made is not None
        self.successResultOf(Deferred.fromCoroutine(made.start()))
        self.assertEqual([], self.reactor.tcpClients)
        self.successResultOf(made.deliver([event()]))
        self.assertEqual(("192.0.2.1", 80), self.reactor.tcpClients[0][:2])
        self.successResultOf(Deferred.fromCoroutine(made.stop()))


class WitnessTests(NotifyingCase):
    """What makes events."""

    def setUp(self) -> None:
        """Make a sink."""
        super().setUp()
        self.sink = Sink()

    def witness(self, text: str) -> EventWitness:
        """Return what makes events as the settings say, for a sink of the test's."""
        settings = self.settings(text)
        made = make_notifications(settings, self.reactor)
        assert made is not None
        urls = Urls("/", None, False, lambda _: False)
        witness = make_witness(settings, made, urls, self.reactor)
        self.assertIs(made, witness.sink)
        return evolve(witness, sink=self.sink)

    def test_source(self) -> None:
        """Events name this machine and the port, and the process."""
        host = socket.gethostname()
        for text, addr in (
            ("http: {addr: ':5001'}", f"{host}:5001"),
            ("http: {net: unix, addr: /run/registry}", host),
        ):
            source = self.witness(f"{ONE}{text}\n").source
            self.assertEqual(addr, source.addr)
            self.assertEqual(4, UUID(source.instance_id).version)

    def test_details(self) -> None:
        """Details are told where that is wanted."""
        self.assertFalse(self.witness(ONE).details)
        events = "notifications: {events: {includereferences: true}, "
        text = ONE.replace("notifications: {", events)
        self.assertTrue(self.witness(text).details)

    def address(self, text: str, *forwarded: str) -> str:
        """Return the address that a push is told with."""
        registry = MemoryRegistry(witness=self.witness(f"{ONE}{text}\n"))
        headers = {"X-Forwarded-For": ", ".join(forwarded)} if forwarded else {}
        target = f"/v2/a/blobs/uploads/?digest={Digest.of(b'')}"
        self.assertEqual(201, registry.request("POST", target, headers, b"").status)
        return str(self.sink.events.pop().request.addr)

    def test_address(self) -> None:
        """Without a proxy the address is the connection's, with its port."""
        nobody = "http: {trustforwarded: []}"
        self.assertEqual("127.0.0.1:54321", self.address(nobody))
        self.assertEqual("127.0.0.1:54321", self.address(nobody, "198.51.100.1"))

    def test_address_proxied(self) -> None:
        """Behind a proxy that is trusted it is the one that the proxy names."""
        trusted = "http: {trustforwarded: [127.0.0.0/8, 10.0.0.0/8]}"
        self.assertEqual("198.51.100.1", self.address(trusted, "198.51.100.1"))
        hops = ("203.0.113.9", "198.51.100.1", "10.1.2.3")
        self.assertEqual("198.51.100.1", self.address(trusted, *hops))
        self.assertEqual("2001:db8::1", self.address(trusted, "2001:db8::1"))
        self.assertEqual("127.0.0.1:54321", self.address(trusted))
