"""App: the routes as one Klein application."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import field, frozen
from klein import Klein
from klein.resource import KleinResource
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter

from txregistry.oci.errors import (
    BadRequest,
    RegistryError,
    Unavailable,
    Unsupported,
)
from txregistry.oci.names import Name
from txregistry.web.answers import send_failure, send_nothing
from txregistry.web.cors import Cors
from txregistry.web.endpoints import Endpoint, Routes
from txregistry.web.gate import Admission, OpenGate
from txregistry.web.paths import Found, Paths
from txregistry.web.witness import SilentWitness, Witness

_METHOD: Final = re.compile(b"[A-Z-]+")
_PART: Final = re.compile("<(?:[a-z]+:)?([a-z_]+)>")
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Handler: TypeAlias = Callable[
    [Any, Mapping[str, str]], Coroutine[Deferred[Any], Any, None]
]
"""Runs a request that has come to an endpoint, with the parts of its path."""


class _Loose(BaseConverter):
    """Any text, slashes too; the route parses it, so that a bad name is a clear 400."""

    part_isolating = False
    regex = "[^/].*?"


def _never() -> bool:
    return False


@frozen
class Frame:
    """What goes around every answer.

    Attributes:
        prefix: What stands before ``v2/`` in paths: begins and ends with ``/``.
        headers: Headers of the operator's.
        cors: Which pages of other sites may read.
        read_only: Whether every request that would write is refused.
        is_failing: Says whether every request is refused for now.
    """

    prefix: str = "/"
    headers: Mapping[str, Sequence[str]] = field(factory=dict)
    cors: Cors = field(factory=Cors)
    read_only: bool = False
    is_failing: Callable[[], bool] = _never


class FramedResource(KleinResource):
    """A Klein application with the frame around each answer.

    Klein's own resource can do more than our endpoints, which are coroutines, answer by
    themselves and are never nested. Half of what a short request took was spent on that
    here: binding the router anew each time, taking URLs apart, looking for what else an
    endpoint may have returned. The router itself is asked about unusual paths alone.
    """

    def __init__(
        self, app: Klein, frame: Frame, handlers: Mapping[str, Handler]
    ) -> None:
        """Take the application, the frame, and what runs for each endpoint."""
        super().__init__(app)
        self._frame = frame
        self._handlers = handlers
        # An operator's bytes are UTF-8, and each of them is a character here.
        self._headers = [
            (name, value.encode().decode("latin-1"))
            for name, values in frame.headers.items()
            for value in values
        ]
        self._router = app.url_map.bind("localhost")
        self._paths = Paths(app.url_map.iter_rules())

    def render(self, request: Any) -> Any:
        """Run a request."""
        frame = self._frame
        for name, value in self._headers:
            request.head.add(name, value)
        if frame.cors.origins:
            for name, value in frame.cors.headers(_origin(request)).items():
                request.head.set(name, value)
        refusal = self._refusal(request)
        if refusal is not None:
            send_failure(request, Failure(refusal))
            request.finish()
            return NOT_DONE_YET
        self._run(request)
        return NOT_DONE_YET

    def _run(self, request: Any) -> None:
        method = request.method.decode("ascii")
        try:
            endpoint, parts = self._find(request.text_path, method)
        except HTTPException:
            self._answer_failure(Failure(), request)
            request.finish()
            return
        running = Deferred.fromCoroutine(self._handlers[endpoint](request, parts))
        if not running.called:
            request.running = running
        running.addBoth(self._end, request)

    def _end(self, result: object, request: Any) -> None:
        try:
            if isinstance(result, Failure):
                self._answer_failure(result, request)
            request.finish()
        except Exception:
            request.fail(Failure())

    def _find(self, path: str, method: str) -> Found:
        """Return what a request is for.

        Raises:
            HTTPException: For nothing.
        """
        found = self._paths.find(method, path)
        if found is None:
            rule, parts = self._router.match(path, method, return_rule=True)
            found = rule.endpoint, parts
        return found

    def _answer_failure(self, failure: Failure, request: Any) -> None:
        if not request.gone:
            _answer_failure(request, failure, self._frame)

    def _refusal(self, request: Any) -> RegistryError | None:
        if self._frame.is_failing():
            return Unavailable("health check failed: please see /debug/health")
        method: bytes = request.method
        # The router takes "put" for PUT; HTTP (RFC 9110, 9.1), we and proxies do not.
        if _METHOD.fullmatch(method) is None:
            return BadRequest(message="methods are written in capitals")
        if self._frame.read_only and method.decode("ascii") in _WRITES:
            taken = self._router.allowed_methods(request.text_path)
            allow = ", ".join(sorted({*taken, "OPTIONS"} - _WRITES))
            return Unsupported(message="read-only registry", headers={"Allow": allow})
        return None


def make_resource(
    routes: Sequence[Routes],
    frame: Frame,
    gate: Admission | None = None,
    witness: Witness | None = None,
) -> FramedResource:
    """Join endpoints into a resource.

    Args:
        routes: The endpoints.
        frame: What goes around every answer.
        gate: Decides on requests before they run; None: everybody may do everything.
        witness: Tells what requests do; None: nobody is told.
    """
    endpoints = [endpoint for each in routes for endpoint in each.endpoints()]
    gate, witness = gate or OpenGate(), witness or SilentWitness()
    app = Klein()
    app.url_map.converters["loose"] = _Loose
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    prefix = frame.prefix.rstrip("/")
    placed = [(prefix, endpoint) for endpoint in endpoints]
    if prefix:
        # Load balancers ask for "/" whatever the prefix is.
        placed += [("", endpoint) for endpoint in endpoints if endpoint.path == "/"]
    handlers = {}
    for before, endpoint in placed:
        handler = _handler(before, endpoint, gate, witness)
        handlers.update(_register(app, before + endpoint.path, endpoint, handler))
    return FramedResource(app, frame, handlers)


def _handler(
    prefix: str, endpoint: Endpoint, gate: Admission, witness: Witness
) -> Handler:
    template = prefix + _PART.sub(r"{\1}", endpoint.path)

    async def handle(request: Any, parts: Mapping[str, str]) -> None:
        request.route, request.parts = endpoint.name, parts
        request.template = template
        request.site.began(request)
        try:
            parsed: Mapping[str, Any] = parts
            name = parts.get("name")
            if name is not None:
                parsed = {**parts, "name": Name.parse(name)}
            accesses = endpoint.accesses(parsed.get("name"))
            request.accesses = accesses
            if accesses is not None:
                request.caller = await gate.admit(request, accesses)
            request.tell = witness.of(request)
            answering = endpoint.handle(request, **parsed)
            if answering is not None:
                await answering
        except Exception:
            if not request.gone:
                raise
            # Nobody hears of it, but faults of ours are logged.
            send_failure(request, Failure())

    return handle


def _register(
    app: Klein, path: str, endpoint: Endpoint, handler: Handler
) -> dict[str, Handler]:
    """Name an endpoint to the router; return what runs, by what the router says."""
    methods = None if endpoint.method is None else [endpoint.method]
    name = f"{endpoint.name} {endpoint.method} {path}"
    app.route(path, methods=methods, branch=methods is None, endpoint=name)(handler)
    if methods is not None:
        return {name: handler}

    def handle_below(request: Any, _: Mapping[str, str]) -> Any:
        return handler(request, {})

    return {name: handler, f"{name}_branch": handle_below}


def _answer_failure(request: Any, failure: Failure, frame: Frame) -> None:
    error = failure.value
    if isinstance(error, MethodNotAllowed) and frame.read_only:
        error.valid_methods = sorted({*(error.valid_methods or ())} - _WRITES)
    if isinstance(error, MethodNotAllowed) and request.method == b"OPTIONS":
        methods = sorted({*(error.valid_methods or ()), "OPTIONS"})
        asked = request.header("access-control-request-headers")
        preflight = frame.cors.preflight(_origin(request), asked)
        send_nothing(request, 200, {"Allow": ", ".join(methods), **preflight})
    else:
        send_failure(request, failure)


def _origin(request: Any) -> str | None:
    origin: str | None = request.header("origin")
    return origin
