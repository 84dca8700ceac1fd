"""Tests of txregistry.webhooks.posting: receivers that send us elsewhere."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from tests.unit.webhooks.doubles import URL, Reply, Response
from tests.unit.webhooks.test_posting import BODY, PostingCase
from txregistry.webhooks.posting import Answer


def elsewhere(location: str, status: int = 308) -> Reply:
    """Return an answer that sends us elsewhere."""
    return Reply(status, {"Location": location})


class RedirectTests(PostingCase):
    """Redirects."""

    def urls(self) -> list[str]:
        """Return where was posted to."""
        return [post.url for post in self.receiver.posts]

    def test_followed(self) -> None:
        """On the same host 307 and 308 are followed, with all that was sent."""
        for status in (307, 308):
            answer = self.answer(elsewhere("/other?x=1", status), Reply(202))
            self.assertEqual(Answer(202), answer)
            first, second = self.receiver.posts
            self.assertEqual("https://hooks.example/other?x=1", second.url)
            self.assertEqual((BODY, first.headers), (second.body, second.headers))

    def test_same_origin(self) -> None:
        """The same host is the same scheme, name and port, however it is written."""
        for location in (
            "https://hooks.example/b",
            "https://HOOKS.example:443/b",
            "//hooks.example/b",
            "b",
        ):
            self.assertEqual(Answer(200), self.answer(elsewhere(location)))
            self.assertEqual(2, len(self.receiver.posts))

    def test_not_ascii(self) -> None:
        """Where we are sent is a URL, even if it is not written as one."""
        response = Response(elsewhere("/b"))
        response.headers.setRawHeaders("location", ["/é /%zz?ö=1".encode()])
        answering: Deferred[Response] = Deferred()
        posting = self.post(answering)
        answering.callback(response)
        self.assertEqual(Answer(200), self.successResultOf(posting))
        self.assertEqual("https://hooks.example/%C3%A9%20/%zz?%C3%B6=1", self.urls()[1])

    def test_other_host(self) -> None:
        """Nothing is sent to another host, which may be one inside our network."""
        for location in (
            "https://other.example/in",
            "http://hooks.example/in",
            "https://hooks.example:444/in",
            "//169.254.169.254/latest",
            "ftp://hooks.example/in",
        ):
            answer = self.answer(elsewhere(location, 307))
            expected = Answer(307, problem="redirects to another host")
            self.assertEqual(expected, answer)
            self.assertEqual([URL], self.urls())

    def test_others(self) -> None:
        """Other redirects are answers: a GET would lose what was sent."""
        for status in (300, 301, 302, 303, 304):
            self.assertEqual(Answer(status), self.answer(elsewhere("/b", status)))
            self.assertEqual([URL], self.urls())

    def test_nowhere(self) -> None:
        """A redirect to nowhere is an answer."""
        self.assertEqual(Answer(307), self.answer(Reply(307)))

    def test_broken(self) -> None:
        """A redirect to what is no URL is a failure."""
        for location in ("https://[::1/", "https://hooks.example:x/"):
            problem = self.problem(self.post(elsewhere(location)))
            self.assertEqual(1, len(problem.splitlines()))

    def test_for_ever(self) -> None:
        """A redirect is followed five times, and not for ever."""
        answer = self.answer(*[elsewhere("/b")] * 5, Reply(201))
        self.assertEqual(Answer(201), answer)
        answer = self.answer(*[elsewhere("/b")] * 6)
        self.assertEqual(Answer(308, problem="redirects for ever"), answer)
        self.assertEqual(6, len(self.receiver.posts))

    def test_timeout(self) -> None:
        """The time is for all of it."""
        slow: list[Deferred[Response]] = [Deferred(), Deferred()]
        posting = self.post(*slow)
        self.clock.advance(6.0)
        slow[0].callback(Response(elsewhere("/b")))
        self.clock.advance(3.9)
        self.assertNoResult(posting)
        self.clock.advance(0.1)
        self.assertEqual("no answer in 10 s", self.problem(posting))

    def test_endless(self) -> None:
        """Who sends us elsewhere without an end is not followed after that time."""
        posting = self.post(Reply(307, {"Location": "/b"}, end=None))
        self.clock.advance(10.0)
        self.assertEqual("no answer in 10 s", self.problem(posting))
        self.assertEqual([URL], self.urls())

    def test_cancelled(self) -> None:
        """Nor is it when nobody waits any more."""
        posting = self.post(Reply(307, {"Location": "/b"}, end=None))
        posting.cancel()
        self.failureResultOf(posting, CancelledError)
        self.assertEqual([URL], self.urls())
