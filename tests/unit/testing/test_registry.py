"""Tests of txregistry.testing.registry: a registry in memory."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.mediatypes import OCI_INDEX
from txregistry.testing.registry import MemoryRegistry, Refused


class MemoryRegistryTests(SynchronousTestCase):
    """What client authors get."""

    def test_image(self) -> None:
        """An image that is pushed can be pulled."""
        registry = MemoryRegistry()
        digest = registry.push_image("library/hello", "latest", b"some layer")
        answer = registry.request("GET", "/v2/library/hello/manifests/latest")
        self.assertEqual(digest, Digest.of(answer.body))
        (layer,) = json.loads(answer.body)["layers"]
        target = f"/v2/library/hello/blobs/{layer['digest']}"
        self.assertEqual(b"some layer", registry.request("GET", target).body)

    def test_untagged(self) -> None:
        """Without a tag an image is known by its digest, below any prefix."""
        registry = MemoryRegistry(prefix="/images/")
        digest = registry.push_image("a")
        target = f"/images/v2/a/manifests/{digest}"
        self.assertEqual(200, registry.request("HEAD", target).status)

    def test_members(self) -> None:
        """An image can have further members."""
        registry = MemoryRegistry()
        digest = registry.push_image("a", annotations={"b": "c"})
        body = registry.request("GET", f"/v2/a/manifests/{digest}").body
        self.assertEqual({"b": "c"}, json.loads(body)["annotations"])

    def test_media_type(self) -> None:
        """A manifest can be pushed as what it does not say itself."""
        registry = MemoryRegistry()
        manifest: dict[str, JSON] = {"schemaVersion": 2, "manifests": []}
        registry.push_manifest("a", "b", manifest, OCI_INDEX)
        answer = registry.request("GET", "/v2/a/manifests/b")
        self.assertEqual(OCI_INDEX, answer.header("content-type"))

    def test_refused(self) -> None:
        """A push that is not taken is an error that carries the answer."""
        registry = MemoryRegistry(read_only=True)
        error = self.assertRaises(Refused, registry.push_image, "a", "b")
        self.assertEqual(405, error.answer.status)

    def test_shared_store(self) -> None:
        """Two registries on one store are two processes of one registry."""
        one = MemoryRegistry()
        other = MemoryRegistry(driver=one.driver, clock=one.clock, can_delete=False)
        one.push_image("a", "b")
        self.assertEqual(200, other.request("GET", "/v2/a/manifests/b").status)
        self.assertEqual(405, other.request("DELETE", "/v2/a/manifests/b").status)
