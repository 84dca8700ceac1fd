"""Receiving: a program that takes messages, notes them, and answers as it is told.

It is run by its path, so it imports nothing of ours. How it answers stands in the query
of the URL that is posted to:

============== =====================================================================
``do``         ``answer`` (the default), ``hang`` until the client leaves, ``cut`` the
               line within the answer's body, ``cut-head`` within its head, ``flood``
               with a body of ``size`` bytes, ``flood-head`` with as many of headers
``status``     the answer's status; 204
``times``      do so with so many messages only, then take the others with 204
``retry-after``, ``location``  headers of the answer
============== =====================================================================

What comes is noted before it is answered: a line of JSON for each message, and a second
one when a flood has ended.
"""

from __future__ import annotations

import argparse
import base64
import json
import ssl
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_PATIENCE = 60.0  # seconds, for a client that is made to wait to leave
_PIECE = bytes(64 * 1024)
_HEADERS = b"X-Flood: and then the water came\r\n" * 2000


class Notes:
    """The file that messages are noted in."""

    def __init__(self, path: str) -> None:
        """Open it; what is there stays."""
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - as long as we run
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()

    def add(self, target: str, note: dict[str, Any]) -> int:
        """Note something about a target; say how many things there are about it."""
        line = json.dumps({"target": target, "at": time.time(), **note}) + "\n"
        with self._lock:
            self._file.write(line.encode())
            self._seen[target] += 1
            return self._seen[target]


class Handler(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    disable_nagle_algorithm = True
    notes: Notes

    def do_GET(self) -> None:
        """Take what a client makes of a POST when it is sent elsewhere."""
        self._take()

    def do_POST(self) -> None:
        """Take a message."""
        self._take()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: what there is to know is noted."""

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        count = self.notes.add(
            self.path,
            {
                "method": self.command,
                "headers": [[name.lower(), value] for name, value in self._pairs()],
                "body": base64.b64encode(body).decode(),
            },
        )
        orders = dict(parse_qsl(urlsplit(self.path).query))
        if count > int(orders.get("times", 1 << 60)):
            orders = {}
        if orders.get("do") == "hang":
            self._wait_for_end()
            return
        if orders.get("do") == "cut-head":
            self._cut(b"HTTP/1.1 2")
            return
        self.send_response(int(orders.get("status", 204)))
        for name in ("retry-after", "location"):
            if name in orders:
                self.send_header(name, orders[name])
        self._send_body(orders)

    def _pairs(self) -> list[tuple[str, str]]:
        return [(str(name), str(value)) for name, value in self.headers.items()]

    def _send_body(self, orders: dict[str, str]) -> None:
        if orders.get("do") == "flood":
            self.send_header("Content-Length", orders["size"])
            self.end_headers()
            self._flood(int(orders["size"]), _PIECE)
        elif orders.get("do") == "flood-head":
            self.flush_headers()
            self._flood(int(orders["size"]), _HEADERS)
        elif orders.get("do") == "cut":
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self._cut(b"not a thousand bytes")
        else:
            if orders.get("status") not in (None, "204"):
                self.send_header("Content-Length", "0")
            self.end_headers()

    def _flood(self, size: int, piece: bytes) -> None:
        self.close_connection = True
        sent = 0
        with suppress(OSError):
            while sent < size:
                self.wfile.write(piece)
                sent += len(piece)
        self.notes.add(self.path, {"flooded": sent})

    def _wait_for_end(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.rfile.read(1)

    def _cut(self, content: bytes) -> None:
        self.close_connection = True
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """The server, with TLS where it has a certificate."""

    daemon_threads = True
    request_queue_size = 128
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[Any, Any]:
        """See ThreadingHTTPServer. The client's thread does the handshake."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave, or do not trust us."""


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("notes")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    given = parser.parse_args()
    Handler.notes = Notes(given.notes)
    server = Server(("127.0.0.1", given.port), Handler)
    if given.certificate:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(given.certificate, given.key)
    server.serve_forever()


if __name__ == "__main__":
    main()
