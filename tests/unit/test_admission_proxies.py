"""Tests of txregistry.admission: clients behind proxies, and their addresses."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry.admission import make_admission
from txregistry.auth.editing import set_password
from txregistry.auth.throttle import FREE
from txregistry.config import load
from txregistry.oci.forwarded import client
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.urls import Urls

CONFIGURATION = """
version: 0.1
storage: {{inmemory: {{}}}}
auth: {{htpasswd: {{path: {path}}}}}
http: {{trustforwarded: {trusted}}}
"""


class ClientTests(SynchronousTestCase):
    """The address of a client behind proxies."""

    def find(self, *reported: str, peer: str = "10.0.0.1") -> str:
        """Find it where 10.0.0.* is ours."""
        return client(reported, peer, lambda each: each.startswith("10.0.0."))

    def test_found(self) -> None:
        """It is the nearest that is not ours."""
        self.assertEqual("192.0.2.1", self.find("192.0.2.1"))
        self.assertEqual("192.0.2.1", self.find("192.0.2.9, 192.0.2.1, 10.0.0.2"))
        self.assertEqual("192.0.2.1", self.find("192.0.2.9", "192.0.2.1", "10.0.0.2"))
        self.assertEqual("2001:db8::1", self.find("2001:DB8:0::1"))

    def test_stranger(self) -> None:
        """Who is not ours is not believed."""
        self.assertEqual("192.0.2.7", self.find("192.0.2.1", peer="192.0.2.7"))
        self.assertEqual("unix", self.find("192.0.2.1", peer="unix"))

    def test_nothing(self) -> None:
        """Without a word, or behind what is no address, it is the proxy's."""
        self.assertEqual("10.0.0.1", self.find())
        for text in ("", "unknown", "192.0.2.1:80", "192.0.2.1,", "192.0.2.1, x"):
            self.assertEqual("10.0.0.1", self.find(text))

    def test_all_ours(self) -> None:
        """If all are ours it is the farthest."""
        self.assertEqual("10.0.0.3", self.find("10.0.0.3, 10.0.0.2"))


class GuessingTests(SynchronousTestCase):
    """Guessing passwords from behind a proxy. Here 127.0.0.1 is the peer."""

    def registry(self, trusted: str) -> MemoryRegistry:
        """Make a registry that trusts some proxies."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        users, file = str(folder / "htpasswd"), folder / "config.yml"
        set_password(users, b"alice", b"sesame", 4)
        file.write_text(CONFIGURATION.format(path=users, trusted=trusted))
        urls = Urls("/", None, False, lambda _peer: False)
        reactor: Any = QuietReactor()
        admitted = make_admission(load(str(file), {}), reactor, urls)
        return MemoryRegistry(gate=admitted.gate)

    def log_in(self, registry: MemoryRegistry, address: str, password: str) -> int:
        """Log in from behind the proxy; return the status."""
        shown = b64encode(f"alice:{password}".encode()).decode()
        headers = {"X-Forwarded-For": address, "Authorization": f"Basic {shown}"}
        return registry.request("GET", "/v2/", headers).status

    def test_proxy(self) -> None:
        """Who guesses has to wait, and nobody else."""
        registry = self.registry("[127.0.0.1]")
        guesses = [self.log_in(registry, "192.0.2.1", "?") for _ in range(FREE + 1)]
        self.assertEqual([401] * FREE + [429], guesses)
        self.assertEqual(429, self.log_in(registry, "192.0.2.1", "sesame"))
        self.assertEqual(200, self.log_in(registry, "192.0.2.2", "sesame"))

    def test_everybody_trusted(self) -> None:
        """Where anybody could name any address, nobody is believed."""
        for trusted in ("true", "false"):
            registry = self.registry(trusted)
            guesses = [self.log_in(registry, f"192.0.2.{n}", "?") for n in range(9)]
            self.assertEqual([401] * FREE, guesses[:FREE])
            self.assertEqual({429}, set(guesses[FREE:]))
