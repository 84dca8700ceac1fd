"""Tests of txregistry.web.routes.base: is there a registry here?"""

from __future__ import annotations

from tests.unit.web.case import RegistryCase
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Wire
from txregistry.web.app import Frame, make_resource
from txregistry.web.routes.base import NotYetRoutes


class BaseTests(RegistryCase):
    """end-1, and the path that load balancers ask for."""

    def test_base(self) -> None:
        """The base is an empty JSON object, not a byte more."""
        answer = self.ask("GET", "/v2/")
        self.assertEqual((200, b"{}"), (answer.status, answer.body))
        self.assertEqual("application/json", answer.header("content-type"))
        self.assertEqual("2", answer.header("content-length"))

    def test_without_slash(self) -> None:
        """The base is there without its slash too, and not as a redirect."""
        self.assertEqual(200, self.ask("GET", "/v2").status)

    def test_head(self) -> None:
        """HEAD says the same without the body."""
        answer = self.ask("HEAD", "/v2/")
        self.assertEqual((200, "2"), (answer.status, answer.header("content-length")))

    def test_other_method(self) -> None:
        """The base takes no other method, and says which it takes."""
        answer = self.ask("POST", "/v2/", body=b"")
        self.assert_refused(answer, 405, "UNSUPPORTED")
        self.assertEqual("GET, HEAD, OPTIONS", answer.header("allow"))

    def test_root(self) -> None:
        """The root answers whoever asks whether anybody is there."""
        answer = self.ask("GET", "/")
        self.assertEqual((200, b""), (answer.status, answer.body))
        self.assertEqual("no-cache", answer.header("cache-control"))

    def test_root_below_prefix(self) -> None:
        """With a prefix it answers both there and at the prefix."""
        self.registry = MemoryRegistry(prefix="/images/")
        for target in ("/images/", "/images", "/"):
            self.assertEqual(200, self.ask("GET", target).status, target)
        self.assertEqual((404, "UNSUPPORTED"), self.refused("GET", "/other"))

    def test_unknown(self) -> None:
        """What is no endpoint is a 404 in the error envelope."""
        targets = ("/v1/", "/v2/_ping", "/v3/", "/v2/a/tags", "/v2/a/tags/list/")
        refusals = {target: self.refused("GET", target) for target in targets}
        self.assertEqual(dict.fromkeys(targets, (404, "UNSUPPORTED")), refusals)


class NotYetTests(RegistryCase):
    """Before the store is open."""

    def test_every_path(self) -> None:
        """Every request is asked to come again in a second."""
        resource = make_resource([NotYetRoutes()], Frame())
        for target in ("/", "/v2/", "/v2/a/blobs/uploads/"):
            for method in ("GET", "HEAD", "POST", "PATCH"):
                answer = Wire(resource).request(method, target)
                self.assertEqual(503, answer.status, (method, target))
                self.assertEqual("1", answer.header("retry-after"))

    def test_prefix(self) -> None:
        """So it is below a prefix, in the error envelope."""
        resource = make_resource([NotYetRoutes()], Frame(prefix="/images/"))
        for target in ("/images/v2/", "/"):
            answer = Wire(resource).request("GET", target)
            self.assert_refused(answer, 503, "UNAVAILABLE")
