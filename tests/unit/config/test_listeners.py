"""Tests of where to listen, and whether with TLS."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.config.cases import GOOD, ConfigTestCase
from txregistry.config.addresses import Address, FileMode, SocketPath
from txregistry.config.sections.http import HTTP
from txregistry.config.sections.tls import TLS


class PlacesTests(ConfigTestCase):
    """``HTTP.places``."""

    def http(self, text: str) -> HTTP:
        """Load the section."""
        return self.load(f"{GOOD}http: {text}\n").http

    def test_default(self) -> None:
        """Without a word, port 5000 of this machine is listened on."""
        places = self.http("{}").places
        self.assertEqual(["http"], list(places))
        self.assertEqual(Address("127.0.0.1", 5000), places["http"].addr)

    def test_listeners_alone(self) -> None:
        """With listeners, the default address is not listened on."""
        places = self.http("{listeners: [{endpoint: 'systemd:INET6:index=0'}]}").places
        self.assertEqual(["http.listeners.0"], list(places))
        self.assertEqual("systemd:INET6:index=0", places["http.listeners.0"].endpoint)

    def test_beside_address(self) -> None:
        """An address that is given comes first, the listeners behind it."""
        text = "{addr: ':443', listeners: [{addr: '127.0.0.1:5000', tls: false}]}"
        places = self.http(text).places
        self.assertEqual(["http", "http.listeners.0"], list(places))
        self.assertIsNone(places["http"].tls)
        self.assertIs(False, places["http.listeners.0"].tls)

    def test_unix(self) -> None:
        """A Unix socket has a path, and may have a mode."""
        place = self.http("{net: unix, addr: /run/x.sock, socketmode: 0666}").places
        self.assertEqual(SocketPath("/run/x.sock"), place["http"].addr)
        self.assertEqual(FileMode(0o666), place["http"].socketmode)

    def test_modes(self) -> None:
        """A mode is octal however it is written."""
        for text in ("660", "0660", "'660'", "'0660'", "0o660"):
            http = self.http(f"{{net: unix, addr: ./x, socketmode: {text}}}")
            self.assertEqual(FileMode(0o660), http.socketmode, text)
            self.assertEqual("0660", str(http.socketmode))

    def test_environment(self) -> None:
        """A listener can be given by variables."""
        http = self.load(
            GOOD,
            {
                "REGISTRY_HTTP_LISTENERS_0_ADDR": ":443",
                "REGISTRY_HTTP_LISTENERS_0_TLS": "true",
            },
        ).http
        [place] = http.places.values()
        self.assertEqual((Address("", 443), True), (place.addr, place.tls))

    def test_bad(self) -> None:
        """What contradicts itself is refused, at the key that does."""
        for text, key, problem in (
            ("{addr: /run/x.sock}", "addr", 'a path needs "net: unix"'),
            ("{net: unix, addr: ':5000'}", "addr", "must be a path"),
            ("{listeners: [{}]}", "listeners.0.addr", "is missing"),
            ("{listeners: [{tls: true}]}", "listeners.0.addr", "is missing"),
            ("{listeners: [{net: unix}]}", "listeners.0.net", "needs a path"),
            (
                "{listeners: [{addr: ':1', endpoint: 'tcp:1'}]}",
                "listeners.0.endpoint",
                "says what addr says too",
            ),
            ("{listeners: [{addr: ./x}]}", "listeners.0.addr", "a path needs"),
        ):
            line = self.refuse(f"{GOOD}http:\n  {text}\n")
            self.assertTrue(line.startswith(f"config.yml:4: http.{key}: "), line)
            self.assertIn(problem, line)


class PageTests(ConfigTestCase):
    """docs/tls.md."""

    def test_examples(self) -> None:
        """Every example of a configuration loads without a warning."""
        page = Path(__file__).parents[3] / "docs" / "tls.md"
        examples = re.findall(
            r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.M | re.S
        )
        self.assertEqual(3, len(examples))
        for example in examples:
            self.assertEqual((), self.load(example).warnings)


class TLSTests(ConfigTestCase):
    """The section ``http.tls``."""

    def tls(self, text: str) -> TLS:
        """Load the section."""
        return self.load(f"{GOOD}http: {{tls: {{{text}}}}}\n").http.tls

    def test_good(self) -> None:
        """All keys arrive."""
        tls = self.tls(
            "certificate: a, key: b, clientcas: [c, d], minimumtls: TLS1.3, "
            "clientauth: verify-client-cert-if-given, ciphersuites: [e]"
        )
        self.assertEqual(
            TLS("a", "b", ("c", "d"), "verify-client-cert-if-given", "tls1.3", ("e",)),
            tls,
        )

    def test_half(self) -> None:
        """What would have no effect, or only half of one, is refused."""
        for text, key, problem in (
            ("certificate: a", "certificate", "needs a key as well"),
            ("key: b", "key", "without a certificate"),
            ("clientcas: [c]", "clientcas", "without a certificate"),
            ("minimumtls: tls1.3", "minimumtls", "without a certificate"),
            ("ciphersuites: [e]", "ciphersuites", "without a certificate"),
            (
                "certificate: a, key: b, clientauth: request-client-cert",
                "clientauth",
                "without clientcas",
            ),
        ):
            line = self.refuse(f"{GOOD}http:\n  tls: {{{text}}}\n")
            self.assertTrue(line.startswith(f"config.yml:4: http.tls.{key}: "), line)
            self.assertIn(problem, line)
