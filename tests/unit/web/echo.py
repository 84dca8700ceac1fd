"""Routes for tests of what lies below the routes."""

from __future__ import annotations

from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred

from txregistry.streams import Collector, pump
from txregistry.web.answers import send_bytes, send_nothing
from txregistry.web.app import Frame, FramedResource, make_resource


class EchoRoutes:
    """Routes that send back bodies, refuse them, or wait."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.waiting: list[Deferred[None]] = []
        self.failures: list[BaseException] = []

    def register(self, app: Klein) -> None:
        """Add the routes."""
        app.route("/echo", methods=["PUT"], endpoint="echo")(self.echo)
        app.route("/refuse", methods=["PUT"], endpoint="refuse")(self.refuse)
        app.route("/wait", methods=["GET", "PUT"], endpoint="wait")(self.wait)
        app.route("/large", methods=["GET"], endpoint="large")(self.large)
        app.route("/broken", methods=["GET"], endpoint="broken")(self.broken)

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
        request.setHeader(b"content-length", b"10")
        request.write(b"half")
        raise RuntimeError("on purpose")


def make_echo(frame: Frame | None = None) -> tuple[EchoRoutes, FramedResource]:
    """Make the routes and their resource."""
    routes = EchoRoutes()
    return routes, make_resource([routes], frame or Frame())
