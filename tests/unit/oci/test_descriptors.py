"""Tests of txregistry.oci.descriptors."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import digests, documents, generated
from txregistry.oci.descriptors import Descriptor, Platform
from txregistry.oci.digest import Digest
from txregistry.oci.documents import Document
from txregistry.oci.errors import JSON, ManifestInvalid
from txregistry.oci.mediatypes import OCI_LAYER

DIGEST = Digest.of(b"")

texts = st.text(max_size=9)
some = st.lists(texts, max_size=2).map(tuple)
platforms = st.builds(Platform, texts, texts, texts, texts, some, some)
descriptors = st.builds(
    Descriptor,
    st.text(min_size=1, max_size=9),
    digests,
    st.integers(min_value=0, max_value=2**63 - 1),
    some,
    st.dictionaries(texts, texts, max_size=2),
    st.none() | st.text(min_size=1, max_size=9),
    st.none() | platforms,
)


def members(**others: JSON) -> dict[str, JSON]:
    """Make a descriptor's members; None leaves one out."""
    found: dict[str, JSON] = {
        "mediaType": OCI_LAYER,
        "digest": str(DIGEST),
        "size": 0,
        **others,
    }
    return {key: value for key, value in found.items() if value is not None}


class DescriptorTests(SynchronousTestCase):
    """Reading and writing descriptors."""

    def refused(self, value: JSON) -> str:
        """Return why something is no descriptor of a push."""
        error = self.assertRaises(ManifestInvalid, Descriptor.parse, value, "layers[3]")
        return str(error.detail)

    def test_required(self) -> None:
        """A descriptor is a media type, a digest and a size."""
        expected = Descriptor(OCI_LAYER, DIGEST, 0)
        self.assertEqual(expected, Descriptor.parse(members(), "config"))

    def test_platform(self) -> None:
        """A platform's members are read by the specification's names."""
        platform: JSON = {"os": "windows", "architecture": "amd64", "os.version": "10"}
        found = Descriptor.parse(members(platform=platform), "manifests[0]")
        self.assertEqual(Platform("windows", "amd64", os_version="10"), found.platform)

    def test_unknown_members(self) -> None:
        """Members that we do not know are passed over."""
        Descriptor.parse(members(data="e30=", custom=[1]), "config")

    def test_missing(self) -> None:
        """What is required and missing is named with its place."""
        self.assertEqual(
            "layers[3].mediaType: missing", self.refused(members(mediaType=None))
        )
        self.assertEqual(
            "layers[3].digest: missing", self.refused(members(digest=None))
        )
        self.assertEqual(
            "layers[3].size: not a number of bytes", self.refused(members(size=None))
        )

    def test_bad_digest(self) -> None:
        """A bad digest makes the manifest invalid, and is named with its place."""
        detail = self.refused(members(digest="sha256:abc"))
        self.assertEqual(
            "layers[3].digest: invalid or unsupported digest: 'sha256:abc'", detail
        )

    def test_no_object(self) -> None:
        """What is no object is no descriptor."""
        self.assertEqual("layers[3]: not a JSON object", self.refused([]))

    def test_lenient(self) -> None:
        """In a store only the digest must be right."""
        value = members(mediaType=1, size=-1, urls={}, annotations=[], platform=1)
        found = Descriptor.parse(value, "config", strict=False)
        self.assertEqual(Descriptor("", DIGEST, 0), found)

    def test_hash(self) -> None:
        """Descriptors may be members of sets, whatever their annotations."""
        one = Descriptor.parse(members(annotations={"a": "b"}), "config")
        other = Descriptor.parse(members(annotations={"a": "b"}), "config")
        self.assertEqual({one}, {one, other})

    def test_written(self) -> None:
        """What is empty is not written."""
        self.assertEqual(members(), Descriptor(OCI_LAYER, DIGEST, 0).to_json())

    @generated
    @given(descriptors)
    def test_round_trip(self, descriptor: Descriptor) -> None:
        """What is written is read as the same descriptor."""
        text = json.dumps(descriptor.to_json())
        self.assertEqual(descriptor, Descriptor.parse(json.loads(text), "config"))

    @generated
    @given(
        documents
        | st.fixed_dictionaries(
            {"digest": digests.map(str) | documents},
            optional={
                "mediaType": documents | texts,
                "size": documents,
                "urls": documents,
                "annotations": documents,
                "artifactType": documents,
                "platform": documents,
            },
        ),
        st.booleans(),
    )
    def test_any_json(self, value: JSON, strict: bool) -> None:
        """Any JSON is a descriptor that can be written, or MANIFEST_INVALID."""
        try:
            found = Descriptor.parse(value, "config", strict=strict)
        except ManifestInvalid:
            return
        json.dumps(found.to_json(), ensure_ascii=False).encode()


class PlatformTests(SynchronousTestCase):
    """Platforms by themselves."""

    def test_features(self) -> None:
        """Features of the processor, which Docker's lists have, are kept."""
        document = Document({"features": ["sse4"]}, "platform", strict=True)
        self.assertEqual(
            {"os": "", "architecture": "", "features": ["sse4"]},
            Platform.parse(document).to_json(),
        )

    def test_wrong_type(self) -> None:
        """A member of a wrong type is refused in a push."""
        document = Document({"os": 1}, "platform", strict=True)
        self.assertRaises(ManifestInvalid, Platform.parse, document)
