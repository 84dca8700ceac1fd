"""Tests of txregistry.registry.rules: what a manifest must keep to."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.descriptors import Descriptor, Platform
from txregistry.oci.digest import Digest
from txregistry.oci.errors import Denied, Several
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import (
    DOCKER_FOREIGN,
    DOCKER_PLUGIN,
    OCI_CONFIG,
    OCI_FOREIGN,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from txregistry.registry.rules import ManifestRules, is_plain_url

URL = "https://example.com/layer"


def describe(
    content: bytes,
    media_type: str = OCI_LAYER,
    *urls: str,
    platform: Platform | None = None,
) -> Descriptor:
    """Return the descriptor of some content."""
    digest = Digest.of(content)
    return Descriptor(media_type, digest, len(content), urls=urls, platform=platform)


def image(*layers: Descriptor, config: str = OCI_CONFIG) -> Manifest:
    """Return an image."""
    described = describe(b"config", config)
    return Manifest(OCI_MANIFEST, b"", config=described, layers=layers)


def index(*children: Descriptor) -> Manifest:
    """Return an index."""
    return Manifest(OCI_INDEX, b"", manifests=children)


class RulesTests(SynchronousTestCase):
    """What is wrong with a manifest."""

    def setUp(self) -> None:
        """Have nothing but the config."""
        self.blobs = {Digest.of(b"config")}
        self.manifests: set[Digest] = set()
        self.asked: list[Digest] = []

    async def holds_blob(self, blob: Descriptor) -> bool:
        """Say whether there is a blob."""
        self.asked.append(blob.digest)
        return blob.digest in self.blobs

    async def holds_manifest(self, child: Descriptor) -> bool:
        """Say whether there is a manifest."""
        self.asked.append(child.digest)
        return child.digest in self.manifests

    def check(
        self, manifest: Manifest, rules: ManifestRules | None = None
    ) -> Deferred[None]:
        """Check a manifest."""
        rules = rules or ManifestRules()
        checking = rules.check(manifest, self.holds_blob, self.holds_manifest)
        return Deferred.fromCoroutine(checking)

    def wrong(
        self, manifest: Manifest, rules: ManifestRules | None = None
    ) -> list[tuple[str, object]]:
        """Return what is wrong: codes and details."""
        value = self.failureResultOf(self.check(manifest, rules), Several).value
        assert isinstance(value, Several)
        return [(error.code, error.detail) for error in value.errors]

    def assert_missing(
        self,
        contents: Iterable[bytes],
        manifest: Manifest,
        rules: ManifestRules | None = None,
    ) -> None:
        """Check that some contents are missed, in their order."""
        expected = [
            ("MANIFEST_BLOB_UNKNOWN", str(Digest.of(content))) for content in contents
        ]
        self.assertEqual(expected, self.wrong(manifest, rules))

    def test_complete(self) -> None:
        """An image whose blobs are all there is taken."""
        self.blobs.add(Digest.of(b"1"))
        self.successResultOf(self.check(image(describe(b"1"))))

    def test_missing(self) -> None:
        """All blobs that are missing are named, each once."""
        layers = [describe(each) for each in (b"1", b"2", b"1")]
        self.assert_missing([b"1", b"2"], image(*layers))

    def test_asked_once(self) -> None:
        """A blob that is named twice is looked for once."""
        self.blobs.add(Digest.of(b"1"))
        self.successResultOf(self.check(image(describe(b"1"), describe(b"1"))))
        self.assertEqual(2, len(self.asked))

    def test_children(self) -> None:
        """An index needs its manifests, as manifests."""
        children = [describe(each, OCI_MANIFEST) for each in (b"1", b"2")]
        self.manifests.add(Digest.of(b"1"))
        self.blobs.add(Digest.of(b"2"))
        self.assert_missing([b"2"], index(*children))

    def test_blob_children(self) -> None:
        """What an index lists beside manifests may be blobs, as in BuildKit's cache."""
        self.blobs.add(Digest.of(b"1"))
        self.manifests.add(Digest.of(b"2"))
        children = [describe(each, OCI_LAYER) for each in (b"1", b"2", b"3")]
        self.assert_missing([b"3"], index(*children))

    def test_sparse(self) -> None:
        """Where sparse manifests are taken nothing is looked for."""
        rules = ManifestRules(sparse=True)
        self.successResultOf(self.check(image(describe(b"1")), rules))
        child = describe(b"1", OCI_MANIFEST)
        self.successResultOf(self.check(index(child), rules))
        self.assertEqual([], self.asked)

    def test_platforms(self) -> None:
        """Where platforms are named, only their manifests must be there."""
        rules = ManifestRules(platforms=frozenset({("arm64", "linux")}))
        children = [
            describe(
                b"1", OCI_MANIFEST, platform=Platform(architecture="amd64", os="linux")
            ),
            describe(
                b"2", OCI_MANIFEST, platform=Platform(architecture="arm64", os="linux")
            ),
            describe(
                b"3",
                OCI_MANIFEST,
                platform=Platform(architecture="arm64", os="windows"),
            ),
            describe(b"4", OCI_MANIFEST),
        ]
        self.assert_missing([b"2"], index(*children), rules)
        none = ManifestRules(platforms=frozenset())
        self.successResultOf(self.check(index(*children), none))

    def test_foreign(self) -> None:
        """A layer that is elsewhere need not be here; one that is nowhere must."""
        rules = ManifestRules(permits_url=lambda _: True)
        for media_type in (DOCKER_FOREIGN, OCI_FOREIGN):
            elsewhere = describe(b"1", media_type, URL)
            self.successResultOf(self.check(image(elsewhere), rules))
            self.assert_missing([b"2"], image(describe(b"2", media_type)), rules)

    def test_urls(self) -> None:
        """By default no layer may name a place; what is wrong is said for each."""
        self.blobs.add(Digest.of(b"1"))
        layer = describe(b"1", OCI_LAYER, URL, "ftp://a")
        digest = str(Digest.of(b"1"))
        expected = [
            ("MANIFEST_INVALID", {"digest": digest, "url": url})
            for url in (URL, "ftp://a")
        ]
        self.assertEqual(expected, self.wrong(image(layer)))

    def test_all_that_is_wrong(self) -> None:
        """Places and missing blobs are said together."""
        layer = describe(b"1", OCI_LAYER, URL)
        codes = [code for code, _ in self.wrong(image(layer))]
        self.assertEqual(["MANIFEST_INVALID", "MANIFEST_BLOB_UNKNOWN"], codes)

    def test_classes(self) -> None:
        """Where classes are named, others are denied before anything is looked for."""
        expected = {
            OCI_CONFIG: {"class": "image"},
            DOCKER_PLUGIN: {"class": "plugin"},
            "text/plain": {"class": "text/plain"},
        }
        rules = ManifestRules(classes=frozenset({"chart"}))
        for config, detail in expected.items():
            checking = self.check(image(config=config), rules)
            value = self.failureResultOf(checking, Denied).value
            assert isinstance(value, Denied)
            self.assertEqual(detail, value.detail)
        self.assertEqual([], self.asked)

    def test_class_taken(self) -> None:
        """A class that is named is taken; an index has none and is taken too."""
        rules = ManifestRules(classes=frozenset({"image"}))
        self.successResultOf(self.check(image(), rules))
        self.successResultOf(self.check(index(), rules))


class PlainUrlTests(SynchronousTestCase):
    """URLs that a layer can be at."""

    def test_plain(self) -> None:
        """HTTP and HTTPS URLs without a fragment are plain."""
        for url in (URL, "http://a", "https://a/b?c=d", "HTTP://a"):
            self.assertTrue(is_plain_url(url), url)

    def test_others(self) -> None:
        """Nothing else is."""
        others = ("", "ftp://a", "https://a/#b", "https:", "/a", "http://[", "file:///")
        for url in others:
            self.assertFalse(is_plain_url(url), url)
