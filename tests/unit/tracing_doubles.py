"""Doubles: a tracer that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, field
from zope.interface import implementer

from txregistry.interfaces import Exchange, IPostSpan, IRequestSpan, ITracer


@implementer(IRequestSpan)
@define
class RequestSpan:
    """A request.

    Attributes:
        method: The HTTP method.
        route: The endpoint's path.
        scheme: ``http`` or ``https``.
        began: When, in seconds since the epoch.
        parent: The headers that it came with, of those that count.
        entered: Whether it was entered.
        exchanges: What came of it.
        trace_id: Its trace.
    """

    method: str
    route: str
    scheme: str
    began: float
    parent: Sequence[str]
    entered: bool = False
    exchanges: list[Exchange] = field(factory=list)
    trace_id: str = "a trace's id"

    def enter(self) -> None:
        """See IRequestSpan."""
        self.entered = True

    def headers(self) -> Mapping[str, str]:
        """See IRequestSpan."""
        return {"traceparent": f"of {self.method}"}

    def end(self, exchange: Exchange) -> None:
        """See IRequestSpan."""
        self.exchanges.append(exchange)


@implementer(IPostSpan)
@define
class PostSpan:
    """A message.

    Attributes:
        endpoint: The receiver's name.
        address: The receiver's address.
        count: How many events there are in it.
        causes: Where they come from.
        ends: Status and problem.
    """

    endpoint: str
    address: str
    count: int
    causes: Sequence[Mapping[str, str]]
    ends: list[tuple[int | None, str]] = field(factory=list)

    def headers(self) -> Mapping[str, str]:
        """See IPostSpan."""
        return {"traceparent": f"of {self.endpoint}"}

    def end(self, status: int | None, problem: str) -> None:
        """See IPostSpan."""
        self.ends.append((status, problem))


@implementer(ITracer)
@define
class Tracer:
    """Keeps spans.

    Attributes:
        requests: Those of requests.
        posts: Those of messages.
    """

    requests: list[RequestSpan] = field(factory=list)
    posts: list[PostSpan] = field(factory=list)

    def serve(
        self,
        method: str,
        route: str,
        scheme: str,
        began: float,
        headers: Callable[[str], Sequence[str]],
    ) -> IRequestSpan:
        """See ITracer."""
        span = RequestSpan(method, route, scheme, began, headers("traceparent"))
        self.requests.append(span)
        return span

    def post(
        self,
        endpoint: str,
        address: str,
        count: int,
        causes: Sequence[Mapping[str, str]],
    ) -> IPostSpan:
        """See ITracer."""
        span = PostSpan(endpoint, address, count, causes)
        self.posts.append(span)
        return span
