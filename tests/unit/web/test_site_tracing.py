"""Tests of what the site tells a tracer of requests."""

from __future__ import annotations

from tests.unit.tracing_doubles import RequestSpan, Tracer
from tests.unit.web.case import RegistryCase
from txregistry.testing.registry import MemoryRegistry


class SiteTracingTests(RegistryCase):
    """Each request has one span."""

    def setUp(self) -> None:
        """Make a registry that is traced."""
        self.tracer = Tracer()
        self.registry = MemoryRegistry(tracer=self.tracer)

    def span(self) -> RequestSpan:
        """Return the only span."""
        (span,) = self.tracer.requests
        return span

    def test_route(self) -> None:
        """A span has the method, the endpoint's path and the time of its beginning."""
        self.registry.clock.advance(7.0)
        self.ask("GET", "/v2/library/hello/tags/list", {"traceparent": "given"})
        span = self.span()
        expected = ("GET", "/v2/{name}/tags/list", "http", 7.0, ["given"], True)
        found = (span.method, span.route, span.scheme, span.began, span.parent)
        self.assertEqual(expected, (*found, span.entered))

    def test_prefix(self) -> None:
        """The endpoint's path is the whole one, with the prefix."""
        self.registry = MemoryRegistry(prefix="/some/", tracer=self.tracer)
        self.ask("GET", "/some/v2/")
        self.assertEqual("/some/v2/", self.span().route)

    def test_end(self) -> None:
        """A span ends once, with what came of the request."""
        self.ask("GET", "/v2/library/hello/manifests/latest")
        (exchange,) = self.span().exchanges
        self.assertEqual((404, "library/hello"), (exchange.status, exchange.repository))

    def test_no_route(self) -> None:
        """A request without an endpoint has a span, too, that nothing is a part of."""
        self.ask("GET", "/v3/")
        span = self.span()
        self.assertEqual(
            ("", False, 1), (span.route, span.entered, len(span.exchanges))
        )

    def test_no_request(self) -> None:
        """What is refused before it is a request has a span."""
        wire = self.registry.connect()
        wire.send(b"nonsense\r\n\r\n")
        (exchange,) = self.span().exchanges
        self.assertEqual(400, exchange.status)

    def test_leaving(self) -> None:
        """The span of a request whose client leaves ends then."""
        wire = self.registry.connect()
        target = b"/v2/library/hello/blobs/uploads/?digest=sha256:" + b"0" * 64
        wire.send(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n" % target)
        span = self.span()
        self.assertEqual([], span.exchanges)
        wire.hang_up()
        (exchange,) = span.exchanges
        self.assertEqual(499, exchange.status)
