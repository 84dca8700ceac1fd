"""Referrers: the manifests that point at a subject (spec: Listing Referrers).

Each push of a manifest with a subject keeps that manifest's descriptor below the
subject's digest. Manifests that were pushed to a registry without the referrers API
are found through the index that clients kept for it under the referrers tag.
"""

from __future__ import annotations

import json
import re
from typing import Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces import IStorageDriver, PathNotFound, Put
from txregistry.oci.digest import Digest
from txregistry.oci.errors import DigestInvalid, ManifestInvalid, ManifestUnknown
from txregistry.oci.manifests import Descriptor, Manifest
from txregistry.oci.names import Tag
from txregistry.registry import links
from txregistry.registry.folders import children
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.registry.parsing import parse_manifest
from txregistry.registry.tags import Tags
from txregistry.threads import InThread
from txregistry.turns import Turns

# "Client and registry implementations SHOULD expect to be able to support manifest
# pushes of at least 4 megabytes": an answer is a manifest too.
LARGEST_PAGE: Final = 4 * 1024 * 1024 - 4096


@frozen
class Page:
    """Some of the referrers of a subject.

    Attributes:
        descriptors: The referrers, in the order of their digests.
        last: Behind which digest the next page goes on; None: there is none.
    """

    descriptors: list[Descriptor]
    last: str | None


class Referrers:
    """The referrers of one repository's manifests."""

    def __init__(
        self,
        driver: IStorageDriver,
        layout: RepositoryLayout,
        tags: Tags,
        clock: IReactorTime,
        in_thread: InThread,
    ) -> None:
        """Take the store, the repository's paths and tags, turns, and threads."""
        self._driver = driver
        self._layout = layout
        self._tags = tags
        self._clock = clock
        self._in_thread = in_thread

    def recording(self, manifest: Manifest, digest: Digest) -> list[Put]:
        """Return what keeps a manifest's descriptor below its subject, if any."""
        if manifest.subject is None:
            return []
        path = self._layout.referrer(manifest.subject.digest, digest)
        descriptor = json.dumps(manifest.referrer(digest).to_json())
        return [Put(path, descriptor.encode())]

    async def forget(self, manifest: Manifest, digest: Digest) -> None:
        """Take a manifest's descriptor away from below its subject."""
        if manifest.subject is None:
            return
        try:
            path = self._layout.referrer(manifest.subject.digest, digest)
            await self._driver.delete(path)
        except PathNotFound:
            pass

    async def page(
        self, subject: Digest, artifact_type: str | None, after: str, limit: int
    ) -> Page:
        """List the manifests that point at a subject, which need not exist itself.

        Args:
            subject: The digest pointed at.
            artifact_type: Only referrers of this kind; None: all.
            after: Only referrers whose digest's text is strictly behind this.
            limit: How many at the most, 1 or more.
        """
        found: list[Descriptor] = []
        size = 0
        candidates = await self._candidates(subject)
        turns = Turns(self._clock)
        for text in sorted(text for text in candidates if text > after):
            await turns.yield_if_due()
            digest = candidates[text]
            descriptor = await self._descriptor(subject, digest)
            if descriptor is None:
                continue
            if artifact_type not in (None, descriptor.artifact_type):
                continue
            size += len(json.dumps(descriptor.to_json()))
            if found and (len(found) == limit or size > LARGEST_PAGE):
                return Page(found, str(found[-1].digest))
            found.append(descriptor)
        return Page(found, None)

    async def _candidates(self, subject: Digest) -> dict[str, Digest]:
        found = await self._tagged(subject)
        return found | {str(each): each for each in await self._recorded(subject)}

    async def _recorded(self, subject: Digest) -> set[Digest]:
        folder = self._layout.referrers(subject)
        found = set()
        for algorithm in await children(self._driver, folder):
            for encoded in await children(self._driver, f"{folder}/{algorithm}"):
                found.add(Digest(algorithm, encoded))
        return found

    async def _tagged(self, subject: Digest) -> dict[str, Digest]:
        try:
            tag = referrers_tag(subject)
            digest = await self._tags.resolve(tag)
        except ManifestUnknown:
            return {}
        index = await self._manifest(digest)
        listed = () if index is None else index.manifests
        return {str(each.digest): each.digest for each in listed}

    async def _descriptor(self, subject: Digest, digest: Digest) -> Descriptor | None:
        if await links.read(self._driver, self._layout.revision_link(digest)) is None:
            return None  # deleted since, perhaps by a registry without this API
        try:
            path = self._layout.referrer(subject, digest)
            content = await self._driver.get_content(path)
            return Descriptor.parse(json.loads(content), "descriptor")
        except (PathNotFound, ValueError, ManifestInvalid):
            pass
        manifest = await self._manifest(digest)
        if manifest is None or manifest.subject is None:
            return None
        if manifest.subject.digest != subject:
            return None
        return manifest.referrer(digest)

    async def _manifest(self, digest: Digest) -> Manifest | None:
        try:
            content = await self._driver.get_content(blob_data(digest))
            return await parse_manifest(self._in_thread, content)
        except (PathNotFound, ManifestInvalid, DigestInvalid):
            return None


def referrers_tag(subject: Digest) -> Tag:
    """Return the tag under which clients kept referrers (Referrers Tag Schema)."""
    text = f"{subject.algorithm[:32]}-{subject.encoded[:64]}"
    return Tag(re.sub("[^a-zA-Z0-9._-]", "-", text))
