"""Tests of large blobs that threads send over TLS, to real sockets."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import random
import re
import select
import socket
import ssl
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from tests.certificates import Authority
from tests.real.case import RealTestCase
from tests.real.images import MIB, digest_of
from tests.real.wire import connected, unverified

_SIZES = (1, 200_000, MIB + 17, 24 * MIB + 5)
_CLIENTS = 8
_CUTS = 120
_SLOW = 24
_POOL = 10
"""Threads that the reactor keeps, once it has needed them."""

_SECONDS = 60
"""For so long the registry may take to see that clients have gone."""

_RESET = struct.pack("ii", 1, 0)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class TLSPullTests(RealTestCase):
    """A registry that speaks TLS, and blobs of some sizes."""

    def setUp(self) -> None:
        """Start it, and push them."""
        certificate, key = Authority().issue().write(self.folder())
        http = {"tls": {"certificate": certificate, "key": key}}
        self.under_test = self.registry(None, "txregistry", http=http)
        self.blobs = {}
        with connected(self.under_test.port, tls=unverified()) as wire:
            for size in _SIZES:
                content = os.urandom(size)
                digest = digest_of(content)
                self.blobs[digest] = content
                wire.push_blob("app", digest, content)
        self.largest = digest

    def connect(self, room: int = 0) -> ssl.SSLSocket:
        """Connect a client.

        Args:
            room: Bytes that its kernel keeps for it; 0: as many as usual.
        """
        plain = socket.socket()
        plain.settimeout(30)
        if room:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        plain.connect(("127.0.0.1", self.under_test.port))
        client = unverified().wrap_socket(plain)
        self.addCleanup(client.close)
        return client

    def request(self, digest: str, *lines: str, method: str = "GET") -> bytes:
        """Return a request for a blob."""
        head = [f"{method} /v2/app/blobs/{digest} HTTP/1.1", "Host: a", *lines]
        return "\r\n".join([*head, "", ""]).encode()

    def used(self) -> tuple[int, int]:
        """Return how many descriptors and threads the registry has."""
        process = Path(f"/proc/{self.under_test.daemon.pid}")
        return len(os.listdir(process / "fd")), len(os.listdir(process / "task"))

    def resident(self) -> int:
        """Return how many bytes of memory the registry has."""
        status = Path(f"/proc/{self.under_test.daemon.pid}/status").read_text()
        found = re.search(r"VmRSS:\s*(\d+) kB", status)
        assert found is not None
        return 1024 * int(found[1])

    def wait_for(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        end = time.monotonic() + _SECONDS
        while not ready():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def test_intact(self) -> None:
        """Blobs and their ranges come whole, with many clients at a time."""

        def pull(number: int) -> None:
            chance = random.Random(number)
            with connected(self.under_test.port, tls=unverified()) as wire:
                for digest, content in self.blobs.items():
                    pulled = wire.pull_blob("app", digest)
                    self.assertEqual(digest, digest_of(pulled))
                    first = chance.randrange(len(content))
                    last = chance.randrange(first, len(content))
                    part = wire.ask(
                        "GET",
                        f"/v2/app/blobs/{digest}",
                        headers={"Range": f"bytes={first}-{last}"},
                        expect=206,
                    )
                    expected = memoryview(content)[first : last + 1]
                    self.assertTrue(part.body == expected, f"{first}-{last}")

        with ThreadPoolExecutor(_CLIENTS) as clients:
            list(clients.map(pull, range(_CLIENTS)))

    def test_pipelined(self) -> None:
        """Requests that come all at once are answered in order, each in full."""
        content = self.blobs[self.largest]
        size = len(content)
        expected = []
        asked = []
        for digest, each in self.blobs.items():
            asked += [self.request(digest), self.request(digest, method="HEAD")]
            expected += [each, b""]
        for first, last in ((0, 0), (5, size // 2), (size // 2, size - 1)):
            asked.append(self.request(self.largest, f"Range: bytes={first}-{last}"))
            expected.append(content[first : last + 1])
        asked.append(self.request(self.largest, "Connection: close"))
        expected.append(content)
        client = self.connect()
        client.sendall(b"".join(asked))
        received = bytearray()
        while piece := client.recv(MIB):
            received += piece
        place = 0
        for request, body in zip(asked, expected, strict=True):
            end = received.index(b"\r\n\r\n", place) + 4
            found = _LENGTH.search(received, place, end)
            assert found is not None
            place = end + (0 if request.startswith(b"HEAD") else int(found[1]))
            self.assertTrue(received[end:place] == body, request)
        self.assertEqual(len(received), place)

    def test_vanishing(self) -> None:
        """Clients that leave anywhere in a blob leave nothing behind."""
        self.leave(0)
        descriptors, threads = self.used()
        with ThreadPoolExecutor(_CLIENTS) as clients:
            list(clients.map(self.leave, range(_CUTS)))

        def is_tidy() -> bool:
            now = self.used()
            return now[0] <= descriptors and now[1] <= threads + _POOL

        self.wait_for(is_tidy, f"{self.used()}, before {descriptors, threads}")
        with connected(self.under_test.port, tls=unverified()) as wire:
            pulled = wire.pull_blob("app", self.largest)
        self.assertEqual(self.largest, digest_of(pulled))

    def leave(self, number: int) -> None:
        """Ask for a blob, read a part of it, and leave in one of three ways."""
        chance = random.Random(number)
        client = self.connect()
        client.sendall(self.request(self.largest))
        left = chance.choice([0, 1, MIB, len(self.blobs[self.largest])])
        left = chance.randrange(left + 1)
        while left > 0:
            left -= len(client.recv(min(left, MIB)))
        way = number % 3
        if way == 1:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        elif way == 2:
            client.settimeout(0)
            # The goodbye is said, and is not answered so fast.
            with contextlib.suppress(OSError, ValueError):
                client.unwrap()
        client.close()

    def test_slow_readers(self) -> None:
        """Clients that do not read cost little memory, and hold nobody up."""
        with connected(self.under_test.port, tls=unverified()) as wire:
            wire.pull_blob("app", self.largest)
            before = self.resident()
            slow = []
            for _ in range(_SLOW):
                client = self.connect(room=16_384)
                client.sendall(self.request(self.largest))
                client.recv(1)
                slow.append(client)
            for _ in range(3):
                pulled = wire.pull_blob("app", self.largest)
                self.assertEqual(self.largest, digest_of(pulled))
            grown = self.resident() - before
        self.assertLess(grown, _SLOW * MIB)
        received = hashlib.sha256()
        client = slow[-1]
        size, left = 0, len(self.blobs[self.largest])
        rest = b""
        while b"\r\n\r\n" not in rest:
            rest += client.recv(4096)
        piece = rest.partition(b"\r\n\r\n")[2]
        while size < left:
            received.update(piece)
            size += len(piece)
            piece = client.recv(MIB) if size < left else b""
        self.assertEqual(self.largest, f"sha256:{received.hexdigest()}")

    def test_new_keys(self) -> None:
        """A client of TLS 1.3 may change the keys in the midst of a blob."""
        told = self.folder() / "told"
        with (
            told.open("wb") as errors,
            subprocess.Popen(
                ["openssl", "s_client", "-connect", self.under_test.address, "-tls1_3"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as client,
        ):
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(self.request(self.largest))
            client.stdin.flush()
            shown = bytearray()
            for mark in (b"\r\n\r\n", self.blobs[self.largest][:1000]):
                while mark not in shown:
                    shown += os.read(client.stdout.fileno(), 65536)
            for _ in range(3):
                client.stdin.write(b"K\n")  # new keys for both, if it is read alone
                client.stdin.flush()
                goal = len(shown) + 4 * MIB
                while len(shown) < goal or _is_unread(client.stdin):
                    if select.select([client.stdout], [], [], 0.05)[0]:
                        shown += os.read(client.stdout.fileno(), 65536)
            client.stdin.write(
                b"GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            )
            client.stdin.flush()
            shown += client.stdout.read()
        self.assertIn(b"KEYUPDATE", told.read_bytes())
        _, _, behind = shown.partition(b"\r\n\r\n")
        content = self.blobs[self.largest]
        self.assertTrue(behind.startswith(content))
        self.assertIn(b"HTTP/1.1 200 OK", behind[len(content) :])


def _is_unread(pipe: IO[bytes]) -> bool:
    """Say whether something is in a pipe, which goes with what is written behind it."""
    found = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0\0\0\0")
    return bool(struct.unpack("i", found)[0])
