"""Tests of txregistry.web.headerblock."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.headerblock import LONGEST, Asked

PLAIN = b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n"


class ParseTests(SynchronousTestCase):
    """What is read, and what is left to others."""

    def parse(self, *lines: bytes, first: bytes = b"GET /v2/ HTTP/1.1") -> Asked | None:
        """Read a request with these headers, and a host."""
        block = b"\r\n".join([first, b"Host: a:5000", *lines, b"", b""])
        return Asked.parse(block, 20)

    def test_all(self) -> None:
        """All that is noted is noted, without the space around it."""
        asked = self.parse(
            b"ACCEPT: one",
            b"User-Agent:\t docker  ",
            b"Authorization: Basic x",
            b"Referer: http://b",
            b"X-Request-Id: 1-2",
            b"X-Forwarded-For: 1.2.3.4, 5.6.7.8",
            b"X-Forwarded-Proto: https",
            b"accept:two",
            b"Connection: Keep-Alive",
        )
        expected = Asked(
            (b"GET", b"/v2/", b"one", b"two"),
            "Basic x",
            "docker",
            "http://b",
            "1-2",
            "1.2.3.4, 5.6.7.8",
            {
                "host": "a:5000",
                "user-agent": "docker",
                "referer": "http://b",
                "x-request-id": "1-2",
                "x-forwarded-for": "1.2.3.4, 5.6.7.8",
                "x-forwarded-proto": "https",
                "connection": "Keep-Alive",
            },
        )
        self.assertEqual(expected, asked)

    def test_head(self) -> None:
        """HEAD is another request than GET."""
        asked = self.parse(first=b"HEAD /v2/?a=b HTTP/1.1")
        assert asked is not None
        self.assertEqual((b"HEAD", b"/v2/?a=b"), asked.key)

    def test_unusual_line(self) -> None:
        """Other methods, versions and targets are left to others."""
        for first in (
            b"PUT /v2/ HTTP/1.1",
            b"get /v2/ HTTP/1.1",
            b"GET /v2/ HTTP/1.0",
            b"GET  /v2/ HTTP/1.1",
            b"GET /v2 / HTTP/1.1",
            b"GET http://a/v2/ HTTP/1.1",
            b"GET * HTTP/1.1",
            b"GET /\xe4 HTTP/1.1",
            b"",
        ):
            self.assertIsNone(self.parse(first=first), first)

    def test_unusual_header(self) -> None:
        """Headers that change something, or could, are left to others."""
        for line in (
            *(b"Range: bytes=0-1", b"If-None-Match: *", b"Expect: 100-continue"),
            *(b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Origin: http://b"),
            *(b"Connection: close", b"Connection: upgrade", b"Upgrade: h2c"),
            *(b"X-Odd: 1", b"Cookie: a=b", b"If-Match: x", b"TE: trailers"),
            *(b"Host: b", b"no colon", b" folded", b"Accept : x", b": x", b""),
            *(b"User-Agent: \x80", b"User-Agent: \x00", b"X-Request-Id: a b"),
            *(b"X-Request-Id:", b"Accept: a\nb", b"Accept: a\rb"),
        ):
            self.assertIsNone(self.parse(line), line)

    def test_twice(self) -> None:
        """What must be there once is not chosen from."""
        for line in (b"User-Agent: a", b"Authorization: Basic a", b"Referer: a"):
            self.assertIsNotNone(self.parse(line))
            self.assertIsNone(self.parse(line, line), line)

    def test_host(self) -> None:
        """A host has to be there, and to be one."""
        for host in (b"", b"Host:\r\n", b"Host: a b\r\n", b"Host: a,b\r\n"):
            block = b"GET / HTTP/1.1\r\n" + host + b"\r\n"
            self.assertIsNone(Asked.parse(block, 20), host)

    def test_not_whole(self) -> None:
        """A block that is cut, or has something behind it, is left to others."""
        self.assertIsNotNone(Asked.parse(PLAIN, 20))
        for block in (PLAIN[:-1], PLAIN + b"x", PLAIN + PLAIN, b"\r\n" + PLAIN, b""):
            self.assertIsNone(Asked.parse(block, 20), block)

    def test_bounds(self) -> None:
        """Too many headers, or too long ones, are left to others."""
        self.assertIsNone(Asked.parse(PLAIN, 0))
        self.assertIsNone(self.parse(b"User-Agent: " + b"x" * LONGEST))
