"""Tests of txregistry.web.app: routing, and the frame around every answer."""

from __future__ import annotations

from tests.unit.web.case import RegistryCase, code, head
from txregistry.oci.digest import Digest
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.cors import Cors

ABSENT = Digest.of(b"absent")

ENDPOINTS = {
    "/v2/": "GET, HEAD, OPTIONS",
    "/v2/_catalog": "GET, HEAD, OPTIONS",
    "/v2/a/tags/list": "GET, HEAD, OPTIONS",
    f"/v2/a/referrers/{ABSENT}": "GET, HEAD, OPTIONS",
    f"/v2/a/blobs/{ABSENT}": "DELETE, GET, HEAD, OPTIONS",
    "/v2/a/manifests/latest": "DELETE, GET, HEAD, OPTIONS, PUT",
    "/v2/a/blobs/uploads/": "OPTIONS, POST",
    "/v2/a/blobs/uploads/1": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
}


class MethodTests(RegistryCase):
    """Methods."""

    def test_options(self) -> None:
        """OPTIONS says which methods an endpoint takes."""
        for target, allowed in ENDPOINTS.items():
            answer = self.ask("OPTIONS", target)
            self.assertEqual((200, b""), (answer.status, answer.body))
            self.assertEqual(allowed, answer.header("allow"), target)
            self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_others(self) -> None:
        """Another method is refused with those that are taken."""
        for target, allowed in ENDPOINTS.items():
            for method in ("TRACE", "LINK", "M-SEARCH"):
                answer = self.ask(method, target)
                self.assert_refused(answer, 405, "UNSUPPORTED")
                self.assertEqual(allowed, answer.header("allow"), target)

    def test_small_letters(self) -> None:
        """Methods are written in capitals."""
        for method in ("get", "Put", "delete"):
            self.assertEqual((400, "UNSUPPORTED"), self.refused(method, "/v2/"))

    def test_options_asterisk(self) -> None:
        """OPTIONS of all the server is answered."""
        self.assertEqual(200, self.ask("OPTIONS", "*").status)

    def test_options_nowhere(self) -> None:
        """What is no endpoint has no methods."""
        self.assertEqual((404, "UNSUPPORTED"), self.refused("OPTIONS", "/v2/a/b"))


class PrefixTests(RegistryCase):
    """``http.prefix``."""

    def test_prefix(self) -> None:
        """With a prefix the API is below it, and nowhere else."""
        self.registry = MemoryRegistry(prefix="/my/images/")
        self.registry.push_image("a", "latest")
        target = "/my/images/v2/a/manifests/latest"
        self.assertEqual(200, self.ask("GET", target).status)
        self.assertEqual(200, self.ask("GET", "/my/images/v2/").status)
        for target in ("/v2/", "/v2/a/manifests/latest", "/my/v2/", "/my/imagesv2/"):
            self.assertEqual((404, "UNSUPPORTED"), self.refused("GET", target))


class HeadersTests(RegistryCase):
    """``http.headers``."""

    def test_headers(self) -> None:
        """The operator's headers are on every answer, refusals among them."""
        headers = {"X-Content-Type-Options": ["nosniff"], "X-More": ["a", "b"]}
        self.registry = MemoryRegistry(headers=headers)
        for method, target in (
            ("GET", "/v2/"),
            ("GET", "/nowhere"),
            ("POST", "/v2/"),
            ("OPTIONS", "/v2/"),
            ("GET", f"/v2/a/blobs/{ABSENT}"),
            ("POST", "/v2/a/blobs/uploads/"),
        ):
            answer = self.ask(method, target)
            self.assertEqual("nosniff", answer.header("x-content-type-options"))
            self.assertEqual(["a", "b"], answer.headers["x-more"])

    def test_standard(self) -> None:
        """Every answer says when, by whom and in which API it was given."""
        for target in ("/v2/", "/", "/nowhere", "/v2/A/tags/list", "/%00"):
            answer = self.ask("GET", target)
            self.assertEqual("test", answer.header("server"))
            self.assertEqual("Thu, 01 Jan 1970 00:00:00 GMT", answer.header("date"))


class ReadOnlyTests(RegistryCase):
    """Read-only mode."""

    def setUp(self) -> None:
        """Push an image, then make the registry read-only."""
        super().setUp()
        self.digest = self.registry.push_image("a", "latest")
        self.registry = MemoryRegistry(driver=self.registry.driver, read_only=True)

    def test_writes(self) -> None:
        """Whatever would write is refused, wherever."""
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for target in (*ENDPOINTS, "/nowhere"):
                refused = self.refused(method, target)
                self.assertEqual((405, "UNSUPPORTED"), refused, (method, target))

    def test_allowed(self) -> None:
        """The refusal says which methods are left, and so do all other answers."""
        for target, allowed in ENDPOINTS.items():
            left = {"GET", "HEAD", "OPTIONS"} & {*allowed.split(", ")}
            for method in ("OPTIONS", "PUT", "TRACE"):
                answer = self.ask(method, target)
                self.assertEqual(", ".join(sorted(left)), answer.header("allow"))
        self.assertEqual("OPTIONS", self.ask("PUT", "/nowhere").header("allow"))

    def test_body_unread(self) -> None:
        """A push is refused before its body comes."""
        wire = self.registry.connect()
        headers = {"Content-Length": "999999999", "Expect": "100-continue"}
        wire.send(head("PUT", "/v2/a/manifests/latest", headers))
        answer = wire.answer()
        self.assertEqual((405, "UNSUPPORTED"), (answer.status, code(answer)))

    def test_reads(self) -> None:
        """What only looks goes on as before."""
        for target in ("/v2/", "/v2/_catalog", "/v2/a/manifests/latest"):
            for method in ("GET", "HEAD", "OPTIONS"):
                self.assertEqual(200, self.ask(method, target).status)


class CorsTests(RegistryCase):
    """Pages of other sites."""

    origin = "https://ui.example"

    def setUp(self) -> None:
        """Let one site in."""
        cors = Cors(frozenset({self.origin}), 600.0)
        self.registry = MemoryRegistry(cors=cors)

    def test_let_in(self) -> None:
        """A page that is let in may read answers and their headers."""
        for target in ("/v2/", "/nowhere", f"/v2/a/blobs/{ABSENT}"):
            answer = self.ask("GET", target, {"Origin": self.origin})
            allowed = answer.header("access-control-allow-origin")
            self.assertEqual(self.origin, allowed)
            exposed = answer.header("access-control-expose-headers")
            self.assertIn("Docker-Content-Digest", exposed)
            self.assertEqual("Origin", answer.header("vary"))

    def test_others(self) -> None:
        """Any other page is not, nor are clients without one bothered."""
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {}):
            answer = self.ask("GET", "/v2/", headers)
            self.assertEqual(200, answer.status)
            self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_preflight(self) -> None:
        """A preflight is told what a page may send, and for how long that is so."""
        headers = {
            "Origin": self.origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type, x-mine",
        }
        answer = self.ask("OPTIONS", "/v2/a/manifests/latest", headers)
        self.assertEqual(200, answer.status)
        self.assertEqual(self.origin, answer.header("access-control-allow-origin"))
        methods = answer.header("access-control-allow-methods")
        self.assertEqual("GET, HEAD, POST, PUT, PATCH, DELETE", methods)
        allowed = answer.header("access-control-allow-headers")
        self.assertEqual("content-type, x-mine", allowed)
        self.assertEqual("600", answer.header("access-control-max-age"))

    def test_preflight_others(self) -> None:
        """The preflight of any other page is told nothing."""
        headers = {"Origin": "https://evil.example"}
        answer = self.ask("OPTIONS", "/v2/", headers)
        self.assertEqual(200, answer.status)
        found = [name for name in answer.headers if name.startswith("access-control")]
        self.assertEqual([], found)

    def test_preflight_odd_headers(self) -> None:
        """A preflight that asks for what is no header name is answered all the same."""
        headers = {
            "Origin": self.origin,
            "Access-Control-Request-Headers": "x-\xe9",
        }
        wire = self.registry.connect()
        wire.send(head("OPTIONS", "/v2/", headers))
        self.assertEqual(200, wire.answer().status)


class PathTests(RegistryCase):
    """Paths that nobody should send."""

    def status(self, target: bytes, method: bytes = b"GET") -> int:
        """Send a target as it is; return the status."""
        wire = self.registry.connect()
        wire.send(method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        return wire.answer(method != b"HEAD").status

    def test_clean_refusals(self) -> None:
        """Whatever a path holds, the answer is a 4xx, for every method."""
        targets = [
            b"//",
            b"//v2/",
            b"/%2Fv2/",
            b"v2/",
            b"*",
            b"/v2/a/tags/list%00",
            b"/v2/a%0d%0aX:y/tags/list",
            b"/v2/%7f/tags/list",
            b"/v2/%ff/tags/list",
            b"/v2/%c0%ae%c0%ae/tags/list",
            b"/v2/%e9/blobs/uploads/",
            "/v2/é/tags/list".encode(),
            b"/v2/../../etc/passwd",
            b"/v2/..%2f..%2fetc/tags/list",
            b"/v2/%2e%2e/%2e%2e/tags/list",
            b"/v2/a/../b/tags/list",
            b"/v2/./tags/list",
            b"/v2/a/%2e/manifests/latest",
            b"/v2/a//b/tags/list",
            b"/v2//a/tags/list",
            b"/v2/a/manifests/%2e%2e",
            b"/v2/a/manifests/..%2f..%2fx",
            b"/v2/a/blobs/%2e%2e",
            b"/v2/a/blobs/sha256:..%2f..%2f",
            b"/v2/a/blobs/uploads/..",
            b"/v2/a/blobs/uploads/%2e%2e%2f%2e%2e",
            b"/v2/_layers/tags/list",
            b"/v2/a/_manifests/tags/list",
            b"/v2/a%5cb/tags/list",
            b"/v2/" + b"a" * 256 + b"/tags/list",
            b"/v2/" + b"a/" * 128 + b"/tags/list",
            b"/v2/A/tags/list",
            b"/v2/localhost:5000/a/tags/list",
            b"/v2/%F0%9F%90%B3/tags/list",
            b"/v2/a/tags/list%3Fn=1",
            b"/v2/a/tags/list;n=1",
            b"/v2/a/tags/list%",
            b"/v2/a/tags/list%zz",
            b"/v2/{a}/tags/list",
            b"http:///v2/a",
        ]
        for method in (b"GET", b"HEAD", b"PUT", b"POST", b"PATCH", b"DELETE"):
            for target in targets:
                status = self.status(target, method)
                self.assertIn(status, range(400, 500), (method, target))
        listing = self.registry.driver.list_children("/")
        self.assertEqual([], self.successResultOf(listing))

    def test_encoded_slash(self) -> None:
        """A slash may come percent-encoded, as some clients and proxies send it."""
        self.registry.push_image("a/b", "latest")
        self.assertEqual(200, self.status(b"/v2/a%2Fb/manifests/latest"))
        self.assertEqual(200, self.status(b"/v2/a%2fb/tags%2Flist"))

    def test_absolute(self) -> None:
        """A target may be a whole URL (RFC 9112, 3.2.2)."""
        self.assertEqual(200, self.status(b"http://a/v2/"))
        self.assertEqual(200, self.status(b"HTTPS://a:5000/v2/"))

    def test_longest_name(self) -> None:
        """A name of 255 characters is one, in one piece or in many."""
        for name in ("a" * 255, "/".join(["a"] * 128), "a." * 127 + "a"):
            self.assertEqual(255, len(name))
            self.registry.push_image(name, "latest")
            target = f"/v2/{name}/manifests/latest"
            self.assertEqual(200, self.ask("GET", target).status)

    def test_not_utf8_parameter(self) -> None:
        """A parameter that is not UTF-8 is refused where it is read."""
        for method, target in (
            ("GET", "/v2/_catalog?last=%ff"),
            ("GET", "/v2/a/tags/list?n=%ff"),
            ("GET", f"/v2/a/referrers/{ABSENT}?artifactType=%ff"),
            ("POST", "/v2/a/blobs/uploads/?mount=%ff"),
            ("POST", "/v2/a/blobs/uploads/?digest=%ff"),
            ("PUT", f"/v2/a/manifests/{ABSENT}?tag=%ff"),
        ):
            self.assertEqual((400, "UNSUPPORTED"), self.refused(method, target))
