"""Rules: what a manifest must keep to so that a repository takes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from attrs import field, frozen

from txregistry.oci.digest import Digest
from txregistry.oci.errors import (
    Denied,
    ManifestBlobUnknown,
    ManifestInvalid,
    RegistryError,
    Several,
)
from txregistry.oci.manifests import Descriptor, Manifest
from txregistry.oci.mediatypes import MANIFESTS

Holds = Callable[[Digest], Awaitable[bool]]


def _permits_none(_url: str) -> bool:
    return False


@frozen
class ManifestRules:
    """Rules for manifests.

    Attributes:
        sparse: Whether a manifest may name blobs and manifests that are not here.
        platforms: Which children of an index must be here: pairs of architecture and
            operating system; None: all of them.
        permits_url: Says whether a layer may name a URL at which it can be had.
        classes: The classes of artifact that are taken (``image``, ``plugin``); empty:
            all.
    """

    sparse: bool = False
    platforms: frozenset[tuple[str, str]] | None = None
    permits_url: Callable[[str], bool] = _permits_none
    classes: frozenset[str] = field(default=frozenset())

    async def check(
        self, manifest: Manifest, holds_blob: Holds, holds_manifest: Holds
    ) -> None:
        """Check a manifest that is being pushed.

        Args:
            manifest: The manifest.
            holds_blob: Says whether the repository holds a blob.
            holds_manifest: Says whether it holds a manifest.

        Raises:
            Denied: It is of a class that is not taken.
            Several: All that is wrong with what it names.
        """
        self._check_class(manifest)
        wrong = list(self._wrong_urls(manifest))
        if not self.sparse:
            wrong += await _missing(_required_blobs(manifest), holds_blob)
            children = self._required_children(manifest)
            wrong += await _missing_children(children, holds_blob, holds_manifest)
        if wrong:
            raise Several(wrong)

    def _check_class(self, manifest: Manifest) -> None:
        if not self.classes or manifest.config is None:
            return
        artifact_class = manifest.artifact_class()
        if artifact_class not in self.classes:
            what = artifact_class or manifest.config.media_type
            raise Denied(
                {"class": what}, message=f"registry does not take class {what}"
            )

    def _wrong_urls(self, manifest: Manifest) -> list[RegistryError]:
        return [
            ManifestInvalid(
                {"digest": str(layer.digest), "url": url},
                message=f"a layer names a URL that is not allowed: {url}",
            )
            for layer in manifest.layers
            for url in layer.urls
            if not self.permits_url(url)
        ]

    def _required_children(self, manifest: Manifest) -> tuple[Descriptor, ...]:
        if self.platforms is None:
            return manifest.manifests
        return tuple(
            child
            for child in manifest.manifests
            if child.platform is not None
            and (child.platform.architecture, child.platform.os) in self.platforms
        )


def _required_blobs(manifest: Manifest) -> tuple[Descriptor, ...]:
    # A foreign layer that names no place, and is not here, nobody could pull.
    homeless = [layer for layer in manifest.foreign_layers() if not layer.urls]
    return (*manifest.required_blobs(), *homeless)


async def _missing_children(
    children: Iterable[Descriptor], holds_blob: Holds, holds_manifest: Holds
) -> list[RegistryError]:
    async def holds_either(digest: Digest) -> bool:
        return await holds_blob(digest) or await holds_manifest(digest)

    # BuildKit's cache is an index of blobs.
    others = [child for child in children if child.media_type not in MANIFESTS]
    manifests = [child for child in children if child.media_type in MANIFESTS]
    return [
        *await _missing(manifests, holds_manifest),
        *await _missing(others, holds_either),
    ]


async def _missing(
    descriptors: Iterable[Descriptor], holds: Holds
) -> list[RegistryError]:
    digests = dict.fromkeys(descriptor.digest for descriptor in descriptors)
    return [
        ManifestBlobUnknown(str(digest))
        for digest in digests
        if not await holds(digest)
    ]


def is_plain_url(url: str) -> bool:
    """Say whether a URL can be one of a layer: http or https, without a fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.netloc + parts.path)
        and (not parts.fragment)
    )
