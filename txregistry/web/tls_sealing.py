"""TLS sealing: records that are made in memory, many at a time.

When OpenSSL writes to a socket itself, each record of 16 KiB is a call of its own: the
kernel makes a packet of it, and wakes the client up. When some leave together, a GiB
costs two thirds.

With pyOpenSSL a connection is on a socket or on memory from its beginning to its end.
A sealer lays one that is on a socket on memory for a while. It needs what pyOpenSSL
uses for that itself, and does not show: ``can_seal`` tells whether it is there.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

# Bytes that are sealed at a time: 16 records, some 0.15 ms. More, and what they become,
# would not stay in the processor's cache.
PIECE: Final = 256 * 1024

# What they become at the most, even if a client has asked for records of 512 bytes.
# What OpenSSL has to say beside them is short.
_SEALED: Final = PIECE + PIECE // 4 + 16 * 1024

_NEEDED: Final = (
    "BIO_new",
    "BIO_read",
    "BIO_s_mem",
    "SSL_set_bio",
    "SSL_set_fd",
    "SSL_write",
)


def can_seal(tls: SSL.Connection) -> bool:
    """Say whether a connection can be laid on memory, by these libraries."""
    return hasattr(tls, "_ssl") and all(hasattr(Binding.lib, each) for each in _NEEDED)


class Room:
    """Room for a piece, and for the records that are made of it.

    Attributes:
        piece: For the piece.
        plain: The same, as OpenSSL is told of it.
        records: For the records.
        sealed: The same.
    """

    def __init__(self) -> None:
        """Make it."""
        ffi: Any = Binding.ffi
        self.piece = memoryview(bytearray(PIECE))
        self.plain = ffi.from_buffer(self.piece)
        self.sealed = ffi.new("char[]", _SEALED)
        self.records = memoryview(ffi.buffer(self.sealed))


class Sealer:
    """Makes records of what a connection sends, which it keeps from the socket.

    Nothing is read from the connection meanwhile.
    """

    def __init__(self, tls: SSL.Connection, room: Room) -> None:
        """Lay a connection on memory.

        Args:
            tls: OpenSSL's part of it. Nothing that it was to send waits there.
            room: Where the records go.

        Raises:
            MemoryError: There is none.
        """
        lib: Any = Binding.lib
        self._lib = lib
        self._tls: Any = tls
        self._room = room
        self._sent = lib.BIO_new(lib.BIO_s_mem())
        nothing = lib.BIO_new(lib.BIO_s_mem())
        if not (self._sent and nothing):
            raise MemoryError
        lib.SSL_set_bio(self._tls._ssl, nothing, self._sent)  # which owns them now

    def seal(self, size: int) -> memoryview:
        """Make records of a piece.

        Args:
            size: So many bytes of the room's piece.

        Returns:
            A view of the room, good until the next piece.

        Raises:
            SSL.Error: OpenSSL does not do it.
        """
        lib, room = self._lib, self._room
        # pyOpenSSL's send also asks how it went, and each call gives up Python's lock.
        if lib.SSL_write(self._tls._ssl, room.plain, size) != size:
            self._tls.send(room.piece[:size])  # fails again, and says why
        sealed = lib.BIO_read(self._sent, room.sealed, _SEALED)
        return room.records[: max(sealed, 0)]

    def end(self, descriptor: int) -> None:
        """Lay the connection on a socket again. What was sealed has to go there first.

        Args:
            descriptor: The socket's.

        Raises:
            MemoryError: There is none.
        """
        back_on_socket(self._tls, descriptor)


def back_on_socket(tls: Any, descriptor: int) -> None:
    """See Sealer.end; for a connection whose sealer is gone."""
    lib: Any = Binding.lib
    if not lib.SSL_set_fd(tls._ssl, descriptor):
        raise MemoryError
