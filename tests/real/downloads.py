"""Downloads: a client that reads as slowly as a test wants."""

from __future__ import annotations

import socket
from types import TracebackType


class SlowDownload:
    """A GET whose answer waits to be read, with little room on its way."""

    def __init__(self, port: int, target: str) -> None:
        """Send the request.

        Args:
            port: A port of 127.0.0.1.
            target: The path asked for.
        """
        self._socket = socket.socket()
        self._socket.settimeout(30)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", port))
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
        self._socket.sendall(head.encode())
        self._received = b""

    def __enter__(self) -> SlowDownload:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._socket.close()

    def read_head(self) -> bytes:
        """Read up to the end of the answer's headers, and return them."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return head

    def read_body(self, size: int) -> bytes:
        """Read a body of so many bytes, as fast as it comes."""
        pieces = [self._received]
        missing = size - len(self._received)
        while missing > 0:
            piece = self._socket.recv(min(missing, 1024 * 1024))
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _receive(self) -> None:
        piece = self._socket.recv(1024)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._received += piece
