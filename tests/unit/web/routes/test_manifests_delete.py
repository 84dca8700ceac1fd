"""Tests of txregistry.web.routes.manifests: delete."""

from __future__ import annotations

import json

from tests.unit.web.routes.manifest_case import (
    ManifestCase,
    target,
)
from txregistry.oci.digest import Digest
from txregistry.registry.layout import blob_data
from txregistry.testing.registry import MemoryRegistry


class DeleteTests(ManifestCase):
    """end-9: DELETE."""

    def setUp(self) -> None:
        """Push an image under three tags, and another under a fourth."""
        super().setUp()
        self.content = self.image()
        self.digest = Digest.of(self.content)
        for tag in ("v1", "v1.0", "v"):
            self.put(tag, self.content)
        self.put("other", self.image(content=b"other"))

    def tags(self) -> list[str]:
        """Return the repository's tags."""
        tags: list[str] = json.loads(self.ask("GET", "/v2/a/b/tags/list").body)["tags"]
        return tags

    def test_tag(self) -> None:
        """A tag that is deleted is gone; its siblings and the manifest stay."""
        answer = self.ask("DELETE", target("v1"))
        self.assertEqual((202, b""), (answer.status, answer.body))
        self.assertEqual(["other", "v", "v1.0"], self.tags())
        self.assertEqual(404, self.pull("v1").status)
        for reference in ("v", "v1.0", self.digest):
            self.assertEqual(self.content, self.pull(reference).body)

    def test_last_tag(self) -> None:
        """A repository whose last tag was deleted is one without tags."""
        for tag in ("v1", "v1.0", "v", "other"):
            self.ask("DELETE", target(tag))
        self.assertEqual([], self.tags())

    def test_unknown_tag(self) -> None:
        """A tag that is not there cannot be deleted."""
        for tag in ("nope", "v1."):
            refused = self.refused("DELETE", target(tag))
            self.assertEqual((404, "MANIFEST_UNKNOWN"), refused)

    def test_digest(self) -> None:
        """A manifest that is deleted is gone with all of its tags, and no others."""
        self.assertEqual(202, self.ask("DELETE", target(self.digest)).status)
        for reference in ("v", "v1", "v1.0", self.digest):
            self.assertEqual(404, self.pull(reference).status)
        self.assertEqual(["other"], self.tags())

    def test_again(self) -> None:
        """What was deleted cannot be deleted again, but pushed."""
        self.ask("DELETE", target(self.digest))
        refused = self.refused("DELETE", target(self.digest))
        self.assertEqual((404, "MANIFEST_UNKNOWN"), refused)
        self.put("v1", self.content)
        self.assertEqual(self.content, self.pull("v1").body)

    def test_moved_tag(self) -> None:
        """A tag that has moved on since stays."""
        newer = self.image(content=b"newer")
        self.put("v1", newer)
        self.ask("DELETE", target(self.digest))
        self.assertEqual(newer, self.pull("v1").body)

    def test_other_repository(self) -> None:
        """What another repository holds stays there."""
        for name in ("a/b", "other"):
            self.registry.push_image(name, "mine", b"shared")
        body = self.ask("GET", "/v2/other/manifests/mine").body
        self.ask("DELETE", target(Digest.of(body)))
        self.assertEqual(200, self.ask("GET", "/v2/other/manifests/mine").status)

    def test_untagged(self) -> None:
        """A manifest that never had a tag can be deleted."""
        self.registry = MemoryRegistry()
        digest = self.registry.push_image("a/b")
        self.assertEqual(202, self.ask("DELETE", target(digest)).status)

    def test_content_gone(self) -> None:
        """What is left of a manifest whose content is gone can be deleted."""
        driver = self.registry.driver
        self.successResultOf(driver.delete(blob_data(self.digest)))
        self.assertEqual(202, self.ask("DELETE", target(self.digest)).status)
        self.assertEqual(["other"], self.tags())

    def test_disabled(self) -> None:
        """Where clients may not delete they are told so, of tags and of digests."""
        self.registry = MemoryRegistry(driver=self.registry.driver, can_delete=False)
        for reference in ("v1", "nope", self.digest):
            answer = self.ask("DELETE", target(reference))
            self.assert_refused(answer, 405, "UNSUPPORTED")
            self.assertEqual("GET, HEAD, OPTIONS, PUT", answer.header("allow"))
        self.assertEqual(self.content, self.pull("v1").body)
