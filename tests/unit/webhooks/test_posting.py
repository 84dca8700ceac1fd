"""Tests of txregistry.webhooks.posting: what is sent, and what an answer may be."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed, ResponseNeverReceived

from tests.unit.oci.generated import generated
from tests.unit.webhooks.doubles import (
    URL,
    Receiver,
    Reply,
    Response,
)
from tests.unit.webhooks.doubles import (
    Answer as Said,
)
from txregistry.webhooks.posting import Answer, Poster, PostFailed

BODY = b'{"events":[]}'
TYPE = {"Content-Type": "application/json"}


class PostingCase(SynchronousTestCase):
    """Somebody who is posted to."""

    def setUp(self) -> None:
        """Make the time."""
        self.clock = Clock()

    def post(
        self, *answers: Said, url: str = URL, poster: Poster | None = None
    ) -> Deferred[Answer]:
        """Post to somebody who gives these answers."""
        self.receiver = Receiver(*answers)
        poster = poster or self.receiver.poster(self.clock, url)
        return Deferred.fromCoroutine(poster.post(BODY, TYPE))

    def answer(self, *answers: Said) -> Answer:
        """Post to somebody who answers at once; return what came of it."""
        return self.successResultOf(self.post(*answers))

    def problem(self, posting: Deferred[Answer]) -> str:
        """Return why a post has failed."""
        return str(self.failureResultOf(posting, PostFailed).value)


class SentTests(PostingCase):
    """What is sent."""

    def test_sent(self) -> None:
        """The body is posted as it is, with what the message says of it."""
        self.answer(Reply())
        (post,) = self.receiver.posts
        self.assertEqual((URL, BODY), (post.url, post.body))
        self.assertEqual("application/json", post.header("content-type"))

    def test_urls(self) -> None:
        """It is posted to the URL as it is, whatever its host is."""
        for url in (
            "http://[::1]:8080/in",
            "https://[2001:db8::1]/",
            "http://192.0.2.1/x%2Fy/../z?a=b%20c&d=%zz+;x",
            "http://under_score.example",
            "http://xn--bcher-kva.example:81/?x",
        ):
            self.assertEqual(Answer(200), self.successResultOf(self.post(url=url)))
            self.assertEqual(url, self.receiver.posts[0].url)

    def test_configured(self) -> None:
        """Configured headers go with each request, with all their values."""
        receiver = Receiver()
        headers = {"X-One": ["1", "2"], "Authorization": ["Basic x"]}
        poster = receiver.poster(self.clock, headers=headers)
        for _ in range(2):
            self.successResultOf(Deferred.fromCoroutine(poster.post(BODY, TYPE)))
        for post in receiver.posts:
            self.assertEqual(["1", "2"], post.headers.getRawHeaders("x-one"))
            self.assertEqual("Basic x", post.header("authorization"))

    def test_message_wins(self) -> None:
        """What the message says of itself nobody can say otherwise."""
        receiver = Receiver()
        headers = {"content-type": ["text/plain", "text/html"]}
        poster = receiver.poster(self.clock, headers=headers)
        self.successResultOf(Deferred.fromCoroutine(poster.post(BODY, TYPE)))
        self.assertEqual("application/json", receiver.posts[0].header("content-type"))

    def test_one_message(self) -> None:
        """A message's own headers are not sent with the next one."""
        receiver = Receiver()
        poster = receiver.poster(self.clock)
        for headers in ({"webhook-id": "1"}, {}):
            self.successResultOf(Deferred.fromCoroutine(poster.post(BODY, headers)))
        self.assertFalse(receiver.posts[1].headers.hasHeader("webhook-id"))

    def test_encoding(self) -> None:
        """Headers are UTF-8, and nothing in them begins another one."""
        receiver = Receiver()
        poster = receiver.poster(self.clock, headers={"X-Name": ["Zoë"]})
        headers = {"X-Other": "é\r\nX-Evil: 1"}
        self.successResultOf(Deferred.fromCoroutine(poster.post(BODY, headers)))
        (post,) = receiver.posts
        self.assertEqual("Zoë", post.header("x-name"))
        self.assertEqual("é X-Evil: 1", post.header("x-other"))
        self.assertFalse(post.headers.hasHeader("x-evil"))


class AnswerTests(PostingCase):
    """What is answered."""

    def test_status(self) -> None:
        """An answer is its status, whichever it is."""
        for status in (200, 202, 204, 301, 302, 400, 429, 500, 599):
            self.assertEqual(Answer(status), self.answer(Reply(status)))

    def test_body(self) -> None:
        """Its body is read, so that the connection can be used again."""
        response = Response(Reply(chunks=[b"x" * 60_000]))
        answering: Deferred[Response] = Deferred()
        posting = self.post(answering)
        answering.callback(response)
        self.assertEqual(Answer(200), self.successResultOf(posting))
        self.assertEqual("producing", response.transport.producerState)

    def test_body_too_long(self) -> None:
        """A body that is too long is cut; what was answered counts."""
        response = Response(Reply(500, chunks=[b"x" * 10_000] * 10, end=None))
        answering: Deferred[Response] = Deferred()
        posting = self.post(answering)
        answering.callback(response)
        self.assertEqual(Answer(500), self.successResultOf(posting))
        self.assertEqual("stopped", response.transport.producerState)

    def test_body_endless(self) -> None:
        """A body that does not end is cut when the time is over; the answer counts."""
        response = Response(Reply(chunks=[b"x"], end=None))
        answering: Deferred[Response] = Deferred()
        posting = self.post(answering)
        answering.callback(response)
        self.clock.advance(9.9)
        self.assertNoResult(posting)
        self.clock.advance(0.1)
        self.assertEqual(Answer(200), self.successResultOf(posting))
        self.assertEqual("stopped", response.transport.producerState)

    def test_body_broken(self) -> None:
        """A body that breaks off midway is no failure."""
        for error in (
            ConnectionLost(),
            ResponseFailed([Failure(ConnectionLost())]),
        ):
            answer = self.answer(Reply(202, chunks=[b"x"], end=error))
            self.assertEqual(Answer(202), answer)

    def test_no_time_left(self) -> None:
        """When it is answered nothing is left that would happen later."""
        self.answer(Reply())
        self.assertEqual([], self.clock.getDelayedCalls())


class RetryAfterTests(PostingCase):
    """What an answer says of when to come again."""

    def retry_after(self, text: str | bytes) -> float | None:
        """Return in how many seconds an answer is understood to say."""
        response = Response(Reply(503))
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        response.headers.setRawHeaders(b"retry-after", [raw])
        answering: Deferred[Response] = Deferred()
        posting = self.post(answering)
        answering.callback(response)
        answer = self.successResultOf(posting)
        self.assertEqual(503, answer.status)
        return answer.retry_after

    def test_seconds(self) -> None:
        """It may be seconds."""
        for text, seconds in (("120", 120.0), (" 0 ", 0.0), ("9" * 30, 999999999.0)):
            self.assertEqual(seconds, self.retry_after(text))

    def test_date(self) -> None:
        """It may be a date, in any of the three forms of HTTP."""
        self.clock.advance(datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC).timestamp())
        for text in (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ):
            self.assertEqual(30.0, self.retry_after(text), text)

    def test_past(self) -> None:
        """A date that is over means at once."""
        self.clock.advance(2e9)
        self.assertEqual(0.0, self.retry_after("Sun, 06 Nov 1994 08:49:37 GMT"))

    def test_nothing(self) -> None:
        """Anything else says nothing."""
        for text in ("", "soon", "-1", "1.5", "٣", "Sun, 99 Nov 1994 08:49:37 GMT"):
            self.assertIsNone(self.retry_after(text), text)

    def test_hostile(self) -> None:
        """What cannot be read does not spoil the answer."""
        for text in (
            b"\xff",
            b"Sun, 06 Nov 1994 08:49:37 +999999999999999",
            b"Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        ):
            self.assertIsNone(self.retry_after(text), text)

    @generated
    @given(st.binary(max_size=30) | st.text("SunNov 0123456789:+-,GMT", max_size=40))
    def test_any(self, text: str | bytes) -> None:
        """Whatever it says it is some time from now, or nothing."""
        seconds = self.retry_after(text)
        self.assertTrue(seconds is None or seconds >= 0.0)

    @generated
    @given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)))
    def test_any_date(self, moment: datetime) -> None:
        """Every date in the usual form is understood."""
        text = format_datetime(moment.replace(tzinfo=UTC), usegmt=True)
        expected = moment.replace(tzinfo=UTC, microsecond=0).timestamp()
        self.assertEqual(expected, self.retry_after(text))


class FailureTests(PostingCase):
    """When there is no answer."""

    def test_timeout(self) -> None:
        """Who does not answer in time is not waited for."""
        answering: Deferred[Response] = Deferred()
        posting = self.post(answering)
        self.clock.advance(9.9)
        self.assertNoResult(posting)
        self.clock.advance(0.1)
        self.assertEqual("no answer in 10 s", self.problem(posting))
        self.assertTrue(answering.called)

    def test_transport(self) -> None:
        """A failure of the transport is said in one line."""
        for error, problem in (
            (
                ConnectionRefusedError(111, "Connection refused"),
                "Connection was refused by other side: 111: Connection refused.",
            ),
            (ValueError("one\n\ttwo\r\nthree"), "one two three"),
            (ValueError(), "ValueError"),
            (ValueError("x" * 1000), "x" * 200),
        ):
            self.assertEqual(problem, self.problem(self.post(error)))

    def test_reasons(self) -> None:
        """A failure inside Twisted's client is said by its first reason."""
        reason = Failure(ValueError("the\nreason"))
        other = Failure(ConnectionLost())
        for error, problem in (
            (ResponseNeverReceived([reason, other]), "the reason"),
            (ResponseFailed([reason]), "the reason"),
        ):
            text = self.problem(self.post(error))
            self.assertTrue(text.startswith(problem), text)
            self.assertEqual(1, len(text.splitlines()))

    def test_cancelled(self) -> None:
        """Who waits no longer gives the request up."""
        answering: Deferred[Response] = Deferred()
        posting = self.post(answering)
        posting.cancel()
        self.failureResultOf(posting, CancelledError)
        self.assertTrue(answering.called)
        self.assertEqual([], self.clock.getDelayedCalls())
