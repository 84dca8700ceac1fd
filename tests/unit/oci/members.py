"""Manifests' members, as the tests of manifests make them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.manifests import Descriptor, Manifest
from txregistry.oci.mediatypes import (
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

Members = dict[str, JSON]


def content(name: str) -> Digest:
    """Return the digest that a thing of that name has in these tests."""
    return Digest.of(name.encode())


def descriptor(name: str, media_type: str = OCI_LAYER, **others: JSON) -> Members:
    """Make a descriptor of a thing."""
    return {"mediaType": media_type, "digest": str(content(name)), "size": 5, **others}


CONFIG: Final = descriptor("config", OCI_CONFIG)
CHILD: Final = descriptor("child", OCI_MANIFEST)
SUBJECT: Final = descriptor("subject", OCI_MANIFEST)


def image(media_type: str = OCI_MANIFEST, **others: JSON) -> Members:
    """Make an image manifest's members; None leaves one out."""
    layers: JSON = [descriptor("layer")]
    return _without_none(
        {"schemaVersion": 2, "mediaType": media_type, "config": CONFIG},
        {"layers": layers},
        others,
    )


def index(media_type: str = OCI_INDEX, **others: JSON) -> Members:
    """Make an index's members; None leaves one out."""
    manifests: JSON = [CHILD]
    return _without_none(
        {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}, others
    )


def artifact(**others: JSON) -> Members:
    """Make an artifact manifest's members."""
    return {"mediaType": OCI_ARTIFACT, "artifactType": "a/b", **others}


def undeclared(members: Members) -> Members:
    """Leave out the media type."""
    return _without_none(members, {"mediaType": None})


def written(members: Mapping[str, JSON]) -> bytes:
    """Write a manifest."""
    return json.dumps(members).encode()


def pushed(members: Members, media_type: str | None = None) -> Manifest:
    """Read a manifest as it is pushed, under its own type if no other is said."""
    if media_type is None:
        media_type = str(members["mediaType"])
    return Manifest.parse(written(members), media_type)


def stored(members: Members) -> Manifest:
    """Read a manifest as it lies in a store."""
    return Manifest.parse(written(members))


def digests(descriptors: Iterable[Descriptor]) -> list[Digest]:
    """Return what descriptors point at."""
    return [each.digest for each in descriptors]


def _without_none(*parts: Members) -> Members:
    """Join members, the later ones counting, and leave out what is None."""
    joined = {key: value for part in parts for key, value in part.items()}
    return {key: value for key, value in joined.items() if value is not None}
