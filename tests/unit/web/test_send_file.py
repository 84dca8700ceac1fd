"""Tests of blobs that leave by sendfile: on a real socket, driven by hand."""

from __future__ import annotations

import os
import socket

from twisted.internet.defer import execute
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.case import head
from tests.unit.web.fast_case import Watcher
from tests.unit.web.sockets import ManualReactor, connected, drain, unsent
from txregistry.registry.layout import blob_data
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.limits import Limits
from txregistry.web.transport import DirectServer

NAME = "library/hello"
CONTENT = os.urandom(5_000_000)
TIMEOUT = 20.0


class SendFileTests(SynchronousTestCase):
    """A blob in a folder, and a client that wants it."""

    def setUp(self) -> None:
        """Push the blob, and connect."""
        self.reactor = ManualReactor()
        self.folder = os.path.abspath(self.mktemp())
        self.watcher = Watcher()
        self.registry = MemoryRegistry(
            clock=self.reactor,
            driver=FilesystemDriver(Disk(self.folder), self.reactor, execute),
            limits=Limits(idle_timeout=TIMEOUT),
            watchers=[self.watcher],
        )
        self.digest = self.registry.push_blob(NAME, CONTENT)
        self.watcher.take()
        self.descriptors = len(os.listdir("/proc/self/fd"))
        ours, self.client = connected()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
        self.addCleanup(self.client.close)
        self.channel = self.registry.connect().site.buildProtocol(None)
        self.transport = DirectServer(
            ours,
            self.channel,
            ours.getpeername(),
            None,
            1,
            self.reactor,
        )
        self.channel.makeConnection(self.transport)
        self.addCleanup(self.lose)

    def lose(self) -> None:
        """Lose the connection, if it is there."""
        self.transport.connectionLost(Failure(ConnectionLost()))

    def ask(self, method: str = "GET", headers: dict[str, str] | None = None) -> None:
        """Ask for the blob."""
        block = head(method, f"/v2/{NAME}/blobs/{self.digest}", headers)
        self.client.setblocking(True)
        self.client.sendall(block)
        self.transport.doRead()

    def receive(self, turns: int = 10_000) -> bytes:
        """Let the registry write until it does not want to, or so often."""
        came = [drain(self.client)]
        for _ in range(turns):
            while self.reactor.work:
                # The kernel has given up some of the file, as it may at any time.
                self.reactor.work.pop()()
            if self.transport not in self.reactor.writing:
                break
            self.assertIsNone(self.reactor.turn(self.transport))
            came.append(drain(self.client))
        for _ in range(turns):
            if not unsent(self.transport.socket):
                break
            came.append(drain(self.client))
        return b"".join([*came, drain(self.client)])

    def body(self, came: bytes, status: bytes = b"200") -> bytes:
        """Check an answer's status; return its body."""
        first, _, body = came.partition(b"\r\n\r\n")
        self.assertEqual(status, first.split(b" ")[1])
        return body

    def test_whole(self) -> None:
        """The blob arrives, byte for byte, and is what the watchers are told of."""
        self.ask()
        self.assertEqual(CONTENT, self.body(self.receive()))
        (exchange,) = self.watcher.ended_ones
        self.assertEqual((200, len(CONTENT)), (exchange.status, exchange.sent))

    def test_again(self) -> None:
        """The connection is kept, and takes the next request."""
        for _ in range(3):
            self.ask()
            self.assertEqual(CONTENT, self.body(self.receive()))

    def test_range(self) -> None:
        """A range arrives, and nothing else."""
        self.ask(headers={"Range": "bytes=1000000-2999999"})
        self.assertEqual(CONTENT[1000000:3000000], self.body(self.receive(), b"206"))

    def test_head(self) -> None:
        """Of an answer to HEAD there is no body."""
        self.ask("HEAD")
        came = self.receive()
        self.assertEqual(b"", self.body(came))
        self.assertIn(b"Content-Length: 5000000", came)

    def test_pipelined(self) -> None:
        """Requests that came together are answered one behind the other."""
        self.client.sendall(
            head("GET", f"/v2/{NAME}/blobs/{self.digest}") * 2 + head("GET", "/v2/")
        )
        self.transport.doRead()
        came = self.receive()
        self.assertEqual(2, came.count(CONTENT))
        self.assertTrue(came.endswith(b"\r\n\r\n{}"))

    def test_last_one(self) -> None:
        """A connection that is to be closed is closed behind the blob's last byte."""
        self.ask(headers={"Connection": "close"})
        came = b""
        ended = None
        for _ in range(10_000):
            came += drain(self.client)
            ended = self.reactor.turn(self.transport)
            if ended is not None:
                break
        self.assertEqual(CONTENT, self.body(came + drain(self.client)))
        self.assertIsNotNone(ended)

    def test_client_leaves(self) -> None:
        """When the client goes away, the file is closed, and the log says how far."""
        self.ask()
        self.receive(turns=2)
        self.lose()
        (exchange,) = self.watcher.ended_ones
        self.assertEqual(499, exchange.status)
        self.assertGreater(exchange.sent, 0)
        self.assertLess(exchange.sent, len(CONTENT))
        self.client.close()
        self.assertEqual(self.descriptors, len(os.listdir("/proc/self/fd")))

    def test_shrank(self) -> None:
        """A file that has lost its end is not sent as if it were whole."""
        data = self.folder + blob_data(self.digest)
        self.ask()
        os.truncate(data, 2_000_000)
        self.receive()
        self.reactor.advance(0)
        self.assertTrue(self.transport.disconnected)

    def test_stall(self) -> None:
        """A client that takes nothing from one look to the next is cut off."""
        self.ask()
        self.reactor.turn(self.transport)
        self.reactor.advance(TIMEOUT + 1)
        self.assertFalse(self.transport.disconnected)
        self.reactor.advance(TIMEOUT + 1)
        self.reactor.advance(0)
        self.assertTrue(self.transport.disconnected)

    def test_slow(self) -> None:
        """A client that takes a little now and then gets all of it."""
        self.ask()
        came = b""
        self.client.setblocking(False)
        for _ in range(10):
            self.reactor.turn(self.transport)
            came += self.client.recv(50_000)
            self.reactor.turn(self.transport)
            self.reactor.advance(TIMEOUT - 1)
        self.assertFalse(self.transport.disconnected)
        self.assertEqual(CONTENT, self.body(came + self.receive()))

    def test_idle_afterwards(self) -> None:
        """After the blob, a connection on which nothing happens is closed in time."""
        self.ask()
        self.receive()
        self.reactor.advance(TIMEOUT - 1)
        self.assertFalse(self.transport.disconnecting)
        self.reactor.advance(2)
        self.assertTrue(self.transport.disconnecting)
