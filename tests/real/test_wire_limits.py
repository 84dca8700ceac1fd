"""Tests of what one connection may cost, and how long it may take, over real sockets.

The kernel's buffers, of which the tests in memory know nothing, take part.
"""

from __future__ import annotations

import os
import socket
import time

from tests.real.case import RealTestCase
from tests.real.images import MIB, digest_of
from tests.real.registries import Registry
from tests.real.wire import connected

IDLE_SECONDS = 2


class WireLimitTests(RealTestCase):
    """Clients that read slowly, not at all, or have said all."""

    def serve(self, size: int) -> tuple[Registry, bytes]:
        """Run a registry with a blob; return it and a request for the blob."""
        limits = {"idletimeout": f"{IDLE_SECONDS}s"}
        registry = self.registry(http={"limits": limits})
        content = os.urandom(size)
        digest = digest_of(content)
        with connected(registry.port) as wire:
            wire.push_blob("app", digest, content)
        line = f"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: a\r\n\r\n"
        return registry, line.encode()

    def connect(self, registry: Registry) -> socket.socket:
        """Connect a client with a small window."""
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        client.settimeout(30)
        client.connect(("127.0.0.1", registry.port))
        return client

    def test_slow_puller(self) -> None:
        """A slow client gets all of an answer that lies in the kernel's buffer."""
        size = 2 * MIB
        registry, request = self.serve(size)
        client = self.connect(registry)
        client.sendall(request)
        end = time.monotonic() + 3 * IDLE_SECONDS
        got = 0
        while time.monotonic() < end:
            got += len(client.recv(16 * 1024))
            time.sleep(0.1)
        self.assertLess(got, size)
        while got < size:
            piece = client.recv(MIB)
            self.assertTrue(piece, "cut off")
            got += len(piece)

    def test_half_closed(self) -> None:
        """A client that has closed its side gets its answer, and the end."""
        registry, request = self.serve(MIB)
        client = self.connect(registry)
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while piece := client.recv(MIB):
            got += piece
        self.assertEqual(MIB, len(got.partition(b"\r\n\r\n")[2]))
