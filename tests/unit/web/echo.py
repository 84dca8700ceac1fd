"""Routes for tests of what lies below the routes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txregistry.streams import Collector, pump
from txregistry.web.answers import send_bytes, send_nothing
from txregistry.web.app import Frame, FramedResource, make_resource
from txregistry.web.endpoints import Endpoint


class EchoRoutes:
    """Routes that send back bodies, refuse them, or wait."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.waiting: list[Deferred[None]] = []
        self.failures: list[BaseException] = []

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [
            Endpoint("echo", "PUT", "/echo", self.echo, None),
            Endpoint("refuse", "PUT", "/refuse", self.refuse, None),
            Endpoint("wait", "GET", "/wait", self.wait, None),
            Endpoint("wait", "PUT", "/wait", self.wait, None),
            Endpoint("large", "GET", "/large", self.large, None),
            Endpoint("broken", "GET", "/broken", self.broken, None),
        ]

    async def echo(self, request: Any) -> None:
        """Send the body back."""
        collector = Collector(1 << 30)
        try:
            await pump(request.body, collector)
        except BaseException as error:
            self.failures.append(error)
            raise
        send_bytes(request, 200, collector.content(), {})

    def refuse(self, request: Any) -> None:
        """Answer without looking at the body."""
        send_nothing(request, 404)

    async def wait(self, request: Any) -> None:
        """Answer when told to."""
        waiting: Deferred[None] = Deferred()
        self.waiting.append(waiting)
        try:
            await waiting
        except BaseException as error:
            self.failures.append(error)
            raise
        send_nothing(request, 204)

    def large(self, request: Any) -> None:
        """Answer with more than a client's window."""
        send_bytes(request, 200, b"x" * 1_000_000, {})

    def broken(self, request: Any) -> None:
        """Fail in the middle of an answer."""
        request.head.set("Content-Length", "10")
        request.write(b"half")
        raise RuntimeError("on purpose")


def make_echo(frame: Frame | None = None) -> tuple[EchoRoutes, FramedResource]:
    """Make the routes and their resource."""
    routes = EchoRoutes()
    return routes, make_resource([routes], frame or Frame())
