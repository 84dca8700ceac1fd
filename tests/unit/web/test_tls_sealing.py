"""Tests of txregistry.web.tls_sealing: a connection on a socket, laid on memory."""

from __future__ import annotations

import os

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

from tests.unit.web.sockets import drain
from tests.unit.web.test_tls_socket import SocketCase
from txregistry.web.tls_sealing import PIECE, Room, Sealer, can_seal


class SealerTests(SocketCase):
    """What a sealer makes."""

    def setUp(self) -> None:
        """Shake hands."""
        super().setUp()
        self.shake()
        self.server = self.transport.getHandle()

    def test_records(self) -> None:
        """The client can read the records, and nothing goes to the socket meanwhile."""
        content = os.urandom(PIECE)
        room = Room()
        sealer = Sealer(self.server, room)
        for size in (PIECE, 1, 1000, PIECE):
            room.piece[:] = content
            sealed = bytes(sealer.seal(size))
            self.assertGreater(len(sealed), size)
            self.assertEqual(b"", drain(self.client))
            self.tls.bio_write(sealed)
            self.assertEqual(content[:size], self.read())

    def test_back(self) -> None:
        """Then the connection is on its socket again, for both directions."""
        room = Room()
        for number in range(3):
            sealer = Sealer(self.server, room)
            self.tls.bio_write(bytes(sealer.seal(PIECE)))
            self.read()
            sealer.end(self.transport.fileno())
            self.transport.write(b"%d" % number)
            self.assertEqual(b"%d" % number, self.receive(1))
            self.tls.send(b"and you?")
            self.step()
        self.assertEqual(3 * b"and you?", self.protocol.data)

    def test_refused(self) -> None:
        """It says what is the matter if OpenSSL takes no more."""
        self.server.shutdown()
        sealer = Sealer(self.server, Room())
        self.assertRaises(SSL.Error, sealer.seal, 8)

    def test_can(self) -> None:
        """What is needed is there, or the sealer is not for use."""
        self.assertTrue(can_seal(self.server))
        self.patch(Binding, "lib", object())
        self.assertFalse(can_seal(self.server))
