"""Tests of large uploads that threads take in, over real sockets."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.real.case import RealTestCase
from tests.real.images import MIB, digest_of
from tests.real.registries import Registry
from tests.real.wire import Wire, connected, location_of

CUTS = 500
CLIENTS = 12

_POOL = 10
"""Threads that the reactor keeps, once it has needed them."""

_SECONDS = 60
"""For so long the registry may take to see that clients have gone."""

_OCTETS = "Content-Type: application/octet-stream\r\n"


def head(method: str, target: str, *lines: str) -> bytes:
    """Return a request's header block."""
    all_lines = "".join(f"{line}\r\n" for line in lines)
    return f"{method} {target} HTTP/1.1\r\nHost: a\r\n{all_lines}\r\n".encode()


def chunked(content: bytes, step: int) -> bytes:
    """Return content as chunks of a size, with an extension, and a trailer."""
    pieces = [content[start : start + step] for start in range(0, len(content), step)]
    chunks = [b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join(chunks) + b"0\r\nTrailer: a\r\n\r\n"


class IntakeTests(RealTestCase):
    """Threads take in a long body as the reactor would have."""

    cuts = CUTS
    tls: ssl.SSLContext | None = None

    def setUp(self) -> None:
        """Start a registry, and make a blob."""
        self.under_test = self.begin()
        self.content = os.urandom(6 * MIB)
        self.digest = digest_of(self.content)

    def begin(
        self, tree: Path | None = None, http: Mapping[str, Any] | None = None
    ) -> Registry:
        """Start a registry."""
        return self.registry(tree, http=http)

    def connect(self, registry: Registry | None = None) -> socket.socket:
        """Connect a client."""
        port = (registry or self.under_test).port
        client = socket.create_connection(("127.0.0.1", port), 30)
        if self.tls is not None:
            client = self.tls.wrap_socket(client)
        self.addCleanup(client.close)
        return client

    def talk(
        self, registry: Registry | None = None
    ) -> contextlib.AbstractContextManager[Wire]:
        """Connect a client that asks and is answered."""
        return connected((registry or self.under_test).port, tls=self.tls)

    def used(self) -> tuple[int, int]:
        """Return how many descriptors and threads the registry has."""
        process = Path(f"/proc/{self.under_test.daemon.pid}")
        return len(os.listdir(process / "fd")), len(os.listdir(process / "task"))

    def wait_for(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        end = time.monotonic() + _SECONDS
        while not ready():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def target(self, location: str) -> str:
        """Return where the session is ended with the blob's digest."""
        return f"{location}{'&' if '?' in location else '?'}digest={self.digest}"

    def resume(self, wire: Wire, location: str) -> None:
        """Go on from where the session stands, and end it: the blob is whole."""
        answer = wire.ask("GET", location, expect=204)
        location = location_of(answer, location)
        _, _, last = answer.headers["range"].partition("-")
        known = int(last) + 1 if int(last) else 0
        wire.end_upload(location, self.digest, self.content[known:])
        self.assertEqual(self.content, wire.pull_blob("app", self.digest))

    def test_cut(self) -> None:
        """Clients that leave anywhere leave nothing behind but what they have sent."""
        with self.talk() as wire:
            sessions = [wire.begin_upload("app") for _ in range(self.cuts)]
            wire.push_blob("warm", self.digest, self.content)
        descriptors, threads = self.used()
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(self.cut, sessions))

        def is_tidy() -> bool:
            now = self.used()
            return now[0] <= descriptors and now[1] <= threads + _POOL

        self.wait_for(is_tidy, f"{self.used()}, before {descriptors, threads}")
        with self.talk() as wire:
            for location in random.sample(sessions, 5):
                self.resume(wire, location)

    def cut(self, location: str) -> None:
        """Send a part of an upload, and leave."""
        framing = random.choice(["length", "chunked", "whole"])
        content = self.content
        if framing == "chunked":
            lines = ("Transfer-Encoding: chunked",)
            sent = head("PATCH", location, *lines) + chunked(content, 32768)
            cut = random.randrange(3 * MIB)
        else:
            lines = (f"Content-Length: {len(content)}",)
            whole = ("PUT", self.target(location))
            method = whole if framing == "whole" else ("PATCH", location)
            sent = head(*method, *lines) + content
            cut = random.randrange(MIB)
        with self.connect() as client:
            client.sendall(sent[:cut])
            if random.random() < 0.5:
                time.sleep(random.random() / 50)
            if random.random() < 0.5:
                linger = struct.pack("ii", 1, 0)  # to leave with a reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def test_pipelined(self) -> None:
        """Requests that come at once behind a long body are answered in turn."""
        with self.talk() as wire:
            for body, line in (
                (self.content, f"Content-Length: {len(self.content)}"),
                (chunked(self.content, 32768), "Transfer-Encoding: chunked"),
                (chunked(self.content, 500), "Transfer-Encoding: chunked"),
            ):
                target = self.target(wire.begin_upload("app"))
                client = self.connect()
                client.sendall(
                    head("PUT", target, line, "Content-Type: application/octet-stream")
                    + body
                    + head("HEAD", f"/v2/app/blobs/{self.digest}")
                    + head("GET", "/v2/", "Connection: close")
                )
                answers = b""
                while got := client.recv(65536):
                    answers += got
                found = [
                    part[:4] for part in answers.split(b"HTTP/1.1 ") if part.strip()
                ]
                self.assertEqual([b"201 ", b"200 ", b"200 "], found)
                self.assertEqual(self.content, wire.pull_blob("app", self.digest))

    def test_malformed(self) -> None:
        """A body that is malformed late is refused, and what came before is kept."""
        with self.talk() as wire:
            location = wire.begin_upload("app")
            client = self.connect()
            end = 4 * MIB
            body = chunked(self.content[:end], 32768).removesuffix(
                b"0\r\nTrailer: a\r\n\r\n"
            )
            lines = ("Transfer-Encoding: chunked", _OCTETS.strip())
            client.sendall(head("PATCH", location, *lines) + body + b"nonsense\r\n")
            answer = client.recv(65536)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
            self.wait_for(
                lambda: (
                    f"0-{end - 1}"
                    == wire.ask("GET", location, expect=204).headers["range"]
                ),
                "it has not all that came",
            )
            self.wait_until_free(wire, location)
            self.resume(wire, location)

    def wait_until_free(self, wire: Wire, location: str) -> None:
        """Wait until nobody writes to a session."""
        self.wait_for(lambda: self.is_free(wire, location), "it is busy")

    def is_free(self, wire: Wire, location: str) -> bool:
        """Say whether nobody writes to a session, by writing nothing to it."""
        answer = wire.ask("GET", location, expect=204)
        target = location_of(answer, location)
        octets = {"Content-Type": "application/octet-stream"}
        return wire.ask("PATCH", target, b"", octets).status == 202

    def test_silent(self) -> None:
        """A client that sends nothing for too long is given up."""
        registry = self.begin(http={"limits": {"idletimeout": "1s"}})
        with self.talk(registry) as wire:
            location = wire.begin_upload("app")
            client = self.connect(registry)
            length = f"Content-Length: {len(self.content)}"
            client.sendall(head("PATCH", location, length) + self.content[:MIB])
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(b"", client.recv(1))
        with self.talk(registry) as wire:
            self.wait_until_free(wire, location)
            self.resume(wire, location)

    def test_killed(self) -> None:
        """An upload goes on after the registry was killed while threads took it in."""
        for body, line in (
            (self.content, f"Content-Length: {len(self.content)}"),
            (chunked(self.content, 32768), "Transfer-Encoding: chunked"),
        ):
            with self.talk() as wire:
                location = wire.begin_upload("app")
            client = self.connect()
            client.sendall(head("PATCH", location, line) + body[: 5 * MIB])
            with self.talk() as wire:
                self.wait_until_some(wire, location)
            self.under_test.daemon.kill()
            self.under_test.start()
            with self.talk() as wire:
                self.assertTrue(self.has_some(wire, location))
                self.resume(wire, location)

    def wait_until_some(self, wire: Wire, location: str) -> None:
        """Wait until a session has more than half of the blob."""
        self.wait_for(lambda: self.has_some(wire, location), "nothing came")

    def has_some(self, wire: Wire, location: str) -> bool:
        """Say whether a session has more than half of the blob."""
        _, _, last = wire.ask("GET", location).headers["range"].partition("-")
        return int(last) > 3 * MIB

    def test_drained(self) -> None:
        """What runs longer than the end may take is cut off, and can be gone on with.

        The second signal does the same at once.
        """
        for drain, signals in (("1s", 1), ("60s", 2)):
            registry = self.begin(self.under_test.tree, {"draintimeout": drain})
            with self.talk(registry) as wire:
                location = wire.begin_upload("app")
            client = self.connect(registry)
            length = f"Content-Length: {len(self.content)}"
            client.sendall(head("PATCH", location, length) + self.content[: 4 * MIB])
            with self.talk() as wire:
                self.wait_until_some(wire, location)
                for _ in range(signals):
                    registry.daemon.signal(signal.SIGTERM)
                    time.sleep(0.5)
                self.assertEqual(0, registry.daemon.wait(30))
                self.resume(wire, location)
