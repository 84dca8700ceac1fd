"""Base: is there a registry here, and does it speak this API (end-1)."""

from __future__ import annotations

from typing import Any

from klein import Klein

from txregistry.oci.errors import Unavailable
from txregistry.web.answers import send_bytes, send_nothing


class BaseRoutes:
    """The endpoints that name no repository."""

    def register(self, app: Klein) -> None:
        """Add the routes."""
        app.route("/", methods=["GET"], endpoint="root")(self.root)
        app.route("/v2/", methods=["GET"], endpoint="base")(self.base)
        app.route("/v2", methods=["GET"], endpoint="base_bare")(self.base)

    def root(self, request: Any) -> None:
        """Answer a load balancer that asks whether anybody is there."""
        send_nothing(request, 200, {"Cache-Control": "no-cache"})

    def base(self, request: Any) -> None:
        """end-1: say that this API is spoken here."""
        send_bytes(request, 200, b"{}", {"Content-Type": "application/json"})


class NotYetRoutes:
    """What stands in for all endpoints until the store is open."""

    def register(self, app: Klein) -> None:
        """Add the routes."""
        app.route("/", branch=True, endpoint="not_yet")(self.not_yet)

    def not_yet(self, request: Any) -> None:
        """Ask the client to come again."""
        raise Unavailable(message="starting", headers={"Retry-After": "1"})
