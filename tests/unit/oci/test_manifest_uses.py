"""Tests of txregistry.oci.manifests: what is asked of one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.members import (
    SUBJECT,
    Members,
    artifact,
    content,
    descriptor,
    digests,
    image,
    index,
    pushed,
    written,
)
from txregistry.oci.errors import JSON
from txregistry.oci.manifests import Descriptor, Manifest
from txregistry.oci.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN,
    DOCKER_MANIFEST,
    DOCKER_PLUGIN,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_FOREIGN,
    OCI_MANIFEST,
)


class ReferenceTests(SynchronousTestCase):
    """What a manifest refers to."""

    def setUp(self) -> None:
        """Make an image with every kind of layer."""
        url: JSON = ["https://example.com/layer"]
        self.manifest = pushed(
            image(
                layers=[
                    descriptor("layer"),
                    descriptor("with-url", urls=url),
                    descriptor("docker-foreign", f"{DOCKER_FOREIGN}.gzip", urls=url),
                    descriptor("docker-lost", f"{DOCKER_FOREIGN}.gzip"),
                    descriptor("oci-foreign", f"{OCI_FOREIGN}+zstd", urls=url),
                    descriptor("oci-here", OCI_FOREIGN),
                ],
                subject=SUBJECT,
            )
        )

    def assert_digests(self, descriptors: tuple[Descriptor, ...], *names: str) -> None:
        """Assert what descriptors point at."""
        self.assertEqual([content(name) for name in names], digests(descriptors))

    def test_required_blobs(self) -> None:
        """The config must be held, and each layer that may not lie elsewhere."""
        self.assert_digests(
            self.manifest.required_blobs(), "config", "layer", "with-url", "oci-here"
        )

    def test_foreign_layers(self) -> None:
        """Docker's foreign layers lie elsewhere, OCI's if they say where."""
        self.assert_digests(
            self.manifest.foreign_layers(),
            "docker-foreign",
            "docker-lost",
            "oci-foreign",
        )

    def test_layers_with_urls(self) -> None:
        """Layers with URLs are known, foreign or not."""
        self.assert_digests(
            self.manifest.layers_with_urls(),
            "with-url",
            "docker-foreign",
            "oci-foreign",
        )

    def test_references(self) -> None:
        """Everything but the subject is kept alive."""
        self.assertEqual(7, len(self.manifest.references()))
        self.assertNotIn(content("subject"), digests(self.manifest.references()))

    def test_index(self) -> None:
        """An index keeps its manifests alive and needs no blobs."""
        manifest = pushed(index())
        self.assert_digests(manifest.references(), "child")
        self.assert_digests(manifest.required_blobs())

    def test_artifact(self) -> None:
        """An artifact manifest needs its blobs."""
        manifest = pushed(artifact(blobs=[descriptor("blob")]))
        self.assert_digests(manifest.required_blobs(), "blob")
        self.assert_digests(manifest.references(), "blob")


class ArtifactClassTests(SynchronousTestCase):
    """What policy calls a manifest."""

    def assert_class(self, expected: str | None, manifest: Manifest) -> None:
        """Assert a manifest's class."""
        self.assertEqual(expected, manifest.artifact_class())

    def test_image(self) -> None:
        """A manifest with an image's config is an image."""
        for media_type in (OCI_CONFIG, DOCKER_CONFIG):
            config = descriptor("config", media_type)
            self.assert_class("image", pushed(image(config=config)))

    def test_plugin(self) -> None:
        """A manifest with a plugin's config is a plugin."""
        config = descriptor("config", DOCKER_PLUGIN)
        self.assert_class("plugin", pushed(image(DOCKER_MANIFEST, config=config)))

    def test_neither(self) -> None:
        """A manifest with another config is neither."""
        config = descriptor("config", OCI_EMPTY)
        self.assert_class(None, pushed(image(config=config)))

    def test_index(self) -> None:
        """An index has no class."""
        self.assert_class(None, pushed(index()))


class ReferrerTests(SynchronousTestCase):
    """How a list of referrers shows a manifest (spec: Listing Referrers)."""

    def referrer(self, members: Members) -> Descriptor:
        """Return the descriptor of a manifest that is pushed."""
        return pushed(members).referrer(content("manifest"))

    def test_describes(self) -> None:
        """It is a descriptor of the manifest, with the manifest's annotations."""
        members = image(subject=SUBJECT, artifactType="a/b", annotations={"c": "d"})
        expected = Descriptor(
            OCI_MANIFEST,
            content("manifest"),
            len(written(members)),
            annotations={"c": "d"},
            artifact_type="a/b",
        )
        self.assertEqual(expected, self.referrer(members))

    def test_config(self) -> None:
        """Of an image without an artifact type the config's type stands in."""
        for artifact_type in (None, ""):
            members = image(subject=SUBJECT, artifactType=artifact_type)
            self.assertEqual(OCI_CONFIG, self.referrer(members).artifact_type)

    def test_index(self) -> None:
        """An index that does not say its artifact type has none."""
        found = self.referrer(index(subject=SUBJECT))
        self.assertNotIn("artifactType", found.to_json())

    def test_typed_index(self) -> None:
        """An index that says its artifact type has it."""
        found = self.referrer(index(subject=SUBJECT, artifactType="a/b"))
        self.assertEqual("a/b", found.artifact_type)

    def test_artifact(self) -> None:
        """An artifact manifest says its artifact type itself."""
        self.assertEqual("a/b", self.referrer(artifact(subject=SUBJECT)).artifact_type)
