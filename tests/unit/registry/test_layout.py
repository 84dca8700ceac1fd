"""Tests of txregistry.registry.layout: the tree is the Go registry's."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.digest import Digest
from txregistry.oci.names import Name, Tag
from txregistry.registry import layout
from txregistry.registry.layout import RepositoryLayout, UploadLayout, blob_data

SHA256 = Digest("sha256", "ab" + "c" * 62)
SHA512 = Digest("sha512", "ef" + "0" * 126)
ROOT = "/docker/registry/v2"
REPOSITORY = f"{ROOT}/repositories/library/nginx"


class LayoutTests(SynchronousTestCase):
    """Paths, as registry:2 and registry:3 write them."""

    def setUp(self) -> None:
        """Take a repository."""
        self.layout = RepositoryLayout(Name("library/nginx"))

    def test_content(self) -> None:
        """Content lies under its digest, in folders by its first two letters."""
        encoded = SHA256.encoded
        path = f"{ROOT}/blobs/sha256/ab/{encoded}/data"
        self.assertEqual(path, blob_data(SHA256))
        encoded = SHA512.encoded
        path = f"{ROOT}/blobs/sha512/ef/{encoded}/data"
        self.assertEqual(path, blob_data(SHA512))

    def test_repository(self) -> None:
        """A repository's links lie under its name."""
        encoded, tag = SHA256.encoded, Tag("1.27")
        manifests = f"{REPOSITORY}/_manifests"
        expected = {
            self.layout.root: REPOSITORY,
            self.layout.manifests: manifests,
            self.layout.tags: f"{manifests}/tags",
            self.layout.layer_link(SHA256): (
                f"{REPOSITORY}/_layers/sha256/{encoded}/link"
            ),
            self.layout.revision_link(SHA256): (
                f"{manifests}/revisions/sha256/{encoded}/link"
            ),
            self.layout.tag(tag): f"{manifests}/tags/1.27",
            self.layout.tag_link(tag): f"{manifests}/tags/1.27/current/link",
            self.layout.tag_index_link(tag, SHA256): (
                f"{manifests}/tags/1.27/index/sha256/{encoded}/link"
            ),
        }
        for path, wanted in expected.items():
            self.assertEqual(wanted, path)

    def test_upload(self) -> None:
        """A session's files lie in its folder."""
        upload = UploadLayout(self.layout.upload("id"))
        self.assertEqual(f"{REPOSITORY}/_uploads/id/data", upload.data)
        self.assertEqual(f"{REPOSITORY}/_uploads/id/startedat", upload.started_at)
        state = f"{REPOSITORY}/_uploads/id/hashstates/sha256/7"
        self.assertEqual(state, upload.hash_state("sha256", 7))

    def test_ours(self) -> None:
        """What the Go registry does not have lies where it does not look."""
        encoded = SHA256.encoded
        path = (
            f"{REPOSITORY}/_referrers/sha512/{SHA512.encoded}/sha256/{encoded}"
            "/descriptor"
        )
        self.assertEqual(path, self.layout.referrer(SHA512, SHA256))
        self.assertEqual(f"{ROOT}/_txregistry/secret", layout.SECRET)
