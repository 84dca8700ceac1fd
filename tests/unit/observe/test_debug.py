"""Tests of the debug listener and its pages."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.service_case import ServiceCase
from txregistry import __version__
from txregistry.config import ConfigError
from txregistry.observe.debug import Content, Page, make_debug_site
from txregistry.observe.profiling import ProfilePages

DEBUG = "http: {addr: '127.0.0.1:5000', debug: {addr: '127.0.0.1:5001'"


class Some:
    """Pages for tests."""

    def pages(self) -> list[Page]:
        """See Pages."""
        return [
            Page("/plain", lambda parameters: Content(repr(parameters).encode()), "a"),
            Page("/odd", lambda _: Content(b"{}", "application/json", 503), "b"),
            Page("/broken", self._break, "c"),
        ]

    def _break(self, _parameters: dict[str, str]) -> Content:
        raise RuntimeError("broken")


class SiteTests(SynchronousTestCase):
    """The listener."""

    def ask(self, target: str, method: str = "GET") -> tuple[int, str]:
        """Send a request; return status and body."""
        site = make_debug_site([Some()], Clock())
        channel: Any = site.buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        channel.dataReceived(f"{method} {target} HTTP/1.0\r\n\r\n".encode())
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        return int(head.split(" ")[1]), body

    def test_index(self) -> None:
        """At its root are all pages."""
        expected = "/plain   a\n/odd     b\n/broken  c\n"
        self.assertEqual((200, expected), self.ask("/"))

    def test_parameters(self) -> None:
        """A page gets the query's parameters, the first value of each."""
        self.assertEqual((200, "{'a': '1'}"), self.ask("/plain?a=1&a=2"))

    def test_status(self) -> None:
        """A page says which status it has."""
        self.assertEqual((503, "{}"), self.ask("/odd"))

    def test_nothing(self) -> None:
        """What is no page, or asked for by another method, is not found."""
        self.assertEqual(404, self.ask("/none")[0])
        self.assertEqual(404, self.ask("/plain", "POST")[0])
        self.assertEqual((404, "404\n"), self.ask("/%ff"))

    def test_broken(self) -> None:
        """A page that fails is logged, and shows nothing of it."""
        self.assertEqual((500, "500\n"), self.ask("/broken"))
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))


class ProfileTests(SynchronousTestCase):
    """A profile of the CPU."""

    def setUp(self) -> None:
        """Take the page."""
        self.clock = Clock()
        (self.page,) = ProfilePages(self.clock).pages()

    def start(self, **parameters: str) -> Deferred[Content]:
        """Ask for the page."""
        shown: Any = self.page.show(parameters)
        return Deferred.fromCoroutine(shown)

    def test_profile(self) -> None:
        """After so many seconds it says what ran."""
        profile = self.start(seconds="2")
        self.clock.advance(1.9)
        self.assertNoResult(profile)
        self.clock.advance(0.1)
        self.assertIn(b"function calls", self.successResultOf(profile).body)

    def test_one_at_a_time(self) -> None:
        """There is one at a time; a second one is told so."""
        first = self.start()
        self.assertEqual(409, self.successResultOf(self.start()).status)
        first.cancel()
        self.failureResultOf(first)
        again = self.start()
        self.clock.advance(10)
        self.assertEqual(200, self.successResultOf(again).status)

    def test_bad_seconds(self) -> None:
        """Seconds that cannot be are refused."""
        for seconds in ("x", "0", "-1", "301", "nan"):
            content = self.successResultOf(self.start(seconds=seconds))
            self.assertEqual(400, content.status, seconds)


class ServiceTests(ServiceCase):
    """The listener of a registry."""

    def ask_debug(self, settings: str, target: str) -> str:
        """Start a registry; return what its debug listener shows."""
        self.serve(settings)
        ports = [port for port, *_ in self.reactor.tcpServers]
        visitor = self.reactor.connect(ports.index(5001))
        return visitor.ask("GET", target).decode().partition("\r\n\r\n")[2]

    def test_versions(self) -> None:
        """It shows versions."""
        found = json.loads(self.ask_debug(f"{DEBUG}}}}}\n", "/debug/versions"))
        self.assertEqual(__version__, found["txregistry"])

    def test_settings(self) -> None:
        """It shows the settings, but no secrets."""
        text = (
            f"{DEBUG}}}, secret: sesame}}\n"
            "notifications: {endpoints: [{name: a, url: 'http://u:sesame@127.0.0.1/',"
            " headers: {Authorization: [sesame]},"
            " secrets: [sesame sesame sesame sesame]}]}\n"
        )
        shown = self.ask_debug(text, "/debug/settings")
        self.assertEqual("***", json.loads(shown)["http"]["secret"])
        self.assertNotIn("sesame", shown)

    def test_requests(self) -> None:
        """It shows the requests that run, and nothing of others."""
        visitor = self.serve(f"{DEBUG}}}}}\n")
        location = visitor.ask("POST", "/v2/a/blobs/uploads/").decode()
        target = location.partition("\r\nLocation: ")[2].split("\r\n")[0]
        visitor.channel.dataReceived(
            f"PATCH {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
            "Content-Type: application/octet-stream\r\n\r\nhello".encode()
        )
        ports = [port for port, *_ in self.reactor.tcpServers]
        debug = self.reactor.connect(ports.index(5001))
        shown = debug.ask("GET", "/debug/requests").decode().partition("\r\n\r\n")[2]
        (running,) = json.loads(shown)
        self.assertEqual(
            ("PATCH", "blob_upload_chunk", "a", 5),
            tuple(running[k] for k in ("method", "route", "repository", "received")),
        )
        self.assertIn("_state=***", running["uri"])

    def test_stacks(self) -> None:
        """It shows what each thread is doing: one is showing this."""
        self.assertIn("_show_stacks", self.ask_debug(f"{DEBUG}}}}}\n", "/debug/stacks"))

    def test_metrics(self) -> None:
        """With Prometheus enabled there are metrics, also without an address."""
        text = "http: {debug: {prometheus: {enabled: true}}}\n"
        visitor_text = self.ask_debug(text, "/metrics")
        self.assertIn("registry_build_info", visitor_text)

    def test_same_path(self) -> None:
        """Metrics at the path of another page are refused, with the key."""
        prometheus = "prometheus: {enabled: true, path: /livez}"
        error = self.assertRaises(
            ConfigError, self.make, f"http: {{debug: {{{prometheus}}}}}\n"
        )
        self.assertIn("http.debug.prometheus.path: is another page's", str(error))

    def test_off(self) -> None:
        """Unless it is asked for there is none."""
        self.serve()
        self.assertEqual(1, len(self.reactor.tcpServers))
