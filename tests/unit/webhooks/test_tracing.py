"""Tests of what a tracer is told of messages, and of what waits with the events."""

from __future__ import annotations

import json

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from tests.unit.tracing_doubles import PostSpan, Tracer
from tests.unit.webhooks.case import DeliveryCase
from tests.unit.webhooks.doubles import URL, Reply, entry, event
from txregistry.webhooks.sink import QueueSink

TRACE = {"traceparent": "of a request", "tracestate": "a=b"}


class TracingTests(DeliveryCase):
    """A message has a span, which its receiver goes on with."""

    def setUp(self) -> None:
        """Make somebody who is told, and traced."""
        super().setUp()
        self.tracer = Tracer()
        self.use(tracer=self.tracer)

    def span(self) -> PostSpan:
        """Return the only span."""
        (span,) = self.tracer.posts
        return span

    def deliver(self, *traces: str) -> None:
        """Deliver events that come from requests with these traces."""
        entries = [
            evolve(entry(str(index)), trace=trace) for index, trace in enumerate(traces)
        ]
        self.successResultOf(self.queue.append(entries))
        self.deliverer.start()

    def test_span(self) -> None:
        """A span has the receiver's name and address, and ends with its answer."""
        self.deliver("")
        self.assertEqual(
            PostSpan("hook", "hooks.example", 1, [], [(200, "")]), self.span()
        )

    def test_header(self) -> None:
        """The receiver gets the span's headers."""
        self.deliver("")
        (post,) = self.receiver.posts
        self.assertEqual("of hook", post.header("traceparent"))

    def test_causes(self) -> None:
        """A span knows the requests that its events come from."""
        self.use(tracer=self.tracer, batch=3)
        self.deliver(json.dumps(TRACE), "", json.dumps({"traceparent": "2"}))
        span = self.span()
        self.assertEqual((3, [TRACE, {"traceparent": "2"}]), (span.count, span.causes))

    def test_refused(self) -> None:
        """A span ends with the status by which events are refused."""
        self.answer(Reply(503))
        self.deliver("")
        self.assertEqual([(503, "")], self.span().ends)

    def test_no_answer(self) -> None:
        """A span ends with why there is no answer."""
        self.answer(ConnectionRefusedError())
        self.deliver("")
        ((status, problem),) = self.span().ends
        self.assertIsNone(status)
        self.assertIn("refused", problem)

    def test_stopping(self) -> None:
        """A message that is given up when the registry stops ends its span."""
        self.answer(Deferred())
        self.deliver("")
        self.assertEqual([], self.span().ends)
        self.stop()
        self.assertEqual([(None, "given up")], self.span().ends)

    def test_untraced(self) -> None:
        """Nothing is sent of a trace that waits with an event if we do not trace."""
        self.use()
        self.deliver(json.dumps(TRACE))
        (post,) = self.receiver.posts
        self.assertFalse(post.headers.hasHeader("traceparent"))

    def test_credentials(self) -> None:
        """A receiver's address holds nothing of the credentials in its URL."""
        url = URL.replace("hooks", "user:secret@hooks").replace("/in", ":1234/in")
        poster = self.receiver.poster(self.clock, url)
        self.assertEqual("hooks.example:1234", poster.address)

    def test_waiting(self) -> None:
        """A request's trace waits with its event, and the event does not show it."""
        endpoint = self.deliverer.endpoint
        sink = QueueSink([endpoint], self.queue, lambda _: None)
        traced, untraced = event(event_id="1", trace=TRACE), event(event_id="2")
        self.successResultOf(sink.deliver([traced, untraced]))
        first, second = self.waiting()
        self.assertEqual(TRACE, json.loads(first.trace))
        self.assertEqual("", second.trace)
        shown, bare = json.loads(first.body), json.loads(second.body)
        self.assertEqual({**bare, "id": "1"}, shown)
