"""Tests of txregistry.web.urls: where answers say that things are."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.unit.web.case import RegistryCase
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer

START = "/v2/a/blobs/uploads/"


class UrlsTests(RegistryCase):
    """Locations."""

    def location(self, headers: dict[str, str] | None = None) -> str:
        """Begin a session; return its location without path and query."""
        return origin(self.ask("POST", START, headers, b""))

    def test_host(self) -> None:
        """By default a location is at the host that the client asked for."""
        self.assertEqual("http://registry.test", self.location())

    def test_fixed_host(self) -> None:
        """A host that the operator named wins over everything."""
        self.registry = MemoryRegistry(
            host="https://images.example:8443", relative=True, trusts=lambda _: True
        )
        headers = {"X-Forwarded-Host": "other", "Forwarded": "host=other"}
        self.assertEqual("https://images.example:8443", self.location(headers))

    def test_relative(self) -> None:
        """Locations can be paths only."""
        self.registry = MemoryRegistry(relative=True)
        answer = self.ask("POST", START, body=b"")
        self.assertTrue(answer.header("location").startswith(START))

    def test_no_host(self) -> None:
        """To a client of HTTP/1.0 that names no host a location is a path."""
        wire = self.registry.connect()
        wire.send(f"POST {START} HTTP/1.0\r\n\r\n".encode())
        self.assertTrue(wire.answer().header("location").startswith(START))

    def test_port(self) -> None:
        """The client's port is kept."""
        wire = self.registry.connect()
        wire.send(f"POST {START} HTTP/1.1\r\nHost: [::1]:5000\r\n\r\n".encode())
        self.assertEqual("http://[::1]:5000", origin(wire.answer()))

    def test_untrusted(self) -> None:
        """Nobody is believed about where we are whom the operator does not name."""
        headers = {
            "Forwarded": "proto=https;host=evil",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil",
        }
        self.assertEqual("http://registry.test", self.location(headers))

    def test_prefix(self) -> None:
        """A location has the prefix."""
        self.registry = MemoryRegistry(prefix="/images/")
        answer = self.ask("POST", "/images" + START, body=b"")
        path = urlsplit(answer.header("location")).path
        self.assertTrue(path.startswith("/images" + START))

    def test_all(self) -> None:
        """Blobs and manifests are where sessions are."""
        self.registry = MemoryRegistry(host="https://images.example", prefix="/x/")
        digest = self.registry.push_image("a", "latest")
        body = self.ask("GET", "/x/v2/a/manifests/latest").body
        headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        answer = self.ask("PUT", "/x/v2/a/manifests/latest", headers, body)
        expected = f"https://images.example/x/v2/a/manifests/{digest}"
        self.assertEqual(expected, answer.header("location"))
        blob = self.registry.push_blob("a", b"x")
        target = f"/x/v2/a/blobs/uploads/?mount={blob}&from=a"
        answer = self.ask("POST", target, body=b"")
        expected = f"https://images.example/x/v2/a/blobs/{blob}"
        self.assertEqual(expected, answer.header("location"))


class ProxyTests(UrlsTests):
    """Behind a proxy that is trusted, all of the above, and what it reports."""

    def setUp(self) -> None:
        """Trust the client of the wire."""
        self.registry = MemoryRegistry(trusts=lambda peer: peer == "127.0.0.1")

    def test_untrusted(self) -> None:
        """What the proxy reports is believed."""
        expected = {
            "proto=https;host=images.example": "https://images.example",
            'host="images.example:8443"; proto=https': "https://images.example:8443",
            "for=1.2.3.4;proto=https, proto=http;host=x": "https://registry.test",
            "host=images.example": "http://images.example",
            "host=a;host=b": "http://registry.test",
            "host=a/b": "http://registry.test",
            "proto=ftp": "http://registry.test",
            "nonsense": "http://registry.test",
        }
        found = {each: self.location({"Forwarded": each}) for each in expected}
        self.assertEqual(expected, found)

    def test_x_forwarded(self) -> None:
        """So is the older form; of several proxies the first counts."""
        headers = {
            "X-Forwarded-Proto": "https, http",
            "X-Forwarded-Host": "images.example , inner",
        }
        self.assertEqual("https://images.example", self.location(headers))

    def test_both(self) -> None:
        """If both forms are there the standard one counts, whatever it says."""
        headers = {"Forwarded": "for=1.2.3.4", "X-Forwarded-Host": "other"}
        self.assertEqual("http://registry.test", self.location(headers))


def origin(answer: Answer) -> str:
    """Return scheme and host of an answer's location."""
    parts = urlsplit(answer.header("location"))
    return f"{parts.scheme}://{parts.netloc}"
