"""Tests of the id that what a request causes is known by."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.current import request_id
from txregistry.testing.wire import Wire
from txregistry.web.answers import send_nothing
from txregistry.web.app import Frame, make_resource
from txregistry.web.endpoints import Endpoint


class NotingRoutes:
    """Routes that note for which request they think they work."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.noted: list[str | None] = []
        self.waiting: Deferred[None] = Deferred()

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [
            Endpoint("wait", "GET", "/wait", self.wait, None),
            Endpoint("now", "GET", "/now", self.now, None),
        ]

    async def wait(self, request: Any) -> None:
        """Note it before and after something else has happened."""
        self.noted.append(request_id.get())
        await self.waiting
        self.noted.append(request_id.get())
        send_nothing(request, 204)

    def now(self, request: Any) -> None:
        """Note it."""
        self.noted.append(request_id.get())
        send_nothing(request, 204)


class RequestIdTests(SynchronousTestCase):
    """What runs knows for which request."""

    def test_coroutine(self) -> None:
        """A request keeps its id while it waits, and gives it to nobody else."""
        routes = NotingRoutes()
        resource = make_resource([routes], Frame())
        first, second = Wire(resource), Wire(resource)
        first.send(b"GET /wait HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\n\r\n")
        self.assertIsNone(request_id.get())
        second.send(b"GET /now HTTP/1.1\r\nHost: a\r\nX-Request-Id: two\r\n\r\n")
        routes.waiting.callback(None)
        self.assertEqual(["one", "two", "one"], routes.noted)
        self.assertIsNone(request_id.get())
        self.assertEqual("one", first.answer().header("x-request-id"))
