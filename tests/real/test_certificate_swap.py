"""Tests of certificates that change while the registry runs."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from tests.certificates import Authority, common_name
from tests.real.case import RealTestCase
from tests.real.images import digest_of
from tests.real.registries import Registry
from tests.real.wire import Wire, connected, unverified

_THREADS = 4
_REQUESTS = 10_000
_REQUESTS_A_CONNECTION = 20


class Load(threading.Thread):
    """A client that asks for blobs, on one connection after another.

    Attributes:
        answered: How many requests were answered well.
        failures: What went wrong otherwise.
        names: The common names that the registry has shown.
    """

    def __init__(
        self, registry: Registry, authority: str, target: str, content: bytes
    ) -> None:
        """Take what to ask for, and whom to believe."""
        super().__init__(daemon=True)
        self._registry = registry
        self._trust = ssl.create_default_context(cafile=authority)
        self._target = target
        self._content = content
        self.answered = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Ask."""
        asked = 0
        while asked < _REQUESTS // _THREADS:
            wire = Wire(self._registry.port, 30, "localhost", self._trust)
            for _ in range(_REQUESTS_A_CONNECTION):
                asked += 1
                self._ask(wire)
            wire.close()

    def _ask(self, wire: Wire) -> None:
        try:
            answer = wire.ask("GET", self._target)
            if (answer.status, answer.body) == (200, self._content):
                self.answered += 1
            else:
                self.failures.append(f"{answer.status}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))


class SwapTests(RealTestCase):
    """Certificates that change."""

    def setUp(self) -> None:
        """Start a registry with a certificate."""
        self.authority = Authority()
        self.where = self.folder()
        self.ca = self.authority.write(self.where)
        self.certificate, self.key = map(Path, self.write("0"))
        tls = {"certificate": str(self.certificate), "key": str(self.key)}
        self.under_test = self.registry(http={"tls": tls})

    def write(self, name: str) -> tuple[str, str]:
        """Issue a certificate and write it in the place of the old one."""
        return self.authority.issue(name).write(self.where)

    def shown(self) -> str:
        """Return the common name that a new connection is shown."""
        address = ("127.0.0.1", self.under_test.port)
        pem = ssl.get_server_certificate(address, timeout=30)
        return common_name(x509.load_pem_x509_certificate(pem.encode()))

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> float:
        """Wait until something is so; return for how many seconds."""
        begin = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begin, seconds, self.under_test.log())
            time.sleep(0.01)
        return time.monotonic() - begin

    def test_under_load(self) -> None:
        """Of 10,000 requests none fails while certificates come and go, bad ones too.

        A connection that begins a second after the change is shown the new one.
        """
        content = os.urandom(10_000)
        digest = digest_of(content)
        with connected(self.under_test.port, tls=unverified()) as wire:
            wire.push_blob("app", digest, content)
        target = f"/v2/app/blobs/{digest}"
        loads = [
            Load(self.under_test, self.ca, target, content) for _ in range(_THREADS)
        ]
        begin = time.monotonic()
        for load in loads:
            load.start()
        swaps, delays = 0, []
        while any(load.is_alive() for load in loads):
            swaps += 1
            delays.append(self.swap(str(swaps)))
        took = time.monotonic() - begin
        self.assertEqual([], [each for load in loads for each in load.failures])
        self.assertEqual(_REQUESTS, sum(load.answered for load in loads))
        self.assertGreater(swaps, 2)
        print(
            f"{_REQUESTS} requests in {took:.1f} s, {swaps} certificates, "
            f"shown after {max(delays):.2f} s at the most"
        )

    def swap(self, name: str) -> float:
        """Break the pair, then put a new one there; return when it was shown first."""
        self.key.write_bytes(b"nonsense")
        time.sleep(0.2)
        self.write(name)
        changed = time.monotonic()
        while time.monotonic() - changed < 1:
            if self.shown() == name:
                return time.monotonic() - changed
            time.sleep(0.02)
        self.assertEqual(name, self.shown())
        return time.monotonic() - changed

    def test_hang_up(self) -> None:
        """SIGHUP loads the files, and the log says so; connections are kept."""
        with connected(self.under_test.port, tls=unverified()) as wire:
            wire.ask("GET", "/v2/", expect=200)
            self.write("1")
            self.under_test.daemon.signal(signal.SIGHUP)
            self.wait_for(lambda: "CN=1" in self.under_test.log(), 5)
            self.assertEqual("1", self.shown())
            wire.ask("GET", "/v2/", expect=200)
        self.assertTrue(self.under_test.daemon.running)

    def test_broken(self) -> None:
        """A pair that cannot be used is refused in one line; the old one stays."""
        self.certificate.write_bytes(self.authority.issue("other").pem)
        for _ in range(3):
            time.sleep(0.5)
            self.assertEqual("0", self.shown())
        refusal = "the certificate in use stays: http.tls.key: "
        self.assertEqual(1, self.under_test.log().count(refusal))
        self.under_test.daemon.signal(signal.SIGHUP)
        self.wait_for(lambda: self.under_test.log().count(refusal) == 2, 5)
        self.assertEqual("0", self.shown())

    def test_links(self) -> None:
        """Links that lead elsewhere, as certbot and Kubernetes have it, are noticed."""
        with_links = self.folder()
        for name in ("old", "new"):
            (with_links / name).mkdir()
            self.authority.issue(name).write(with_links / name)
        live = with_links / "live"
        live.symlink_to("old")
        tls = {"certificate": f"{live}/server.crt", "key": f"{live}/server.key"}
        self.under_test = self.registry(http={"tls": tls})
        self.assertEqual("old", self.shown())
        (with_links / "next").symlink_to("new")
        (with_links / "next").rename(live)
        shutil.rmtree(with_links / "old")
        time.sleep(1)
        self.assertEqual("new", self.shown())
