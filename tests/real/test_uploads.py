"""Tests of uploads that are broken off and go on, by plain requests."""

from __future__ import annotations

import os
import socket
import time

from tests.real.case import RealTestCase
from tests.real.images import MIB, digest_of
from tests.real.wire import Answer, Wire, connected, location_of

_SECONDS = 20
"""For so long a server may take to see that a client has gone."""


class UploadTests(RealTestCase):
    """An upload goes on from the offset that the status request reports."""

    def setUp(self) -> None:
        """Start a registry, and make a blob."""
        self.under_test = self.registry()
        self.content = os.urandom(64 * MIB)
        self.digest = digest_of(self.content)
        self.half = len(self.content) // 2

    def test_after_kill(self) -> None:
        """It goes on after kill -9 and a restart, from where the last PATCH ended."""
        with connected(self.under_test.port) as wire:
            location = wire.begin_upload("app")
            location = self.send(wire, location, 0, self.half)
        self.under_test.daemon.kill()
        self.under_test.start()
        with connected(self.under_test.port) as wire:
            offset, location = self.status(wire, location)
            self.assertEqual(self.half, offset)
            self.finish(wire, location, offset)

    def test_killed_midway(self) -> None:
        """It goes on after kill -9 in the middle of a PATCH."""
        with connected(self.under_test.port) as wire:
            location = wire.begin_upload("app")
        with self.half_a_patch(location):
            self.under_test.daemon.kill()
        self.under_test.start()
        self.resume(location)

    def test_cut_midway(self) -> None:
        """It goes on after the client's connection broke in the middle of a PATCH."""
        with connected(self.under_test.port) as wire:
            location = wire.begin_upload("app")
        self.half_a_patch(location).close()
        self.resume(location)

    def test_two_processes(self) -> None:
        """Two processes on one folder take the pieces of one upload in turn."""
        other = self.registry(self.under_test.tree)
        with connected(self.under_test.port) as first, connected(other.port) as second:
            location = first.begin_upload("app")
            step = len(self.content) // 5
            for number, wire in enumerate((second, first, second, first)):
                start = number * step
                location = self.send(wire, location, start, start + step)
                offset, location = self.status(wire, location)
                self.assertEqual(start + step, offset)
            self.finish(second, location, 4 * step)
            self.assertEqual(self.content, first.pull_blob("app", self.digest))

    def test_killed_process_and_another(self) -> None:
        """Another process on the folder goes on where a killed one broke off."""
        other = self.registry(self.under_test.tree)
        with connected(self.under_test.port) as wire:
            location = wire.begin_upload("app")
        with self.half_a_patch(location):
            self.under_test.daemon.kill()
        self.resume(location, other.port)

    def send(self, wire: Wire, location: str, start: int, end: int) -> str:
        """Send a piece of the blob, and return the next location."""
        return location_of(self.try_send(wire, location, start, end, 202), location)

    def try_send(
        self, wire: Wire, location: str, start: int, end: int, expect: int | None
    ) -> Answer:
        """Send a piece of the blob; for ``expect`` see Wire.ask."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{start}-{end - 1}",
        }
        piece = self.content[start:end]
        return wire.ask("PATCH", location, piece, headers, expect)

    def status(self, wire: Wire, location: str) -> tuple[int, str]:
        """Ask for the offset, in bytes, and the next location."""
        answer = wire.ask("GET", location, expect=204)
        first, _, last = answer.headers["range"].partition("-")
        self.assertEqual("0", first)
        return int(last) + 1, location_of(answer, location)

    def half_a_patch(self, location: str) -> socket.socket:
        """Send the headers of a PATCH of all, and the first half of its body."""
        sender = socket.create_connection(("127.0.0.1", self.under_test.port), 30)
        head = (
            f"PATCH {location} HTTP/1.1\r\n"
            f"Host: {self.under_test.address}\r\n"
            "Content-Type: application/octet-stream\r\n"
            f"Content-Length: {len(self.content)}\r\n\r\n"
        )
        sender.sendall(head.encode() + self.content[: self.half])
        return sender

    def resume(self, location: str, port: int | None = None) -> None:
        """Go on from what the status request says, as clients do."""
        with connected(port or self.under_test.port) as wire:
            end = time.monotonic() + _SECONDS
            while True:
                offset, location = self.status(wire, location)
                answer = self.try_send(
                    wire, location, offset, len(self.content), expect=None
                )
                if answer.status == 202 or time.monotonic() > end:
                    break
                time.sleep(0.1)
            self.assertEqual(202, answer.status, answer.body)
            # What the kernel holds for a socket is lost, the rest is not.
            self.assertGreater(offset, self.half // 2)
            self.assertLessEqual(offset, self.half)
            self.finish(wire, location_of(answer, location), len(self.content))

    def finish(self, wire: Wire, location: str, offset: int) -> None:
        """Send the rest and close the upload: the blob has to be whole."""
        if offset < len(self.content):
            location = self.send(wire, location, offset, len(self.content))
        wire.end_upload(location, self.digest)
        self.assertEqual(self.content, wire.pull_blob("app", self.digest))
