"""The case under tests of manifests."""

from __future__ import annotations

import json

from tests.unit.web.case import RegistryCase
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)
from txregistry.testing.wire import Answer


class ManifestCase(RegistryCase):
    """A registry, and short ways to push manifests to ``a/b``."""

    def image(
        self, media_type: str = OCI_MANIFEST, content: bytes = b"a layer"
    ) -> bytes:
        """Push an image's blobs; return its manifest."""
        docker = media_type == DOCKER_MANIFEST
        config = DOCKER_CONFIG if docker else OCI_CONFIG
        layer = DOCKER_LAYER if docker else OCI_LAYER
        described = self.registry.push_described
        return encode(
            {
                "schemaVersion": 2,
                "mediaType": media_type,
                "config": described("a/b", config, b"{}"),
                "layers": [described("a/b", layer, content)],
            }
        )

    def put(
        self, tag_or_digest: object, content: bytes, media_type: str | None = None
    ) -> Answer:
        """Push a manifest as what it says that it is, or as something else."""
        if media_type is None:
            media_type = json.loads(content)["mediaType"]
        headers = {"Content-Type": media_type}
        return self.ask("PUT", target(tag_or_digest), headers, content)

    def pull(self, tag_or_digest: object, *accept: str) -> Answer:
        """Pull a manifest; ``accept``: the header's lines."""
        wire = self.registry.connect()
        lines = [f"GET {target(tag_or_digest)} HTTP/1.1", "Host: a"]
        lines += [f"Accept: {line}" for line in accept]
        wire.send("\r\n".join([*lines, "", ""]).encode())
        return wire.answer()


def target(tag_or_digest: object) -> str:
    """Return a manifest's path."""
    return f"/v2/a/b/manifests/{tag_or_digest}"


def encode(manifest: dict[str, JSON]) -> bytes:
    """Return a manifest as clients write it: over lines, so that bytes count."""
    return json.dumps(manifest, indent=3).encode()


def index(
    *children: dict[str, JSON], media_type: str = OCI_INDEX, **members: JSON
) -> bytes:
    """Return an index."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": children,
            **members,
        }
    )


def child(
    content: bytes, architecture: str = "amd64", os: str = "linux"
) -> dict[str, JSON]:
    """Return the descriptor of a manifest for an index."""
    return {
        "mediaType": json.loads(content)["mediaType"],
        "digest": str(Digest.of(content)),
        "size": len(content),
        "platform": {"architecture": architecture, "os": os},
    }
