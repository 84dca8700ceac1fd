"""Tests of txregistry.web.routes.manifests: pushes that are not taken."""

from __future__ import annotations

import json

from tests.unit.web.routes.manifest_case import (
    ManifestCase,
    child,
    encode,
    index,
    target,
)
from txregistry.oci.digest import Digest
from txregistry.oci.mediatypes import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
)

ABSENT = Digest.of(b"absent")


class RefusedPushTests(ManifestCase):
    """Manifests that are not taken."""

    def assert_push_refused(
        self, content: bytes, media_type: str | None = None, status: int = 400
    ) -> str:
        """Check that a manifest is refused and not there after; return the code."""
        answer = self.put("latest", content, media_type)
        self.assertEqual(status, answer.status, answer.body)
        self.assertEqual(404, self.pull("latest").status)
        return str(json.loads(answer.body)["errors"][0]["code"])

    def test_no_json(self) -> None:
        """What is no JSON object is MANIFEST_INVALID."""
        for content in (b"", b"x", b"[]", b"\xff", b"null", b'{"a":', b"[" * 100_000):
            code = self.assert_push_refused(content, OCI_MANIFEST)
            self.assertEqual("MANIFEST_INVALID", code)

    def test_other_type(self) -> None:
        """What is not of the type that it is pushed as is MANIFEST_INVALID."""
        for media_type in (DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST, OCI_ARTIFACT):
            code = self.assert_push_refused(self.image(), media_type)
            self.assertEqual("MANIFEST_INVALID", code)

    def test_unknown_type(self) -> None:
        """What is pushed as no manifest at all is MANIFEST_INVALID."""
        for media_type in ("application/json", "text/plain", "x", OCI_CONFIG):
            code = self.assert_push_refused(self.image(), media_type)
            self.assertEqual("MANIFEST_INVALID", code)

    def test_schema1(self) -> None:
        """Docker's first manifests are refused, and the message says so."""
        content = encode({"schemaVersion": 1, "name": "a", "tag": "b"})
        for media_type in (SCHEMA1, SCHEMA1_SIGNED):
            answer = self.put("latest", content, media_type)
            error = self.assert_refused(answer, 400, "MANIFEST_INVALID")
            self.assertIn("schema version 1", error["message"])

    def test_two_natures(self) -> None:
        """What could be read as an image and as an index is neither."""
        both = json.loads(self.image()) | {"manifests": []}
        code = self.assert_push_refused(encode(both))
        self.assertEqual("MANIFEST_INVALID", code)

    def test_missing(self) -> None:
        """All parts that the repository lacks are named, each once."""
        content = json.loads(self.image())
        absent = [Digest.of(b"1"), Digest.of(b"2"), Digest.of(b"3", "sha512")]
        gone = [
            {"mediaType": OCI_LAYER, "digest": str(digest), "size": 1}
            for digest in absent
        ]
        content["config"] = {**gone[0], "mediaType": OCI_CONFIG}
        content["layers"] += [*gone[1:], gone[1]]
        answer = self.put("latest", encode(content))
        self.assert_refused(answer, 400, "MANIFEST_BLOB_UNKNOWN")
        errors = json.loads(answer.body)["errors"]
        self.assertEqual({"MANIFEST_BLOB_UNKNOWN"}, {each["code"] for each in errors})
        self.assertEqual([str(each) for each in absent], [e["detail"] for e in errors])

    def test_elsewhere(self) -> None:
        """A blob of another repository is missing in this one."""
        content = self.image()
        headers = {"Content-Type": OCI_MANIFEST}
        refused = self.refused("PUT", "/v2/other/manifests/latest", headers, content)
        self.assertEqual((400, "MANIFEST_BLOB_UNKNOWN"), refused)

    def test_missing_children(self) -> None:
        """An index needs its manifests, as manifests and not as blobs."""
        content = self.image()
        self.registry.push_blob("a/b", content)
        code = self.assert_push_refused(index(child(content)))
        self.assertEqual("MANIFEST_BLOB_UNKNOWN", code)

    def test_digest(self) -> None:
        """A manifest of another digest than the path's is DIGEST_INVALID."""
        for digest in (ABSENT, Digest.of(b"absent", "sha512")):
            answer = self.put(digest, self.image())
            self.assert_refused(answer, 400, "DIGEST_INVALID")
            self.assertEqual(404, self.pull(digest).status)

    def test_bad_references(self) -> None:
        """What is neither tag nor digest is said to be the one that it looks like."""
        expected = {
            "sha256:abc": (400, "DIGEST_INVALID"),
            "md5:" + "0" * 32: (400, "DIGEST_INVALID"),
            "a:b:c": (400, "DIGEST_INVALID"),
            "-a": (400, "TAG_INVALID"),
            ".a": (400, "TAG_INVALID"),
            "a" * 129: (400, "TAG_INVALID"),
            "a%20b": (400, "TAG_INVALID"),
            "%C3%A9": (400, "TAG_INVALID"),
        }
        for method in ("GET", "PUT", "DELETE"):
            found = {each: self.refused(method, target(each)) for each in expected}
            self.assertEqual(expected, found)

    def test_longest_tag(self) -> None:
        """A tag of 128 characters is one."""
        self.assertEqual(201, self.put("a" * 128, self.image()).status)

    def test_bad_name(self) -> None:
        """What is no name is NAME_INVALID."""
        for method in ("GET", "PUT", "DELETE"):
            refused = self.refused(method, "/v2/A/manifests/latest")
            self.assertEqual((400, "NAME_INVALID"), refused)
