"""Tracing: spans of requests, of what they do in the store, and of messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from twisted.internet.defer import CancelledError
from zope.interface import implementer

from txregistry.current import trace_id
from txregistry.interfaces import (
    Exchange,
    IPostSpan,
    IRequestSpan,
    ITracer,
    PathNotFound,
)

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_NANOSECONDS: Final = 1_000_000_000
_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
)
_HARMLESS: Final = (PathNotFound, CancelledError)


@implementer(ITracer)
class Tracer:
    """Makes spans, named as OpenTelemetry's semantic conventions have it."""

    def __init__(self, tracer: trace.Tracer) -> None:
        """Take what makes them."""
        self._tracer = tracer

    def serve(
        self,
        method: str,
        route: str,
        scheme: str,
        began: float,
        headers: Callable[[str], Sequence[str]],
    ) -> IRequestSpan:
        """See ITracer."""
        known = method if method in _METHODS else "_OTHER"
        attributes = {"http.request.method": known, "url.scheme": scheme}
        if known != method:
            attributes["http.request.method_original"] = method
        if route:
            attributes["http.route"] = route
        name = method if known == method else "HTTP"
        span = self._tracer.start_span(
            f"{name} {route}" if route else name,
            # What the running code works for is another request, if it is any.
            _received(headers),
            SpanKind.SERVER,
            attributes,
            start_time=int(began * _NANOSECONDS),
        )
        return _RequestSpan(span)

    def post(
        self,
        endpoint: str,
        address: str,
        count: int,
        causes: Sequence[Mapping[str, str]],
    ) -> IPostSpan:
        """See ITracer.

        A message with events of one trace is a part of it, and of the first request in
        it. One with events of several is a trace of its own, with links to them all.
        """
        contexts = _distinct(causes)
        spans = [trace.get_current_span(each).get_span_context() for each in contexts]
        parent = Context()
        if len({each.trace_id for each in spans}) == 1:
            parent, *_ = contexts
            spans = spans[1:]
        host, _, port = address.rpartition(":")
        attributes: dict[str, str | int] = {
            "http.request.method": "POST",
            "server.address": address,
            "txregistry.endpoint": endpoint,
            "txregistry.events": count,
        }
        if host and port.isascii() and port.isdigit():
            attributes |= {"server.address": host, "server.port": int(port)}
        span = self._tracer.start_span(
            f"POST {endpoint}",
            parent,
            SpanKind.CLIENT,
            attributes,
            [Link(each) for each in spans],
        )
        return _PostSpan(span)

    def store(
        self, name: str, attributes: Mapping[str, str | int | bool]
    ) -> Callable[[BaseException | None], None] | None:
        """Begin a span for what is done in the store.

        Args:
            name: What is done.
            attributes: What is told of it.

        Returns:
            What ends it, and takes what it failed with (None: it did not fail). None:
            there is no span, for no request that is traced has caused it.
        """
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            return None
        span = self._tracer.start_span(name, attributes=attributes)

        def end(error: BaseException | None) -> None:
            if error is not None:
                span.set_attribute("error.type", type(error).__name__)
                if not isinstance(error, _HARMLESS):
                    span.set_status(Status(StatusCode.ERROR, str(error)))
            span.end()

        return end


@implementer(IRequestSpan)
class _RequestSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.trace_id = trace.format_trace_id(span.get_span_context().trace_id)

    def enter(self) -> None:
        """See IRequestSpan. A coroutine's context is its own, and ends with it."""
        attach(trace.set_span_in_context(self._span, Context()))
        trace_id.set(self.trace_id)

    def headers(self) -> Mapping[str, str]:
        """See IRequestSpan."""
        return _sent(self._span)

    def end(self, exchange: Exchange) -> None:
        """See IRequestSpan."""
        span = self._span
        if span.is_recording():
            span.set_attributes(_told(exchange))
            if exchange.status >= 500:
                span.set_attribute("error.type", str(exchange.status))
                span.set_status(Status(StatusCode.ERROR))
        span.end()


@implementer(IPostSpan)
class _PostSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def headers(self) -> Mapping[str, str]:
        """See IPostSpan."""
        return _sent(self._span)

    def end(self, status: int | None, problem: str) -> None:
        """See IPostSpan."""
        span = self._span
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if problem or status is None or not 200 <= status < 300:
            span.set_attribute("error.type", "no answer" if not status else str(status))
            span.set_status(Status(StatusCode.ERROR, problem or None))
        span.end()


def _received(headers: Callable[[str], Sequence[str]]) -> Context:
    """Return what a request goes on with; if it is nothing, an empty context."""
    parents = headers("traceparent")
    if len(parents) != 1:  # W3C Trace Context, 3.2.1: several count as none
        return Context()
    carrier = {"traceparent": list(parents), "tracestate": list(headers("tracestate"))}
    return _PROPAGATOR.extract(carrier, Context())


def _sent(span: trace.Span) -> dict[str, str]:
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers, trace.set_span_in_context(span, Context()))
    return headers


def _distinct(causes: Sequence[Mapping[str, str]]) -> list[Context]:
    """Return the contexts of different spans, in their order."""
    by_parent = {each["traceparent"]: each for each in causes if "traceparent" in each}
    return [_PROPAGATOR.extract(each, Context()) for each in by_parent.values()]


def _told(exchange: Exchange) -> dict[str, Any]:
    """Return what is told of a request when it has ended."""
    attributes: dict[str, Any] = {
        # Nothing of the query: there is what goes on with somebody's upload.
        "url.path": _path(exchange.uri),
        "network.protocol.version": exchange.protocol.rpartition("/")[2],
        "client.address": exchange.address,
        "http.response.status_code": exchange.status,
        "http.request.body.size": exchange.received,
        "http.response.body.size": exchange.sent,
        "txregistry.request_id": exchange.id,
        "user_agent.original": exchange.agent,
        "enduser.id": exchange.user,
        "txregistry.route": exchange.route or None,
        "txregistry.repository": exchange.repository,
        "txregistry.reference": exchange.reference,
    }
    return {key: value for key, value in attributes.items() if value is not None}


def _path(uri: str) -> str:
    path = uri.partition("?")[0]
    if path[:8].lower().startswith(("http://", "https://")):
        return "/" + path.split("://", 1)[1].partition("/")[2]
    return path
