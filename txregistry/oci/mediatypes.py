"""Media types that a registry knows by name (image-spec: Media Types)."""

from __future__ import annotations

from typing import Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
# In image-spec 1.1.0-rc1 and -rc2 only; clients of that time still push it.
OCI_ARTIFACT: Final = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"

IMAGES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
"""What has a config and layers."""

INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
"""What lists other manifests."""

MANIFESTS: Final = IMAGES | INDEXES | {OCI_ARTIFACT}
"""What this version takes and gives as a manifest."""

SCHEMA1S: Final = frozenset({SCHEMA1, SCHEMA1_SIGNED})
"""Docker's first image manifests, which this version does not take."""

OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_PLUGIN: Final = "application/vnd.docker.plugin.v1+json"

IMAGE_CONFIGS: Final = frozenset({OCI_CONFIG, DOCKER_CONFIG})
"""Configs that make a manifest a container image."""

OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYERS: Final = frozenset({OCI_LAYER, f"{OCI_LAYER}+gzip", f"{OCI_LAYER}+zstd"})
"""OCI layers that a registry holds."""

OCI_FOREIGN: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_FOREIGN_LAYERS: Final = frozenset(
    {OCI_FOREIGN, f"{OCI_FOREIGN}+gzip", f"{OCI_FOREIGN}+zstd"}
)
"""OCI layers that may lie elsewhere (image-spec: Non-Distributable Layers)."""

DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar"
DOCKER_FOREIGN_LAYERS: Final = frozenset({DOCKER_FOREIGN, f"{DOCKER_FOREIGN}.gzip"})
"""Docker layers that always lie elsewhere, such as Windows base layers."""

OCTET_STREAM: Final = "application/octet-stream"
JSON: Final = "application/json"
