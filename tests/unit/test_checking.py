"""Tests of health, as the settings make it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.service_case import ServiceCase
from txregistry.config import ConfigError, load
from txregistry.observe.health import Stage

DEBUG = "http: {debug: {addr: '127.0.0.1:5001'}}\n"
STORE = "health: {storagedriver: {enabled: true, interval: 1s}}\n"


class CheckingCase(ServiceCase):
    """A registry with a file that takes it out of service."""

    def setUp(self) -> None:
        """Choose the file."""
        super().setUp()
        self.path = Path(self.mktemp())
        self.file = f"health: {{file: [{{file: {self.path}, interval: 1s}}]}}\n"

    def refused(self, text: str) -> str:
        """Make a service, which must fail; return the problem, without the file."""
        line = str(self.assertRaises(ConfigError, self.make, text))
        self.assertNotIn("\n", line)
        return line[line.index("temp:") + len("temp") :]


class RefusingTests(CheckingCase):
    """What clients see."""

    def test_all(self) -> None:
        """While a check fails every request is refused, those for "/" among them."""
        visitor = self.serve(self.file)
        self.path.touch()
        self.reactor.advance(1)
        for method, target in (
            ("GET", "/"),
            ("GET", "/v2/"),
            ("HEAD", "/v2/a/manifests/b"),
            ("POST", "/v2/a/blobs/uploads/"),
            ("OPTIONS", "/v2/"),
            ("GET", "/nowhere"),
            ("get", "/v2/"),
        ):
            self.assertEqual(503, visitor.status(method, target), target)
        self.path.unlink()
        self.reactor.advance(1)
        for target in ("/", "/v2/"):
            self.assertEqual(200, visitor.status("GET", target))

    def test_envelope(self) -> None:
        """The refusal is the Go registry's."""
        visitor = self.serve(self.file)
        self.path.touch()
        self.reactor.advance(1)
        answer = visitor.ask("GET", "/v2/")
        body = json.loads(answer.partition(b"\r\n\r\n")[2])
        error = {
            "code": "UNAVAILABLE",
            "message": "service unavailable",
            "detail": "health check failed: please see /debug/health",
        }
        self.assertEqual({"errors": [error]}, body)

    def test_body(self) -> None:
        """A push is refused before its body is asked for."""
        visitor = self.serve(self.file)
        self.path.touch()
        self.reactor.advance(1)
        answer = visitor.ask("PUT", "/v2/a/manifests/b", "Expect: 100-continue")
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)

    def test_store(self) -> None:
        """The check of a store that works lets requests through."""
        visitor = self.serve(STORE)
        self.reactor.pump([1] * 5)
        self.assertEqual(200, visitor.status("GET", "/v2/"))


class ServiceTests(CheckingCase):
    """Starting and stopping."""

    def test_pages(self) -> None:
        """The pages are on the debug listener."""
        self.serve(DEBUG + self.file)
        visitor = self.reactor.connect(1)
        for target in ("/debug/health", "/livez", "/readyz"):
            self.assertEqual(200, visitor.status("GET", target))
            self.assertEqual(404, visitor.status("POST", target))
        self.path.touch()
        self.reactor.advance(1)
        self.assertEqual(503, visitor.status("GET", "/debug/health"))
        self.assertEqual(503, visitor.status("GET", "/readyz"))
        self.assertEqual(200, visitor.status("GET", "/livez"))

    def test_drain(self) -> None:
        """While it drains it is alive, not ready, and checks nothing."""
        service = self.make(DEBUG + self.file)
        service.privilegedStartService()
        service.startService()
        visitor = self.reactor.connect(1)
        # Somebody who is connected keeps it from ending at once.
        client = self.reactor.connect(0)
        client.channel.dataReceived(b"GET / HTTP/1.1\r\n")
        stopped = service.stopService()
        self.assertNoResult(stopped)
        self.assertIs(Stage.DRAINING, service._health.stage)
        self.assertIn(b"draining", visitor.ask("GET", "/readyz"))
        self.assertEqual(200, visitor.status("GET", "/livez"))
        client.leave()
        self.successResultOf(stopped)


class SettingsTests(CheckingCase):
    """``health`` in the configuration."""

    def names(self, text: str, storage: str = "inmemory: {}") -> list[str]:
        """Return the names of the checks."""
        health = self.make(text, storage)._health
        return [poller._check.name for poller in health._pollers]

    def test_none(self) -> None:
        """Nothing is checked unless it is asked for."""
        self.assertEqual([], self.names(""))
        self.assertEqual([], self.names("health: {storagedriver: {interval: 1s}}"))

    def test_names(self) -> None:
        """Checks have the Go registry's names."""
        text = """health:
  storagedriver: {enabled: true}
  file: [{file: /x/y}]
  http: [{uri: 'http://example.com/up?a=b'}]
  tcp: [{addr: 'example.com:80'}, {addr: '[::1]:80'}, {addr: ':80'}]
"""
        expected = [
            "storagedriver_inmemory",
            "/x/y",
            "http://example.com/up?a=***",
            *("example.com:80", "[::1]:80", ":80"),
        ]
        self.assertEqual(expected, self.names(text))

    def test_secrets(self) -> None:
        """A name shows no password, and nothing of what stands in the query."""
        text = "health: {http: [{uri: 'http://u:hidden@example.com/?pass=hidden'}]}"
        [name] = self.names(text)
        self.assertEqual("http://***@example.com/?pass=***", name)

    def test_alike(self) -> None:
        """Names that differ in what is not shown are numbered."""
        uris = ", ".join(f"{{uri: 'http://a/?b={each}'}}" for each in "xyz")
        shown = "http://a/?b=***"
        expected = [shown, f"{shown} (2)", f"{shown} (3)"]
        self.assertEqual(expected, self.names(f"health: {{http: [{uris}]}}"))

    def test_twice(self) -> None:
        """Two checks with one name are refused, with the place of the second."""
        text = "health:\n  {}:\n  - {}\n  - {}\n"
        for kind, entry, key in (
            ("file", "{file: /x}", "file.1.file"),
            ("http", "{uri: 'http://a/'}", "http.1.uri"),
            ("tcp", "{addr: 'a:1'}", "tcp.1.addr"),
        ):
            problem = self.refused(text.format(kind, entry, entry))
            self.assertEqual(f":7: health.{key}: is another check's, too", problem)

    def test_twice_across(self) -> None:
        """Names are compared whatever is checked."""
        text = "health:\n  file: [{file: 'a:1'}]\n  tcp: [{addr: 'a:1'}]\n"
        self.assertIn(":6: health.tcp.0.addr: is another", self.refused(text))

    def test_missing(self) -> None:
        """A check without what it checks is refused."""
        for kind, key in (("file", "file"), ("http", "uri"), ("tcp", "addr")):
            problem = self.refused(f"health:\n  {kind}:\n  - {{interval: 1s}}\n")
            self.assertEqual(f":6: health.{kind}.0.{key}: is missing", problem)

    def test_wrong(self) -> None:
        """Values that make no sense are refused."""
        for text, problem in (
            ("storagedriver: {interval: -1s}", "interval: must be 10ms or more"),
            ("storagedriver: {interval: 10}", "interval: must be 10ms or more"),
            ("storagedriver: {threshold: -1}", "threshold: must not be negative"),
            ("http: [{uri: nowhere}]", "uri: must be a URL such as"),
            ("http: [{uri: 'http://a', statuscode: 99}]", "must be a status such as"),
            ("tcp: [{addr: a}]", "addr: must be an address such as"),
            ("tcp: [{addr: 'a:1', timeout: -1s}]", "timeout: must not be negative"),
        ):
            self.assertIn(problem, self.refused(f"health: {{{text}}}\n"))

    def test_zero(self) -> None:
        """Zeros are the defaults, as in the Go registry."""
        zeros = "interval: 0, threshold: 0, timeout: 0"
        text = f"""health:
  storagedriver: {{enabled: true, {zeros}}}
  http: [{{uri: 'http://a', statuscode: 0, {zeros}}}]
  tcp: [{{addr: 'a:1', {zeros}}}]
"""
        health = self.make(text)._health
        made = [poller._schedule for poller in health._pollers]
        found = [(each.interval, each.timeout, each.threshold) for each in made]
        self.assertEqual([(10.0, 10.0, 1), (10.0, 5.0, 1), (10.0, 5.0, 1)], found)

    def test_writes(self) -> None:
        """Something is written, unless it is not wanted or the registry read-only."""
        folder = self.mktemp()
        store = f"filesystem: {{rootdirectory: {folder}}}"
        probe = Path(folder) / "docker/registry/v2/_txregistry/probe"
        read_only = "\nmaintenance: {readonly: {enabled: true}}"
        secret = "http: {secret: x}\n"
        for text, storage in (
            (STORE.replace("enabled", "write: false, enabled"), store),
            (STORE, store + read_only),
        ):
            self.serve(secret + text, storage)
            self.reactor.advance(1)
            self.assertFalse(probe.exists())
        self.serve(secret + STORE, store)
        self.reactor.advance(1)
        self.assertTrue(probe.exists())

    def test_no_warning(self) -> None:
        """Every key is acted on."""
        path = Path(self.mktemp())
        path.write_text(f"version: 0.1\nstorage: inmemory\n{self.file}")
        self.assertEqual((), load(str(path), {}).warnings)
