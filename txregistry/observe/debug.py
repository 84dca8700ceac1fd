"""Debug: the listener for those who run the registry, and its pages.

It asks nobody who they are: it is for the machine itself, or a network of one's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from attrs import frozen
from klein import Klein
from klein.resource import KleinResource
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Site
from werkzeug.exceptions import HTTPException

_log = Logger()


@frozen
class Content:
    """What a page shows.

    Attributes:
        body: Its bytes.
        media_type: What they are.
        status: The HTTP status.
    """

    body: bytes
    media_type: str = "text/plain; charset=utf-8"
    status: int = 200


@frozen
class Page:
    """A page.

    Attributes:
        path: Where it is: ``/debug/health``.
        show: Returns its content; takes the query's parameters, the first value of
            each.
        title: What it is, in a few words, for the list of pages.
    """

    path: str
    show: Callable[[dict[str, str]], Content | Awaitable[Content]]
    title: str


class Pages(Protocol):
    """Some of the pages."""

    def pages(self) -> Sequence[Page]:
        """Return them."""


class DebugResource(KleinResource):
    """Klein's resource, which would log a path that is not UTF-8 as a fault."""

    def render(self, request: Any) -> Any:
        """See IResource."""
        try:
            b"/".join([*request.prepath, *request.postpath]).decode("utf-8")
        except UnicodeDecodeError:
            request.setResponseCode(404)
            request.setHeader(b"content-type", b"text/plain; charset=utf-8")
            return b"404\n"
        return super().render(request)


class DebugSite(Site):
    """The factory of connections to the debug listener."""

    noisy = False

    def log(self, request: Any) -> None:
        """See Site; nothing is logged: a metrics server asks every few seconds."""


def make_debug_site(parts: Sequence[Pages], reactor: Any) -> DebugSite:
    """Join pages into a site, with a list of them at ``/``."""
    app = Klein()
    pages = [page for part in parts for page in part.pages()]
    for page in [Page("/", lambda _: _index(pages), "all pages"), *pages]:
        _register(app, page)

    @app.handle_errors(Exception)
    def answer_failure(request: Any, failure: Failure) -> None:
        _answer_failure(request, failure)

    resource = DebugResource(app)
    return DebugSite(resource, reactor=reactor)


def _register(app: Klein, page: Page) -> None:
    async def handle(request: Any) -> bytes:
        parameters = {
            name.decode("latin-1"): values[0].decode("latin-1")
            for name, values in request.args.items()
        }
        shown = page.show(parameters)
        content = shown if isinstance(shown, Content) else await shown
        request.setResponseCode(content.status)
        request.setHeader(b"content-type", content.media_type.encode("ascii"))
        request.setHeader(b"content-length", str(len(content.body)).encode("ascii"))
        request.setHeader(b"cache-control", b"no-store")
        return content.body

    app.route(page.path, methods=["GET"], endpoint=page.path)(handle)


def _answer_failure(request: Any, failure: Failure) -> None:
    error = failure.value
    status = 500
    if isinstance(error, HTTPException):
        status = 404 if error.code == 405 else int(error.code or 500)
    elif not request._disconnected:
        _log.failure("a debug page failed", failure)
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    request.write(f"{status}\n".encode())


def _index(pages: Sequence[Page]) -> Content:
    width = max((len(page.path) for page in pages), default=0)
    lines = [f"{page.path:{width}}  {page.title}\n" for page in pages]
    return Content("".join(lines).encode())
