"""Tests of spans: their names, attributes, parents and links."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.unit.web.case import RegistryCase, head, read_all
from tests.unit.web.witness_case import SOURCE, AliceGate, Sink
from txregistry.interfaces import IStorageDriver, ITracer, StorageError
from txregistry.observe.entries import Entry, entry_of
from txregistry.observe.formats import JSONFormat, TextFormat
from txregistry.observe.tracing import Tracer
from txregistry.oci.digest import Digest
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.traced import TracedDriver
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.urls import Urls
from txregistry.web.witness import EventWitness

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
OTHER_TRACE_ID = "1" * 32
OTHER_PARENT = {"traceparent": f"00-{OTHER_TRACE_ID}-{'2' * 16}-01"}
CATALOG = "/v2/_catalog"


class SlowDriver(MemoryDriver):
    """A store in memory in which reading waits.

    Attributes:
        waiting: What fire to let one go on.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing."""
        super().__init__(clock)
        self.waiting: list[Deferred[None]] = []

    def get_content(self, path: str) -> Any:
        """See IStorageDriver."""
        gate: Deferred[None] = Deferred()
        self.waiting.append(gate)
        return gate.addCallback(lambda _: super(SlowDriver, self).get_content(path))


class BrokenDriver(MemoryDriver):
    """A store in memory that cannot list."""

    def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> Any:
        """See IStorageDriver."""
        raise StorageError("the disk is gone")


class Spans:
    """What a tracer made.

    Attributes:
        tracer: The tracer.
    """

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        """Make the tracer."""
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = Tracer(provider.get_tracer("test"))

    def ended(self) -> list[ReadableSpan]:
        """Return the spans that have ended, in that order."""
        return list(self._exporter.get_finished_spans())

    def of_requests(self) -> list[ReadableSpan]:
        """Return those of requests."""
        return [each for each in self.ended() if each.kind is SpanKind.SERVER]

    def of_store(self) -> list[ReadableSpan]:
        """Return those of what was done in the store."""
        return [each for each in self.ended() if each.kind is SpanKind.INTERNAL]


def trace_id(span: ReadableSpan) -> str:
    """Return the identifier of a span's trace."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    """Return a span's identifier."""
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent_id(span: ReadableSpan) -> str | None:
    """Return the identifier of a span's parent; None: it has none."""
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def told(span: ReadableSpan) -> Mapping[str, Any]:
    """Return a span's attributes."""
    return span.attributes or {}


class TracingCase(RegistryCase):
    """A registry that is traced."""

    def setUp(self) -> None:
        """Make it."""
        self.clock = Clock()
        self.use(MemoryDriver(self.clock))

    def use(
        self, driver: IStorageDriver, spans: Spans | None = None, **more: Any
    ) -> None:
        """Make another one."""
        self.spans = spans or Spans()
        tracer: ITracer = self.spans.tracer
        traced = TracedDriver(driver, self.spans.tracer.store)
        self.registry = MemoryRegistry(
            clock=self.clock, driver=traced, tracer=tracer, **more
        )

    def request_span(self) -> ReadableSpan:
        """Return the span of the only request."""
        (span,) = self.spans.of_requests()
        return span


class RequestTests(TracingCase):
    """The span of a request."""

    def test_name(self) -> None:
        """It is called by the method and the endpoint's path, not by what is asked."""
        self.ask("GET", "/v2/library/hello/manifests/latest")
        span = self.request_span()
        self.assertEqual("GET /v2/{name}/manifests/{tag_or_digest}", span.name)

    def test_attributes(self) -> None:
        """It tells of the request by the names of the semantic conventions."""
        self.use(MemoryDriver(self.clock), gate=AliceGate("alice"))
        self.ask("GET", "/v2/library/hello/tags/list?n=1", {"User-Agent": "some/1"})
        expected = {
            "http.request.method": "GET",
            "http.route": "/v2/{name}/tags/list",
            "http.response.status_code": 404,
            "http.request.body.size": 0,
            "url.scheme": "http",
            "url.path": "/v2/library/hello/tags/list",
            "network.protocol.version": "1.1",
            "client.address": "127.0.0.1",
            "user_agent.original": "some/1",
            "enduser.id": "alice",
            "txregistry.request_id": "a request's id",
            "txregistry.route": "tags",
            "txregistry.repository": "library/hello",
        }
        found = dict(told(self.request_span()))
        self.assertGreater(found.pop("http.response.body.size"), 0)
        self.assertEqual(expected, found)

    def test_reference(self) -> None:
        """It tells which tag or digest was asked for."""
        self.ask("GET", "/v2/library/hello/manifests/latest")
        found = told(self.request_span())["txregistry.reference"]
        self.assertEqual("latest", found)

    def test_state(self) -> None:
        """What goes on with an upload is in none of its spans."""
        answer = self.ask("POST", "/v2/a/blobs/uploads/")
        location = answer.header("location")
        self.assertIn("_state=", location)
        target = "/v2/" + location.partition("/v2/")[2]
        self.ask("PATCH", target, body=b"something")
        state = location.partition("_state=")[2].partition("&")[0]
        for span in self.spans.ended():
            self.assertNotIn("_state=", span.to_json())
            self.assertNotIn(state, span.to_json())

    def test_absolute_target(self) -> None:
        """A target with scheme and host is told of by its path."""
        self.ask("GET", f"http://registry.test{CATALOG}?n=1")
        self.assertEqual(CATALOG, told(self.request_span())["url.path"])

    def test_beginning(self) -> None:
        """It begins when the request's header is complete."""
        self.clock.advance(1500.5)
        self.ask("GET", CATALOG)
        self.assertEqual(1_500_500_000_000, self.request_span().start_time)

    def test_unknown_method(self) -> None:
        """A method of a client's making does not make names of spans."""
        self.ask("BREW", CATALOG)
        span = self.request_span()
        self.assertEqual("HTTP", span.name)
        self.assertEqual("_OTHER", told(span)["http.request.method"])
        self.assertEqual("BREW", told(span)["http.request.method_original"])

    def test_fault(self) -> None:
        """An answer that says that we failed is an error, and nothing else is."""
        self.use(BrokenDriver(self.clock))
        answer = self.ask("GET", CATALOG)
        span = self.request_span()
        self.assertEqual(StatusCode.ERROR, span.status.status_code)
        self.assertEqual(str(answer.status), told(span)["error.type"])

    def test_refusal(self) -> None:
        """An answer that says that the client is wrong is no error of ours."""
        self.ask("GET", "/v2/library/hello/manifests/latest")
        self.assertEqual(StatusCode.UNSET, self.request_span().status.status_code)

    def test_refused_before(self) -> None:
        """A request that is refused before it is one has a span, in its own trace."""
        wire = self.registry.connect()
        wire.send(b"nonsense\r\n\r\n")
        self.assertEqual(400, told(self.request_span())["http.response.status_code"])


class ParentTests(TracingCase):
    """Whose part a request is."""

    def test_none(self) -> None:
        """A request without a trace begins one."""
        self.ask("GET", CATALOG)
        self.assertIsNone(self.request_span().parent)

    def test_parent(self) -> None:
        """A request goes on with the trace that its headers name."""
        self.ask("GET", CATALOG, {**PARENT, "tracestate": "a=b"})
        span = self.request_span()
        self.assertEqual((TRACE_ID, SPAN_ID), (trace_id(span), parent_id(span)))
        assert span.context is not None
        self.assertEqual("b", span.context.trace_state.get("a"))

    def test_nonsense(self) -> None:
        """Headers that name no trace are as none."""
        for nonsense in ("", "00-0-0-01", "ÿ", PARENT["traceparent"] + "-more"):
            self.ask("GET", CATALOG, {"traceparent": nonsense})
        for span in self.spans.of_requests():
            self.assertIsNone(span.parent)

    def test_several(self) -> None:
        """Several parents count as none."""
        lines = "\r\n".join(f"traceparent: {PARENT['traceparent']}" for _ in "ab")
        wire = self.registry.connect()
        wire.send(f"GET {CATALOG} HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n".encode())
        self.assertIsNone(self.request_span().parent)

    def test_pipelined(self) -> None:
        """A request that runs when the one before it ends is no part of that."""
        driver = SlowDriver(self.clock)
        self.use(driver)
        wire = self.registry.connect()
        target = "/v2/a/manifests/latest"
        wire.send(head("GET", target, PARENT) + head("GET", CATALOG))
        driver.waiting.pop().callback(None)
        self.clock.advance(0)
        self.assertEqual(2, len(read_all(wire)))
        first, second = self.spans.of_requests()
        self.assertEqual(SPAN_ID, parent_id(first))
        self.assertIsNone(second.parent)
        self.assertNotEqual(trace_id(first), trace_id(second))

    def test_within(self) -> None:
        """A request that begins where another one runs is no part of that."""
        tracer = self.spans.tracer

        async def work() -> None:
            tracer.serve("GET", "", "http", 0.0, lambda _: []).enter()
            self.ask("GET", CATALOG)

        self.successResultOf(Deferred.fromCoroutine(work()))
        self.assertIsNone(self.request_span().parent)


class StoreTests(TracingCase):
    """Spans of what requests do in the store."""

    def test_parts(self) -> None:
        """What a request does in the store is a part of it."""
        self.registry.push_image("library/hello", "latest")
        requests = {span_id(each): each for each in self.spans.of_requests()}
        parts = self.spans.of_store()
        self.assertGreater(len(parts), 10)
        for part in parts:
            request = requests[parent_id(part) or ""]
            self.assertEqual(trace_id(request), trace_id(part))
        names = {part.name for part in parts}
        self.assertLess({"inmemory:Stat", "inmemory:PutContent"}, names)

    def test_together(self) -> None:
        """Requests that run together have each their own parts."""
        driver = SlowDriver(self.clock)
        self.use(driver)
        traces = {TRACE_ID: "first", OTHER_TRACE_ID: "second"}
        for parent, tag in zip((PARENT, OTHER_PARENT), traces.values(), strict=True):
            target = f"/v2/a/manifests/{tag}"
            self.registry.connect().send(head("GET", target, parent))
        self.assertEqual(2, len(driver.waiting))
        # The one that began last goes on first, in the midst of the other.
        while driver.waiting:
            driver.waiting.pop().callback(None)
        requests = {trace_id(each): each for each in self.spans.of_requests()}
        self.assertEqual(traces.keys(), requests.keys())
        for part in self.spans.of_store():
            request = requests[trace_id(part)]
            self.assertEqual(span_id(request), parent_id(part))
            path = told(part)["io.cncf.distribution.storage.path"]
            self.assertIn(f"/tags/{traces[trace_id(part)]}/", path)
        self.assertGreaterEqual(len(self.spans.of_store()), 2)

    def test_failing(self) -> None:
        """What the store cannot do is an error; what is not there is none."""
        tracer = self.spans.tracer
        span = tracer.serve("GET", "", "http", 0.0, lambda _: [])
        driver = TracedDriver(BrokenDriver(self.clock), tracer.store)

        async def work() -> None:
            span.enter()
            await driver.stat("/absent")

        failure = self.failureResultOf(Deferred.fromCoroutine(work()))
        self.assertEqual("PathNotFound", type(failure.value).__name__)
        (part,) = self.spans.of_store()
        self.assertEqual(StatusCode.UNSET, part.status.status_code)
        self.assertEqual("PathNotFound", told(part)["error.type"])

    def test_broken(self) -> None:
        """An error says what the store said."""
        tracer = self.spans.tracer
        span = tracer.serve("GET", "", "http", 0.0, lambda _: [])

        async def work() -> None:
            span.enter()
            end = tracer.store("some:Stat", {})
            assert end is not None
            end(StorageError("the disk is gone"))

        self.successResultOf(Deferred.fromCoroutine(work()))
        (part,) = self.spans.of_store()
        self.assertEqual(StatusCode.ERROR, part.status.status_code)
        self.assertEqual("the disk is gone", part.status.description)

    def test_outside(self) -> None:
        """What no request has caused is not traced: checks of the store, above all."""
        self.ask("GET", CATALOG)
        before = len(self.spans.ended())
        self.successResultOf(self.registry.driver.list_children("/"))
        self.assertEqual(before, len(self.spans.ended()))

    def test_unsampled(self) -> None:
        """What is not sampled has no spans at all."""
        self.use(MemoryDriver(self.clock), Spans(ALWAYS_OFF))
        self.registry.push_image("library/hello", "latest")
        self.assertEqual([], self.spans.ended())


@implementer(ILogObserver)
class Observer:
    """Keeps what would be written.

    Attributes:
        entries: It.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.entries: list[Entry] = []

    def __call__(self, event: LogEvent) -> None:
        """See ILogObserver."""
        self.entries.append(entry_of(event))


class LogTests(SynchronousTestCase):
    """What the log says of a request that is traced."""

    def test_trace(self) -> None:
        """Lines that a request causes have its trace's id, and no others."""
        observer = Observer()
        log = Logger(observer=observer)
        given = [PARENT["traceparent"]]
        span = Spans().tracer.serve("GET", "", "http", 0.0, lambda _: given)

        async def work() -> None:
            span.enter()
            log.info("within")

        self.successResultOf(Deferred.fromCoroutine(work()))
        log.info("without")
        within, without = observer.entries
        self.assertEqual(TRACE_ID, within.trace_id)
        self.assertIsNone(without.trace_id)
        self.assertIn(f" trace_id={TRACE_ID}", TextFormat({})(within))
        self.assertNotIn("trace_id", TextFormat({})(without))

    def test_refusal(self) -> None:
        """The line that says why a request is refused has its trace's id, too."""
        registry = MemoryRegistry(tracer=Spans().tracer)
        with capturedLogs() as events:
            registry.request("PUT", "/v2/a/manifests/b", dict(PARENT), b"nonsense")
        found = {event["trace_id"] for event in events if "status" in event}
        self.assertEqual({TRACE_ID}, found)
        entries = [entry_of(event) for event in events]
        self.assertIn(TRACE_ID, [entry.trace_id for entry in entries])
        self.assertNotIn("trace_id", JSONFormat({})(entry_of({"trace_id": None})))


class EventTests(TracingCase):
    """What events keep of their requests."""

    def push(self, spans: Spans | None = None) -> Sink:
        """Push a blob within a trace; return what was told of it."""
        sink, urls = Sink(), Urls("/", None, False, lambda _: False)
        witness = EventWitness(
            sink, self.clock, SOURCE, urls.content, lambda _: "127.0.0.1"
        )
        self.use(MemoryDriver(self.clock), spans, witness=witness)
        digest = Digest.of(b"1")
        target = f"/v2/a/blobs/uploads/?digest={digest}"
        headers = {**PARENT, "tracestate": "a=b"}
        self.assertEqual(201, self.ask("POST", target, headers, b"1").status)
        return sink

    def test_trace(self) -> None:
        """An event keeps the span of its request, and the state of its trace."""
        (event,) = self.push().events
        identifier = span_id(self.request_span())
        expected = f"00-{TRACE_ID}-{identifier}-01"
        self.assertEqual({"traceparent": expected, "tracestate": "a=b"}, event.trace)

    def test_unsampled(self) -> None:
        """That a request is not sampled is kept, too."""
        (event,) = self.push(Spans(ALWAYS_OFF)).events
        self.assertTrue(event.trace["traceparent"].endswith("-00"))

    def test_untold(self) -> None:
        """Receivers see nothing of it in the event."""
        (event,) = self.push().events
        self.assertNotIn(TRACE_ID, json.dumps(event.to_json()))


class PostTests(SynchronousTestCase):
    """Spans of messages to receivers."""

    def setUp(self) -> None:
        """Make a tracer."""
        self.spans = Spans()

    def post(
        self, *causes: Mapping[str, str], status: int | None = 204, problem: str = ""
    ) -> tuple[ReadableSpan, Mapping[str, str]]:
        """Send a message; return its span and its headers."""
        tracer = self.spans.tracer
        span = tracer.post("hook", "hooks.test:8080", 3, causes)
        headers = span.headers()
        span.end(status, problem)
        return self.spans.ended()[-1], headers

    def test_part(self) -> None:
        """It is a part of the request that the event comes from."""
        span, headers = self.post(PARENT)
        self.assertEqual((TRACE_ID, SPAN_ID), (trace_id(span), parent_id(span)))
        self.assertEqual({"traceparent": f"00-{TRACE_ID}-{span_id(span)}-01"}, headers)

    def test_attributes(self) -> None:
        """It tells who got how many events, and what came of it."""
        span, _ = self.post()
        expected = {
            "http.request.method": "POST",
            "http.response.status_code": 204,
            "server.address": "hooks.test",
            "server.port": 8080,
            "txregistry.endpoint": "hook",
            "txregistry.events": 3,
        }
        self.assertEqual(("POST hook", expected), (span.name, dict(told(span))))
        self.assertIs(SpanKind.CLIENT, span.kind)
        self.assertEqual(StatusCode.UNSET, span.status.status_code)

    def test_no_cause(self) -> None:
        """With events that were not traced it is a trace of its own."""
        span, _ = self.post({"nonsense": ""})
        self.assertIsNone(span.parent)
        self.assertEqual(0, len(span.links))

    def test_one_trace(self) -> None:
        """With events of one trace it is a part of the first, and linked to others."""
        sibling = {"traceparent": f"00-{TRACE_ID}-{'3' * 16}-01"}
        span, _ = self.post(PARENT, sibling, sibling)
        self.assertEqual(SPAN_ID, parent_id(span))
        links = [f"{link.context.span_id:016x}" for link in span.links]
        self.assertEqual(["3" * 16], links)

    def test_several_traces(self) -> None:
        """With events of several traces it is one of its own, linked to them all."""
        span, _ = self.post(PARENT, OTHER_PARENT)
        self.assertIsNone(span.parent)
        links = [f"{link.context.trace_id:032x}" for link in span.links]
        self.assertEqual([TRACE_ID, OTHER_TRACE_ID], links)

    def test_refused(self) -> None:
        """A refusal is an error."""
        span, _ = self.post(status=503)
        self.assertEqual(StatusCode.ERROR, span.status.status_code)
        self.assertEqual("503", told(span)["error.type"])

    def test_no_answer(self) -> None:
        """That there is no answer is an error, which says why."""
        span, _ = self.post(status=None, problem="no answer in 1 s")
        self.assertEqual("no answer in 1 s", span.status.description)
        self.assertNotIn("http.response.status_code", told(span))

    def test_no_port(self) -> None:
        """An address without a port is told of as it is."""
        self.spans.tracer.post("hook", "[::1]", 1, []).end(200, "")
        (span,) = self.spans.ended()
        self.assertEqual("[::1]", told(span)["server.address"])
        self.assertNotIn("server.port", told(span))
