"""Tests of txregistry.oci.manifests: generated ones."""

from __future__ import annotations

import json
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import documents, generated
from tests.unit.oci.members import (
    CHILD,
    CONFIG,
    SUBJECT,
    Members,
    artifact,
    image,
    index,
    undeclared,
    written,
)
from txregistry.oci.errors import ManifestInvalid
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import IMAGES, INDEXES, MANIFESTS, OCI_MANIFEST

# Members as they may come, right, wrong, or anything.
described: Final = st.sampled_from([CONFIG, CHILD, SUBJECT]) | documents
listed: Final = st.lists(described, max_size=3) | documents
manifests: Final = st.fixed_dictionaries(
    {},
    optional={
        "schemaVersion": st.sampled_from([2, 2, 2, 1]) | documents,
        "mediaType": st.sampled_from(sorted(MANIFESTS)) | documents,
        "config": described,
        "layers": listed,
        "blobs": listed,
        "manifests": listed,
        "subject": described,
        "artifactType": documents,
        "annotations": documents,
    },
)


class AnyManifestTests(SynchronousTestCase):
    """Manifests of generated members."""

    @generated
    @given(manifests, st.sampled_from([None, "a/b", *sorted(MANIFESTS)]))
    def test_any_json(self, members: Members, media_type: str | None) -> None:
        """Any JSON is a manifest, or an error that can be written."""
        try:
            manifest = Manifest.parse(written(members), media_type)
        except ManifestInvalid as error:
            json.dumps(error.to_json(), ensure_ascii=False).encode()
        else:
            blobs = [*manifest.required_blobs(), *manifest.foreign_layers()]
            self.assertEqual(
                len(manifest.references()), len(blobs) + len(manifest.manifests)
            )

    @generated
    @given(st.binary() | documents.map(json.dumps).map(str.encode))
    def test_any_bytes(self, text: bytes) -> None:
        """Any bytes are a manifest or MANIFEST_INVALID."""
        for media_type in (None, OCI_MANIFEST):
            try:
                Manifest.parse(text, media_type)
            except ManifestInvalid:
                continue

    @generated
    @given(
        st.builds(
            image,
            st.sampled_from(sorted(IMAGES)),
            subject=st.none() | st.just(SUBJECT),
        )
        | st.builds(
            index,
            st.sampled_from(sorted(INDEXES)),
            manifests=st.lists(st.just(CHILD), max_size=2),
            annotations=st.dictionaries(st.text(), st.text(), max_size=2),
        )
        | st.builds(artifact, blobs=st.lists(st.just(CONFIG), max_size=2)),
        st.booleans(),
    )
    def test_read_back(self, members: Members, declared: bool) -> None:
        """What is pushed and taken is the same when it is read from the store."""
        media_type = str(members["mediaType"])
        text = written(members if declared else undeclared(members))
        try:
            manifest = Manifest.parse(text, media_type)
        except ManifestInvalid:
            self.assertFalse(declared)
            return
        self.assertEqual(manifest, Manifest.parse(text))
