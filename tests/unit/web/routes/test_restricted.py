"""Tests of txregistry.web.routes: callers who may not do everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from tests.unit.web.case import RegistryCase, head
from txregistry.oci.access import Access
from txregistry.oci.digest import Digest
from txregistry.oci.errors import Denied
from txregistry.testing.registry import MemoryRegistry

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)


@define
class Guard:
    """Lets everybody in, and lets them do what they may.

    Attributes:
        may_pull: The names of the repositories that may be pulled from.
        refuses: Whether nobody is let in.
        asked: What was asked for: kinds, names and actions.
        unrestricted: See Caller.
    """

    may_pull: frozenset[str] = frozenset()
    refuses: bool = False
    asked: list[tuple[str, str, str]] = field(factory=list)
    unrestricted: bool = False

    async def admit(self, request: Any, accesses: Sequence[Access]) -> Guard:
        """See Admission."""
        self.asked += [(each.kind, each.name, each.action) for each in accesses]
        if self.refuses:
            raise Denied
        return self

    def recall(self, shown: object, peer: str, accesses: Sequence[Access]) -> None:
        """See Admission: it does not remember."""

    def may(self, *accesses: Access) -> bool:
        """See Caller."""
        return all(
            access.action == "pull" and access.name in self.may_pull
            for access in accesses
        )


class RestrictedCase(RegistryCase):
    """A registry with a guard."""

    def guard(self, *may_pull: str, refuses: bool = False) -> None:
        """Put a guard before the registry."""
        self.guarding = Guard(frozenset(may_pull), refuses)
        self.registry = MemoryRegistry(driver=self.registry.driver, gate=self.guarding)


class AccessTests(RestrictedCase):
    """What each endpoint asks for."""

    def test_endpoints(self) -> None:
        """An endpoint asks for what it does, on the repository in the path."""
        blob = f"/v2/a/b/blobs/{DIGEST}"
        manifest, tags = "/v2/a/b/manifests/c", "/v2/a/b/tags/list"
        uploads = "/v2/a/b/blobs/uploads/"
        pull = [("repository", "a/b", "pull")]
        push = [*pull, ("repository", "a/b", "push")]
        delete = [("repository", "a/b", "delete")]
        catalog = [("registry", "catalog", "*")]
        expected = {
            ("GET", "/v2/"): [],
            ("GET", blob): pull,
            ("HEAD", blob): pull,
            ("DELETE", blob): delete,
            ("GET", manifest): pull,
            ("HEAD", manifest): pull,
            ("PUT", manifest): push,
            ("DELETE", manifest): delete,
            ("GET", tags): pull,
            ("GET", f"/v2/a/b/referrers/{DIGEST}"): pull,
            ("POST", uploads): push,
            ("GET", f"{uploads}1"): pull,
            ("PATCH", f"{uploads}1"): push,
            ("PUT", f"{uploads}1"): push,
            ("DELETE", f"{uploads}1"): push,
            ("GET", "/v2/_catalog"): catalog,
        }
        found = {}
        for method, target in expected:
            self.guard()
            self.ask(method, target)
            found[method, target] = self.guarding.asked
        self.assertEqual(expected, found)

    def test_refused(self) -> None:
        """Who is not let in gets nothing, and no body is read."""
        self.guard(refuses=True)
        wire = self.registry.connect()
        headers = {"Content-Length": "99999", "Expect": "100-continue"}
        wire.send(head("PUT", "/v2/a/manifests/b", headers))
        self.assert_refused(wire.answer(), 403, "DENIED")
        for target in ("/v2/", "/v2/_catalog", "/v2/a/tags/list"):
            self.assertEqual((403, "DENIED"), self.refused("GET", target))

    def test_root(self) -> None:
        """The root is for load balancers, whom nobody asks who they are."""
        self.guard(refuses=True)
        self.assertEqual(200, self.ask("GET", "/").status)

    def test_bad_name(self) -> None:
        """What is no name is refused before anybody is asked."""
        self.guard(refuses=True)
        refused = self.refused("GET", "/v2/A/tags/list")
        self.assertEqual((400, "NAME_INVALID"), refused)


class MountTests(RestrictedCase):
    """Blobs of repositories that a caller may, or may not, pull from."""

    def setUp(self) -> None:
        """Push a blob to two repositories."""
        super().setUp()
        for name in ("open", "secret"):
            self.registry.push_blob(name, CONTENT)
            self.registry.push_image(name)

    def mount(self, query: str) -> int:
        """Ask for a mount; return the status."""
        target = f"/v2/mine/blobs/uploads/?mount={DIGEST}{query}"
        return self.ask("POST", target, body=b"").status

    def test_from(self) -> None:
        """It is taken over from where the caller may pull, and from nowhere else."""
        self.guard("open")
        self.assertEqual(201, self.mount("&from=open"))
        self.assertEqual(202, self.mount("&from=secret"))

    def test_any(self) -> None:
        """Without ``from`` too."""
        self.guard("open")
        self.assertEqual(201, self.mount(""))
        self.guard("other")
        self.assertEqual(202, self.mount(""))
        target = f"/v2/mine2/blobs/uploads/?mount={DIGEST}"
        self.assertEqual(202, self.ask("POST", target, body=b"").status)

    def test_unlinked(self) -> None:
        """Content that no repository holds any more is nobody's."""
        self.ask("DELETE", f"/v2/open/blobs/{DIGEST}")
        self.guard("open")
        self.assertEqual(202, self.mount(""))


class CatalogTests(RestrictedCase):
    """The list of repositories, for a caller who may not pull from all of them."""

    def names(self, query: str = "") -> list[str]:
        """Return the names on a page."""
        answer = self.ask("GET", f"/v2/_catalog{query}")
        names: list[str] = json.loads(answer.body)["repositories"]
        return names

    def test_visible(self) -> None:
        """Only those that may be pulled from are listed, and pages are full."""
        for name in "abcdefgh":
            self.registry.push_image(name)
        self.guard("b", "d", "g", "h")
        self.assertEqual(["b", "d", "g", "h"], self.names())
        self.assertEqual(["b", "d"], self.names("?n=2"))
        self.assertEqual(["g", "h"], self.names("?n=2&last=d"))
        self.assertNotIn("link", self.ask("GET", "/v2/_catalog?n=4").headers)
        self.assertIn("link", self.ask("GET", "/v2/_catalog?n=3").headers)

    def test_none(self) -> None:
        """There may be none."""
        self.registry.push_image("a")
        self.guard()
        self.assertEqual([], self.names())
        self.assertEqual([], self.names("?n=1"))
