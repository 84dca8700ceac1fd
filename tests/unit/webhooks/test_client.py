"""Tests of txregistry.webhooks.client: what is asked for, and taken of an answer."""

from __future__ import annotations

import gzip
import zlib

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.webhooks.doubles import Receiver, Reply
from txregistry.webhooks.client import make_client
from txregistry.webhooks.posting import Answer, Poster

HEADERS = {"Content-Type": "application/json"}


class ClientTests(SynchronousTestCase):
    """The client."""

    def posts(self, *replies: Reply, url: str = "http://hooks.example/") -> list[str]:
        """Post once for each reply; return the names of the headers sent."""
        clock = Clock()
        self.receiver = Receiver(*replies)
        client = make_client(self.receiver, clock)
        poster = Poster(client, url, {}, 10.0, clock)
        for reply in replies:
            posting = Deferred.fromCoroutine(poster.post(b"{}", HEADERS))
            clock.advance(0)
            self.assertEqual(Answer(reply.status), self.successResultOf(posting))
        return [
            name.decode().lower()
            for post in self.receiver.posts
            for name, _ in post.headers.getAllRawHeaders()
        ]

    def test_plain(self) -> None:
        """Nothing packed is asked for."""
        self.assertEqual(["content-type"], self.posts(Reply()))

    def test_packed(self) -> None:
        """What is packed all the same is not unpacked: its size as it is counts."""
        packed = gzip.compress(gzip.compress(bytes(1024)))
        reply = Reply(500, {"Content-Encoding": "gzip,gzip"}, [packed])
        unpacking: list[object] = []
        self.patch(zlib, "decompressobj", unpacking.append)
        self.posts(reply)
        self.assertEqual([], unpacking)

    def test_cookies(self) -> None:
        """A receiver's cookies are not kept, nor sent to it."""
        for url in ("http://hooks.example/", "http://127.0.0.1/", "http://localhost/"):
            names = self.posts(
                Reply(204, {"Set-Cookie": "a=b; Path=/"}),
                Reply(204, {"Set-Cookie2": 'a="b"; Version=1; Path="/"'}),
                Reply(),
                url=url,
            )
            self.assertNotIn("cookie", names)
