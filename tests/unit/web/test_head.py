"""Tests of txregistry.web.head: what is read at one go, and that it is read rightly."""

from __future__ import annotations

import os
import re
from random import Random
from typing import Final

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.fast_case import NAME, Watcher
from tests.unit.web.test_fastpath_differential import ODDITIES, VERSIONS
from txregistry.oci.digest import Digest
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.head import Head, RequestHeaders
from txregistry.web.limits import Limits

LIMITS: Final = Limits(header_size=200, header_count=3)
BODY: Final = b"a blob"

# An upload session's id, and its state.
_SESSION: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}(\?_state=[A-Za-z0-9%_-]+)?")

# How many requests are drawn; give another number to look more closely.
REQUESTS: Final = int(os.environ.get("TXREGISTRY_TEST_HEADS", "2000"))


class ReadTests(SynchronousTestCase):
    """What is read, and what is left to others."""

    def test_whole(self) -> None:
        """A plain header is read; what is behind it does not matter."""
        block = b"PUT /?a=%20 HTTP/1.1\r\nHost: a:5000\r\nEmpty:\r\nX-a:\t b c \r\n\r\n"
        expected = Head(
            b"PUT",
            b"/?a=%20",
            RequestHeaders({"host": ["a:5000"], "empty": [""], "x-a": ["b c"]}),
            0,
            len(block),
        )
        for behind in (b"", b"\r\n\r\n", b"GET / HTTP/1.1\r\n \r\n\r\n"):
            self.assertEqual(expected, Head.read(block + behind, LIMITS))

    def test_length(self) -> None:
        """The body's length is that of its header."""
        block = b"PUT / HTTP/1.1\r\nHost: a\r\nCONTENT-length: 012\r\n\r\n"
        head = Head.read(block, LIMITS)
        assert head is not None
        self.assertEqual(12, head.length)

    def test_left(self) -> None:
        """What is not whole, not plain, or too much is not read."""
        for first in (
            b"put / HTTP/1.1",
            b"PUT / HTTP/1.0",
            b"PUT  / HTTP/1.1",
            b"PUT a HTTP/1.1",
            b"PUT http://a/ HTTP/1.1",
            b"PUT /\xe4 HTTP/1.1",
            b"PUT / HTTP/1.1\n",
            b"\r\nPUT / HTTP/1.1",
            b"",
        ):
            self.assertIsNone(Head.read(first + b"\r\nHost: a\r\n\r\n", LIMITS), first)
        for lines in (
            b"Host : a",
            b": a",
            b"no colon",
            b"a: b\r\n c: d",
            b"a: \x00",
            b"a: b\rc",
            b"a: b\nc: d",
            b"a: \xe4",
            b"a: b\r\nA: c",
            b"Content-Length: -1",
            b"Content-Length: 1, 1",
            b"Content-Length:",
            b"Content-Length: 1234567890123456789",
            b"Transfer-Encoding: chunked",
            b"Expect: 100-continue",
            b"Connection: close",
            b"a: 1\r\nb: 2\r\nc: 3\r\nd: 4",
            b"a: " + b"b" * 200,
        ):
            block = b"PUT / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n"
            self.assertIsNone(Head.read(block, LIMITS), lines)
        for host in (b"Host: a b", b"Host:", b"X-Host: a"):
            block = b"PUT / HTTP/1.1\r\n" + host + b"\r\n\r\n"
            self.assertIsNone(Head.read(block, LIMITS), host)
        self.assertIsNone(Head.read(b"PUT / HTTP/1.1\r\nHost: a\r\n\r", LIMITS))


class DifferentialTests(SynchronousTestCase):
    """The same bytes at one go, and cut so that Twisted's parser gets them."""

    def test_requests(self) -> None:
        """Answers are the same, what is told of them, and what becomes of the line."""
        taken, whole, cut = 0, Side(), Side()
        for seed in range(REQUESTS):
            sent = drawn(Random(seed))
            taken += Head.read(sent, Limits()) is not None
            seen = whole.send(sent)
            self.assertEqual(cut.send(sent[:1], sent[1:]), seen, repr(sent))
        self.flushLoggedErrors()
        self.assertGreater(taken, REQUESTS / 4)


class Side:
    """A registry, and its clients."""

    def __init__(self) -> None:
        """Make it; there is a blob."""
        self._watcher = Watcher()
        self._registry = MemoryRegistry(clock=Clock(), watchers=[self._watcher])
        self._registry.push_blob(NAME, BODY)
        self._watcher.take()

    def send(self, *pieces: bytes) -> list[object]:
        """Send bytes on a new connection; return all that is seen of it."""
        wire, watcher = self._registry.connect(), self._watcher
        for piece in pieces:
            wire.send(piece)
        transport, channel = wire.transport, wire.channel
        # Of the body of one that is refused, more has come when it comes along.
        ended = watcher.ended_ones
        watcher.ended_ones = [evolve(each, received=0) for each in ended]
        answers = _SESSION.sub(b"", transport.value())
        calls = self._registry.clock.calls
        # Before it is closed, there may be a body to be read.
        is_over = transport.disconnecting or channel._linger is not None
        timers = None if is_over else sorted(call.getTime() for call in calls)
        seen = [answers, is_over, transport.producerState, watcher.take(), timers]
        wire.hang_up()
        watcher.take()
        return seen


def drawn(draw: Random) -> bytes:
    """Draw one request, or some."""
    digest = Digest.of(BODY)
    method, target = draw.choice(
        [
            ("GET", "/v2/"),
            ("HEAD", f"/v2/{NAME}/blobs/{digest}"),
            ("GET", f"/v2/{NAME}/manifests/none"),
            ("POST", f"/v2/{NAME}/blobs/uploads/"),
            ("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest}"),
            ("POST", f"/v2/{NAME}/blobs/uploads/?digest=sha256:{'0' * 64}"),
            ("PUT", f"/v2/{NAME}/manifests/latest"),
            ("PUT", "/v2/UPPER/manifests/latest"),
            ("DELETE", "/v2/\xe4"),
        ]
    )
    version = draw.choice(["HTTP/1.1"] * 20 + VERSIONS)
    body = b"" if method in ("GET", "HEAD") else BODY
    lines = [b"Host: registry.test", b"User-Agent: docker/27.0"]
    if body or draw.random() < 0.1:
        lines.append(b"Content-Length: %d" % len(body))
    for _ in range(draw.choice([0, 0, 1, 1, 2])):
        lines.insert(draw.randint(0, len(lines)), draw.choice(ODDITIES))
    first = f"{method} {target} {version}".encode("latin-1")
    request = b"\r\n".join([first, *lines, b"", body])
    behind = b"GET /v2/ HTTP/1.1\r\nHost: registry.test\r\n\r\n"
    return request + behind * draw.choice([0, 0, 1, 2])
