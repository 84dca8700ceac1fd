"""Base: is there a registry here, and does it speak this API (end-1)."""

from __future__ import annotations

from typing import Any

from txregistry.oci.errors import Unavailable
from txregistry.web.answers import send_bytes, send_nothing
from txregistry.web.endpoints import LOGIN, Endpoint


class BaseRoutes:
    """The endpoints that name no repository."""

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [
            Endpoint("root", "GET", "/", self.root, None),
            Endpoint("base", "GET", "/v2/", self.base, LOGIN),
            Endpoint("base", "GET", "/v2", self.base, LOGIN),
        ]

    def root(self, request: Any) -> None:
        """Answer a load balancer that asks whether anybody is there."""
        send_nothing(request, 200, {"Cache-Control": "no-cache"})

    def base(self, request: Any) -> None:
        """end-1: say that this API is spoken here."""
        request.may_last(lambda: True, b"{}")
        send_bytes(request, 200, b"{}", {"Content-Type": "application/json"})


class NotYetRoutes:
    """What stands in for all endpoints until the store is open."""

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        return [Endpoint("not_yet", None, "/", self.not_yet, None)]

    def not_yet(self, request: Any) -> None:
        """Ask the client to come again."""
        raise Unavailable(message="starting", headers={"Retry-After": "1"})
