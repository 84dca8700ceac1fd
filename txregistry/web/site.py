"""Site: makes channels for clients, tells what came of requests, drains at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Site

from txregistry.interfaces import Exchange, IRequestSpan, IRequestWatcher, ITracer
from txregistry.oci.uuids import RandomUUIDs
from txregistry.polling import Round
from txregistry.web.answerhead import AnswerHead
from txregistry.web.answers import API_VERSION
from txregistry.web.channel import RegistryChannel
from txregistry.web.deadlines import Deadlines
from txregistry.web.exchanges import exchange_of
from txregistry.web.fastpath import FastPath
from txregistry.web.held import HeldRequest
from txregistry.web.intake import Intake
from txregistry.web.limits import Limits
from txregistry.web.request import RegistryRequest


class RegistrySite(Site):
    """The factory of connections to the registry.

    Attributes:
        draining: Whether no further requests are wanted.
        server_name: The ``Server`` header.
        new_id: Makes the id of a request that comes without one.
        fast: The fast path; None: there is none.
        intake: Takes in large bodies; None: the reactor does.
    """

    noisy = False

    def __init__(
        self,
        resource: IResource,
        reactor: IReactorTime,
        limits: Limits,
        server_name: str,
        watchers: Sequence[IRequestWatcher] = (),
        new_id: Callable[[], object] | None = None,
        tracer: ITracer | None = None,
        is_fast: bool = True,
        intake: Intake | None = None,
    ) -> None:
        """Prepare.

        Args:
            resource: The routes.
            reactor: Gives time.
            limits: Bounds on clients.
            server_name: The ``Server`` header.
            watchers: Are told of requests.
            new_id: Makes the id of a request that comes without one; None: UUIDs.
            tracer: Traces requests; None: they are not traced.
            is_fast: Whether there is to be a fast path; with a tracer there is none,
                because there each request is looked at.
            intake: Takes in large bodies; None: the reactor does.
        """
        super().__init__(resource, requestFactory=RegistryRequest, reactor=reactor)
        self.draining = False
        self.server_name = server_name
        self._clock = reactor
        self._limits = limits
        self._watchers = watchers
        self.new_id = new_id or RandomUUIDs()
        self._tracer = tracer
        self.intake = intake
        self.round = Round()
        self.fast: FastPath | None = None
        if is_fast and tracer is None:
            self.fast = FastPath(reactor, limits, watchers, self.new_id, self.round)
        self._deadlines = Deadlines(reactor)
        # A dict takes half of what a set does.
        self._channels: dict[RegistryChannel, None] = {}
        self._drained: Deferred[None] | None = None
        self._second, self._lines = -1, {"x-request-id": ""}

    def startFactory(self) -> None:
        """See IProtocolFactory; Twisted's own keeps a clock for its access log."""

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - Twisted's
        """See IProtocolNegotiationFactory; Twisted's own also knows HTTP/2."""
        return [b"http/1.1"]

    def stopFactory(self) -> None:
        """See IProtocolFactory."""

    def buildProtocol(  # type: ignore[override]  # HTTP/2's multiplexer is left out
        self, addr: IAddress | None
    ) -> RegistryChannel:
        """See IProtocolFactory."""
        channel = RegistryChannel(self._clock, self._limits, self._deadlines)
        channel.factory = channel.site = self
        channel.born = self.round.number
        channel.requestFactory = RegistryRequest
        self._channels[channel] = None
        return channel

    def closed(self, channel: RegistryChannel) -> None:
        """Note that a connection is gone."""
        self._channels.pop(channel, None)
        if self.fast is not None and self.draining and not self._channels:
            self.fast.tell()  # nobody would be there for it later
        if self._drained is not None and not self._channels:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def drain(self) -> Deferred[None]:
        """Let running requests end and close all connections.

        Returns:
            A Deferred that fires when there is no connection left.
        """
        self.draining = True
        if self.fast is not None:
            self.fast.tell()
        drained = self._drained = Deferred()
        for channel in list(self._channels):
            channel.drain()
        if not self._channels:
            self._drained = None
            drained.callback(None)
        return drained

    def abort(self) -> None:
        """Cut all connections."""
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def seconds(self) -> float:
        """Return the time in seconds since the epoch."""
        return float(self._clock.seconds())

    def answer_head(self, request_id: str) -> AnswerHead:
        """Return what every answer's head begins with.

        Args:
            request_id: What the request is called.
        """
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._lines = second, self._lines_of(second)
        lines = self._lines.copy()
        lines["x-request-id"] = f"X-Request-Id: {request_id}"
        return AnswerHead(lines)

    def _lines_of(self, second: int) -> dict[str, str]:
        """Return what the heads of a second's answers have in common."""
        head = AnswerHead({"x-request-id": ""})  # each has its own
        head.set("Date", datetimeToString(second).decode("ascii"))  # RFC 9110, 6.6.1
        head.set("Server", self.server_name)
        head.set(*API_VERSION)
        return head.lines

    def running(self) -> list[Exchange]:
        """Return what is known of the requests that run; their status means nothing."""
        return [
            request.so_far(self.seconds())
            if isinstance(request, HeldRequest)
            else exchange_of(request)
            for channel in self._channels
            for request in channel.requests
            if request.began is not None and not request.finished
        ]

    def began(self, request: Any) -> None:
        """Note that a request has reached an endpoint, from within its coroutine."""
        for watcher in self._watchers:
            watcher.began(request.route, request.method.decode("ascii"))
        if self._tracer is not None:
            request.span = self._span(self._tracer, request)
            request.span.enter()

    def log(self, request: Any) -> None:
        """Note that a request has ended, whatever came of it."""
        if self._watchers or self._tracer is not None:
            exchange = exchange_of(request)
            for watcher in self._watchers:
                watcher.ended(exchange)
            if self._tracer is not None:
                span = request.span or self._span(self._tracer, request)
                span.end(exchange)

    def _span(self, tracer: ITracer, request: Any) -> IRequestSpan:
        return tracer.serve(
            request.method.decode("latin-1"),
            request.template,
            "https" if request.isSecure() else "http",
            self.seconds() if request.began is None else request.began,
            request.headers,
        )
