"""Tests of txregistry.oci.manifests: what is pushed, and what lies in a store."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.members import (
    CHILD,
    CONFIG,
    Members,
    artifact,
    content,
    descriptor,
    digests,
    image,
    index,
    pushed,
    stored,
    undeclared,
    written,
)
from txregistry.oci.errors import JSON, ManifestInvalid, Schema1Unsupported
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    IMAGES,
    INDEXES,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1S,
)


class ManifestCase(SynchronousTestCase):
    """Assertions about manifests."""

    def assert_refused(
        self, detail: str, members: Members, media_type: str | None = None
    ) -> None:
        """Assert that a push is refused, and with what detail."""
        error = self.assertRaises(ManifestInvalid, pushed, members, media_type)
        self.assertEqual((detail, 400), (error.detail, error.status))


class ImageTests(ManifestCase):
    """Image manifests that are pushed."""

    def test_parts(self) -> None:
        """An image has a config and layers."""
        manifest = pushed(image(annotations={"a": "b"}, artifactType="c/d"))
        assert manifest.config is not None
        self.assertEqual(content("config"), manifest.config.digest)
        self.assertEqual([content("layer")], digests(manifest.layers))
        self.assertEqual(
            ({"a": "b"}, "c/d"), (manifest.annotations, manifest.artifact_type)
        )

    def test_content(self) -> None:
        """The bytes are kept as they were pushed."""
        text = b" " + written(image()) + b"\n"
        self.assertEqual(text, Manifest.parse(text, OCI_MANIFEST).content)

    def test_media_type_case(self) -> None:
        """A content type is in any case; a manifest's is as pushed before."""
        self.assertEqual(OCI_MANIFEST, pushed(image(), OCI_MANIFEST.upper()).media_type)

    def test_undeclared(self) -> None:
        """An OCI manifest need not say what it is."""
        self.assertEqual(
            OCI_MANIFEST, pushed(undeclared(image()), OCI_MANIFEST).media_type
        )

    def test_docker(self) -> None:
        """Docker's manifest is read as OCI's is."""
        manifest = pushed(image(DOCKER_MANIFEST))
        self.assertEqual([content("layer")], digests(manifest.layers))

    def test_docker_undeclared(self) -> None:
        """Docker's manifest must say what it is."""
        self.assert_refused(
            f"mediaType: '', but pushed as {DOCKER_MANIFEST!r}",
            undeclared(image()),
            DOCKER_MANIFEST,
        )

    def test_other_type(self) -> None:
        """A manifest is not pushed as what it says it is not."""
        self.assert_refused(
            f"mediaType: {OCI_MANIFEST!r}, but pushed as {DOCKER_MANIFEST!r}",
            image(),
            DOCKER_MANIFEST,
        )

    def test_unknown_type(self) -> None:
        """A type that is no manifest's is refused by name."""
        for media_type in ("application/json", "", OCI_CONFIG):
            self.assert_refused(
                f"unsupported manifest media type {media_type!r}", image(), media_type
            )

    def test_schema_version(self) -> None:
        """The version is the integer 2."""
        for version in (1, 3, "2", 2.0, True):
            self.assert_refused("schemaVersion: not 2", image(schemaVersion=version))

    def test_no_schema_version(self) -> None:
        """The version is not left out."""
        members = image()
        del members["schemaVersion"]
        self.assert_refused("schemaVersion: not 2", members)

    def test_no_config(self) -> None:
        """An image has a config."""
        self.assert_refused("config: missing", image(config=None))

    def test_empty_config(self) -> None:
        """An empty object is no config."""
        self.assert_refused("config.mediaType: missing", image(config={}))

    def test_no_layers(self) -> None:
        """An image may have no layers, whichever way that is written."""
        for members in (
            image(layers=[]),
            image(layers=None),
            {**image(), "layers": None},
        ):
            self.assertEqual((), pushed(members).layers)

    def test_manifests(self) -> None:
        """An image that could be taken for an index is refused (CVE-2021-41190)."""
        for media_type in IMAGES:
            self.assert_refused(
                "manifests: expected an image, found an index",
                image(media_type, manifests=[]),
            )

    def test_bad_layer(self) -> None:
        """What is wrong with a layer is said with its place."""
        layers: JSON = [descriptor("a"), descriptor("b", size=-1)]
        self.assert_refused(
            "layers[1].size: not a number of bytes", image(layers=layers)
        )

    def test_bad_layers(self) -> None:
        """Layers are an array of objects."""
        self.assert_refused("layers: not an array", image(layers={}))
        self.assert_refused("layers[0]: not a JSON object", image(layers=["a"]))

    def test_bad_subject(self) -> None:
        """What is wrong with the subject is said."""
        self.assert_refused("subject.mediaType: missing", image(subject={}))
        self.assert_refused("subject: not a JSON object", image(subject="a"))

    def test_custom(self) -> None:
        """Members that we do not know are passed over."""
        text = written(image())[:-1] + b', "org.example": {"a": [1e999, -0.0, null]}}'
        self.assertEqual(OCI_MANIFEST, Manifest.parse(text, OCI_MANIFEST).media_type)

    def test_schema1(self) -> None:
        """Docker's first manifests are refused by name, whatever they hold."""
        for media_type in SCHEMA1S:
            error = self.assertRaises(Schema1Unsupported, pushed, image(), media_type)
            self.assertIn("schema version 1", error.message)


class IndexTests(ManifestCase):
    """Indexes that are pushed."""

    def test_parts(self) -> None:
        """An index has manifests, each perhaps with a platform."""
        platform: JSON = {"os": "linux", "architecture": "arm64", "variant": "v8"}
        manifest = pushed(index(manifests=[{**CHILD, "platform": platform}]))
        child = manifest.manifests[0]
        assert child.platform is not None
        self.assertEqual(
            (content("child"), "v8"), (child.digest, child.platform.variant)
        )

    def test_docker(self) -> None:
        """Docker's list is read as OCI's index is."""
        self.assertEqual(
            [content("child")], digests(pushed(index(DOCKER_LIST)).manifests)
        )

    def test_undeclared(self) -> None:
        """An OCI index need not say what it is."""
        self.assertEqual(OCI_INDEX, pushed(undeclared(index()), OCI_INDEX).media_type)

    def test_empty(self) -> None:
        """An index may be empty."""
        self.assertEqual((), pushed(index(manifests=[])).manifests)

    def test_null(self) -> None:
        """An index that says so may be empty as Go writes it."""
        self.assertEqual((), pushed({**index(), "manifests": None}).manifests)

    def test_undeclared_null(self) -> None:
        """What nothing tells from an image is no index."""
        members = {**undeclared(index()), "manifests": None}
        self.assert_refused("manifests: missing", members, OCI_INDEX)

    def test_missing(self) -> None:
        """An index has manifests."""
        self.assert_refused("manifests: missing", index(manifests=None))

    def test_image(self) -> None:
        """An index that could be taken for an image is refused (CVE-2021-41190)."""
        for media_type in INDEXES:
            self.assert_refused(
                "config: expected an index, found an image",
                index(media_type, config=CONFIG),
            )
            self.assert_refused(
                "layers: expected an index, found an image",
                index(media_type, layers=[]),
            )


class ArtifactTests(ManifestCase):
    """Artifact manifests of image-spec 1.1's release candidates."""

    def test_blobs(self) -> None:
        """Its blobs are the layers; there is no config and no version."""
        manifest = pushed(artifact(blobs=[descriptor("blob")]))
        self.assertEqual([content("blob")], digests(manifest.layers))
        self.assertIsNone(manifest.config)

    def test_undeclared(self) -> None:
        """It must say what it is."""
        self.assert_refused(
            f"mediaType: '', but pushed as {OCI_ARTIFACT!r}", {}, OCI_ARTIFACT
        )


class StoredTests(SynchronousTestCase):
    """Manifests in a store, which older registries have checked less."""

    def test_declared(self) -> None:
        """A manifest is what it says it is."""
        for members in (image(DOCKER_MANIFEST), index(DOCKER_LIST), artifact()):
            self.assertEqual(members["mediaType"], stored(members).media_type)

    def test_inferred(self) -> None:
        """One that does not say is an index if it has manifests, or else an image."""
        self.assertEqual(OCI_INDEX, stored(undeclared(index())).media_type)
        self.assertEqual(OCI_MANIFEST, stored(undeclared(image())).media_type)
        self.assertEqual(OCI_MANIFEST, stored({"schemaVersion": 2}).media_type)

    def test_schema1(self) -> None:
        """One of Docker's first manifests is told from what is broken."""
        members: Members = {"schemaVersion": 1, "name": "a", "signatures": []}
        self.assertRaises(Schema1Unsupported, stored, members)

    def test_unknown(self) -> None:
        """What is no manifest that we know is invalid."""
        for members in (
            {},
            {"schemaVersion": 3},
            {"schemaVersion": True},
            {"schemaVersion": 2, "mediaType": OCI_CONFIG},
        ):
            error = self.assertRaises(ManifestInvalid, stored, members)
            self.assertNotIsInstance(error, Schema1Unsupported)

    def test_ambiguous(self) -> None:
        """One that could be taken for another type is what it says it is."""
        manifest = stored(image(manifests=[CHILD]))
        self.assertEqual((OCI_MANIFEST, ()), (manifest.media_type, manifest.manifests))

    def test_unusable(self) -> None:
        """Descriptors that name no content that a store can hold are passed over."""
        bad: JSON = {"digest": "md5:abc", "size": 1}
        manifest = stored(image(config=bad, layers=[bad, descriptor("layer"), 1, None]))
        self.assertEqual(
            (None, [content("layer")]), (manifest.config, digests(manifest.layers))
        )

    def test_wrong_types(self) -> None:
        """Members of wrong types are passed over."""
        members = image(layers=1, subject=[], annotations={"a": 1}, artifactType=1)
        manifest = stored(members)
        self.assertEqual(
            ((), None, {}, None),
            (
                manifest.layers,
                manifest.subject,
                manifest.annotations,
                manifest.artifact_type,
            ),
        )
