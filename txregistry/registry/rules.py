"""Rules: what a manifest must keep to so that a repository takes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from txregistry.oci.errors import (
    Denied,
    ManifestBlobUnknown,
    ManifestInvalid,
    RegistryError,
    Several,
)
from txregistry.oci.manifests import Descriptor, Manifest
from txregistry.oci.mediatypes import MANIFESTS
from txregistry.turns import Turns

# So many things that are wrong with a manifest are listed, and then how many more.
MOST_LISTED: Final = 100

Holds = Callable[[Descriptor], Awaitable[bool]]
"""Says whether a repository holds some content."""


def _permits_none(_url: str) -> bool:
    return False


@define
class _Findings:
    """What is wrong with a manifest.

    Attributes:
        turns: Those of the search; None: it takes only one.
        listed: What is wrong, the first ``MOST_LISTED``.
        more: How much more is wrong.
    """

    turns: Turns | None
    listed: list[RegistryError] = field(factory=list)
    more: int = 0

    async def go_on(self) -> None:
        """Let others have their turns, before the next step."""
        if self.turns is not None:
            await self.turns.yield_if_due()

    def add(self, error: RegistryError) -> None:
        """Note what is wrong."""
        if len(self.listed) < MOST_LISTED:
            self.listed.append(error)
        else:
            self.more += 1

    def refuse(self) -> None:
        """Refuse the manifest, if anything is wrong.

        Raises:
            Several: All that is.
        """
        if self.more:
            message = f"and {self.more} more are wrong"
            self.listed.append(ManifestInvalid(message=message))
        if self.listed:
            raise Several(self.listed)


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
        clock: Gives others their turns while much is looked for; None: nothing does.
    """

    sparse: bool = False
    platforms: frozenset[tuple[str, str]] | None = None
    permits_url: Callable[[str], bool] = _permits_none
    classes: frozenset[str] = field(default=frozenset())
    clock: IReactorTime | None = field(default=None, eq=False, repr=False)

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
            Several: What is wrong with what it names.
        """
        self._check_class(manifest)
        turns = None if self.clock is None else Turns(self.clock)
        findings = _Findings(turns)
        await self._find_wrong_urls(manifest, findings)
        if not self.sparse:
            await _find_missing(_required_blobs(manifest), holds_blob, findings)
            children = self._required_children(manifest)
            await _find_missing_children(children, holds_blob, holds_manifest, findings)
        findings.refuse()

    def _check_class(self, manifest: Manifest) -> None:
        if not self.classes or manifest.config is None:
            return
        artifact_class = manifest.artifact_class()
        if artifact_class not in self.classes:
            what = artifact_class or manifest.config.media_type
            raise Denied(
                {"class": what}, message=f"registry does not take class {what}"
            )

    async def _find_wrong_urls(self, manifest: Manifest, findings: _Findings) -> None:
        for layer in manifest.layers_with_urls():
            for url in layer.urls:
                await findings.go_on()
                if not self.permits_url(url):
                    findings.add(_wrong_url(layer, url))

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


def _wrong_url(layer: Descriptor, url: str) -> ManifestInvalid:
    return ManifestInvalid(
        {"digest": str(layer.digest), "url": url},
        message=f"a layer names a URL that is not allowed: {url}",
    )


async def _find_missing_children(
    children: Iterable[Descriptor],
    holds_blob: Holds,
    holds_manifest: Holds,
    findings: _Findings,
) -> None:
    async def holds_either(child: Descriptor) -> bool:
        return await holds_blob(child) or await holds_manifest(child)

    # BuildKit's cache is an index of blobs.
    others = [child for child in children if child.media_type not in MANIFESTS]
    manifests = [child for child in children if child.media_type in MANIFESTS]
    await _find_missing(manifests, holds_manifest, findings)
    await _find_missing(others, holds_either, findings)


async def _find_missing(
    descriptors: Iterable[Descriptor], holds: Holds, findings: _Findings
) -> None:
    named = {descriptor.digest: descriptor for descriptor in descriptors}
    for digest, descriptor in named.items():
        await findings.go_on()
        if not await holds(descriptor):
            findings.add(ManifestBlobUnknown(str(digest)))


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
