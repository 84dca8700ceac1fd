"""Tests of the places where clients come in."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import TCP4ServerEndpoint, _SystemdParser
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces import InvalidOption
from txregistry.web.listeners import (
    Listener,
    NoSuchSocket,
    SystemdEndpoint,
    UnixEndpoint,
    described_endpoint,
    tcp_endpoint,
)


class EndpointTests(SynchronousTestCase):
    """Endpoints for addresses and descriptions."""

    def setUp(self) -> None:
        """Make a reactor that listens nowhere."""
        self.reactor = MemoryReactor()

    def interface(self, host: str) -> str:
        """Return the interface that a host's name stands for."""
        tcp_endpoint(self.reactor, host, 5000).listen(Factory())
        port, _, backlog, interface = self.reactor.tcpServers[-1]
        self.assertEqual((5000, 1024), (port, backlog))
        return str(interface)

    def test_tcp(self) -> None:
        """An address is of IPv4, of IPv6, or of both."""
        self.assertEqual("127.0.0.1", self.interface("127.0.0.1"))
        self.assertEqual("::1", self.interface("::1"))
        self.assertIn(self.interface(""), ("::", ""))

    def test_described(self) -> None:
        """Twisted's descriptions are understood."""
        endpoint = described_endpoint(self.reactor, "tcp:5000:interface=127.0.0.1")
        endpoint.listen(Factory())
        self.assertEqual(5000, self.reactor.tcpServers[0][0])

    def test_no_description(self) -> None:
        """Anything else is an error of one line."""
        for text in (
            "5000",
            "nope:1",
            "tcp",
            "tcp:x",
            "tcp:1:colour=blue",
            "ssl:443",
            "",
        ):
            error = self.assertRaises(
                InvalidOption, described_endpoint, self.reactor, text
            )
            self.assertEqual("endpoint", error.key)
            self.assertNotIn("\n", error.problem)

    def test_not_handed_over(self) -> None:
        """A socket of systemd's is missed when it is to be listened on."""
        for text in ("systemd:domain=INET:index=0", "systemd:domain=X:name=web"):
            endpoint = described_endpoint(self.reactor, text)
            verifyObject(IStreamServerEndpoint, endpoint)
            failure = self.failureResultOf(endpoint.listen(Factory()), NoSuchSocket)
            self.assertIn(text, failure.getErrorMessage())

    def test_shown(self) -> None:
        """An address is shown as it is written, with a word about TLS."""
        endpoint = TCP4ServerEndpoint(self.reactor, 0)
        for address, shown in (
            (IPv4Address("TCP", "127.0.0.1", 1), "127.0.0.1:1"),
            (IPv6Address("TCP", "::1", 2), "[::1]:2"),
            (UNIXAddress("/run/x"), "/run/x"),
            (UNIXAddress(None), "unix"),
        ):
            self.assertEqual(shown, Listener(endpoint).shown(address))
            self.assertEqual(
                f"{shown} with TLS", Listener(endpoint, True).shown(address)
            )


class UnixTests(SynchronousTestCase):
    """Unix sockets."""

    def setUp(self) -> None:
        """Choose a path."""
        self.path = self.mktemp()

    def listen(self, mode: int | None = None) -> Any:
        """Listen; return the port."""
        endpoint = UnixEndpoint(MemoryReactor(), self.path, mode)
        verifyObject(IStreamServerEndpoint, endpoint)
        return self.successResultOf(endpoint.listen(Factory()))

    def close(self, port: Any) -> None:
        """Have a port closed, as the reactor does."""
        port.connectionLost(Failure(ConnectionDone()))

    def open_socket(self) -> socket.socket:
        """Listen at the path as another process does."""
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.bind(self.path)
        other.listen()
        return other

    def test_mode(self) -> None:
        """The owner and the group may connect, or who is named."""
        for mode, expected in ((None, 0o660), (0o606, 0o606)):
            port = self.listen(mode)
            self.assertEqual(expected, stat.S_IMODE(os.stat(self.path).st_mode))
            self.close(port)

    def test_removed(self) -> None:
        """The socket is removed when nobody listens any more."""
        self.close(self.listen())
        self.assertFalse(os.path.lexists(self.path))

    def test_stale(self) -> None:
        """A socket that a process has left behind is replaced."""
        self.open_socket().close()
        self.assertTrue(os.path.exists(self.path))
        port = self.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
        self.close(port)

    def test_in_use(self) -> None:
        """A socket on which somebody listens is left alone."""
        self.open_socket()
        endpoint = UnixEndpoint(MemoryReactor(), self.path)
        self.failureResultOf(endpoint.listen(Factory()), CannotListenError)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)

    def test_no_socket(self) -> None:
        """So is a file that is no socket."""
        Path(self.path).write_text("mine")
        endpoint = UnixEndpoint(MemoryReactor(), self.path)
        self.failureResultOf(endpoint.listen(Factory()), CannotListenError)
        self.assertEqual("mine", Path(self.path).read_text())

    def test_gone(self) -> None:
        """A socket that somebody else has removed does no harm in the end."""
        port = self.listen()
        os.unlink(self.path)
        self.close(port)

    def test_replaced(self) -> None:
        """One that somebody else has put there instead stays."""
        port = self.listen()
        os.unlink(self.path)
        self.open_socket()
        self.close(port)
        self.assertTrue(os.path.exists(self.path))

    def test_handed_over(self) -> None:
        """One that was handed over keeps its mode, and stays open in the end."""
        other = self.open_socket()
        os.chmod(self.path, 0o640)
        handed = os.dup(other.fileno())
        self.patch(_SystemdParser, "_sddaemon", ListenFDs([handed]))
        endpoint = SystemdEndpoint(MemoryReactor(), "systemd:domain=UNIX:index=0")
        port = self.successResultOf(endpoint.listen(Factory()))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(self.path).st_mode))
        self.close(port)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
