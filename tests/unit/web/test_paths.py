"""Tests of txregistry.web.paths: what is found is what the router says."""

from __future__ import annotations

from itertools import product

from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.routing import Rule

from txregistry.testing.registry import MemoryRegistry
from txregistry.web.app import Frame, make_resource
from txregistry.web.paths import Paths
from txregistry.web.routes.base import NotYetRoutes

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"]
_SEGMENTS = [
    *("", "a", "v2", "blobs", "uploads", "manifests", "tags", "list", "referrers"),
    *("_catalog", "a b", "\xe4", "sha256:0"),
]


class PathsTests(SynchronousTestCase):
    """Paths of a whole registry."""

    def differ(self, prefix: str) -> None:
        """Compare what is found of many paths with what the router finds."""
        registry = MemoryRegistry(prefix=prefix)
        app: Klein = registry.resource._app
        router, paths = app.url_map.bind("localhost"), Paths(app.url_map.iter_rules())
        found, below = 0, prefix + "v2/"
        for length in range(5):
            for segments in product(_SEGMENTS, repeat=length):
                if length > 3 and segments[0] not in ("a", "blobs"):
                    continue
                path = below + "/".join(segments)
                for method in ("GET", "PUT") if length > 2 else _METHODS:
                    quick = paths.find(method, path)
                    if quick is not None:
                        rule, parts = router.match(path, method, return_rule=True)
                        self.assertEqual((rule.endpoint, parts), quick, path)
                        found += 1
        self.assertGreater(found, 1000)

    def test_all(self) -> None:
        """What is found is the endpoint and the parts that the router finds."""
        self.differ("/")

    def test_prefix(self) -> None:
        """So it is behind a prefix."""
        self.differ("/pre.fix/")

    def test_found(self) -> None:
        """What clients ask a million times is found; what is none of ours is not."""
        app: Klein = MemoryRegistry().resource._app
        paths = Paths(app.url_map.iter_rules())
        for method, path in (
            ("POST", "/v2/a/b/blobs/uploads/"),
            ("PUT", "/v2/a/b/blobs/uploads/c"),
            ("PATCH", "/v2/a/b/blobs/uploads/c"),
            ("PUT", "/v2/a/b/manifests/c"),
            ("HEAD", "/v2/a/b/manifests/c"),
            ("HEAD", "/v2/a/b/blobs/c"),
            ("GET", "/v2/"),
        ):
            self.assertIsNotNone(paths.find(method, path))
        for path in ("/v2/a", "/v2/a/blobs/", "/v2//blobs/a", "/v3/", ""):
            self.assertIsNone(paths.find("GET", path))

    def test_other_rules(self) -> None:
        """Where there are rules of another kind, the router is asked of all."""
        for rule in (
            Rule("/v2/<int:number>", methods=["GET"], endpoint="number"),
            Rule("/v2/<path:rest>", methods=["GET"], endpoint="rest"),
            Rule("/v2/a", endpoint="any method"),
        ):
            plain = Rule("/v2/", methods=["GET"], endpoint="base")
            self.assertIsNone(Paths([plain, rule]).find("GET", "/v2/"))
        not_yet: Klein = make_resource([NotYetRoutes()], Frame())._app
        self.assertIsNone(Paths(not_yet.url_map.iter_rules()).find("GET", "/"))
