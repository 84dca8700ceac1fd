"""Tests of txregistry.web.handing: sockets that another process has opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority
from tests.unit.reactor import QuietReactor
from txregistry.interfaces import InvalidOption
from txregistry.web.handing import HandedEndpoint, descriptor_of, handed_endpoint
from txregistry.web.listeners import UnixPort


class HandingTests(SynchronousTestCase):
    """Whatever is to be listened on, it is the socket that was handed over."""

    def setUp(self) -> None:
        """Take a reactor that listens nowhere."""
        self.reactor = QuietReactor()
        self.factory = Factory()

    def handed(self) -> int:
        """Return the descriptor of a socket that is not bound."""
        with socket.socket() as made:
            return os.dup(made.fileno())

    def adopted(self, description: str) -> Any:
        """Listen where a description says; return the factory of what listens."""
        descriptor = self.handed()
        endpoint = handed_endpoint(self.reactor, description, descriptor)
        self.successResultOf(endpoint.listen(self.factory))
        found, family, factory = self.reactor.adoptedPorts[-1]
        self.assertEqual((descriptor, socket.AF_INET), (found, family))
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertEqual(([], []), (self.reactor.tcpServers, self.reactor.sslServers))
        return factory

    def test_address(self) -> None:
        """So it is with an address."""
        descriptor = self.handed()
        endpoint = HandedEndpoint(self.reactor, descriptor)
        self.successResultOf(endpoint.listen(self.factory))
        expected = (descriptor, socket.AF_INET, self.factory)
        self.assertEqual([expected], self.reactor.adoptedPorts)

    def test_descriptions(self) -> None:
        """And with endpoints of Twisted's."""
        self.assertIs(self.factory, self.adopted("tcp:5000"))
        self.assertIs(self.factory, self.adopted("unix:/nowhere"))

    def test_tls(self) -> None:
        """Those that speak TLS do so there."""
        folder = Path(self.mktemp())
        folder.mkdir()
        certificate, key = Authority().issue().write(folder)
        description = f"ssl:5000:privateKey={key}:certKey={certificate}"
        factory = self.adopted(description)
        self.assertIsInstance(factory, TLSMemoryBIOFactory)
        self.assertIs(self.factory, factory.wrappedFactory)

    def test_none(self) -> None:
        """A description of none is refused."""
        self.assertRaises(InvalidOption, handed_endpoint, self.reactor, "nope:", 1)

    def test_descriptor(self) -> None:
        """The descriptor of a port is that of its socket."""
        port: Any = UnixPort(b"/nowhere", self.factory, reactor=self.reactor)
        port.fileno = lambda: 7
        self.assertEqual(7, descriptor_of(port))
