"""Manifests: what a repository's tags and digests stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from txregistry.deferreds import shielded
from txregistry.interfaces import (
    IStorageDriver,
    PathNotFound,
    Put,
    Tell,
    Together,
    tell_nobody,
)
from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import CANONICAL, Digest
from txregistry.oci.errors import DigestInvalid, ManifestInvalid, ManifestUnknown
from txregistry.oci.events import Activity, manifest_activity
from txregistry.oci.manifests import Manifest
from txregistry.oci.names import Tag
from txregistry.registry import links
from txregistry.registry.blobs import Blobs
from txregistry.registry.changes import apply
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.registry.locks import Locks
from txregistry.registry.parsing import parse_manifest
from txregistry.registry.referrers import Referrers
from txregistry.registry.rules import ManifestRules
from txregistry.registry.stays import stays
from txregistry.registry.tags import Tags
from txregistry.threads import InThread


class Manifests:
    """The manifests of one repository."""

    def __init__(
        self,
        driver: IStorageDriver,
        layout: RepositoryLayout,
        blobs: Blobs,
        tags: Tags,
        referrers: Referrers,
        rules: ManifestRules,
        locks: Locks,
        in_thread: InThread,
        tell: Tell = tell_nobody,
    ) -> None:
        """Take the store, the repository's paths and other nouns, rules and tools."""
        self._driver = driver
        self._layout = layout
        self._blobs = blobs
        self._tags = tags
        self._referrers = referrers
        self._rules = rules
        self._locks = locks
        self._in_thread = in_thread
        self._tell = tell

    async def resolve(self, tag_or_digest: Tag | Digest) -> Digest:
        """Return the digest that a tag points to, or the digest itself.

        Raises:
            ManifestUnknown: There is no such tag.
        """
        if isinstance(tag_or_digest, Digest):
            return tag_or_digest
        return await self._tags.resolve(tag_or_digest)

    async def get(self, digest: Digest) -> Manifest:
        """Return a manifest (end-3).

        Raises:
            ManifestUnknown: The repository does not hold it.
            ManifestInvalid: What lies there is none that this version knows.
        """
        target = await self._target(digest)
        if target is None:
            raise self._unknown(digest)
        try:
            content = await self._driver.get_content(blob_data(target))
        except PathNotFound:
            raise self._unknown(digest) from None
        return await self._parse(content, None)

    async def parse(self, content: bytes, media_type: str | None) -> Manifest:
        """Read a manifest that is being pushed.

        Args:
            content: Its bytes.
            media_type: What it is said to be; None: what its content looks like.

        Raises:
            ManifestInvalid: It is not that.
        """
        if media_type is None:
            media_type = (await self._parse(content, None)).media_type
        return await self._parse(content, media_type)

    def stays(self, digest: Digest, tag: Tag | None) -> Callable[[], bool] | None:
        """Return what says whether the repository has a manifest still; see ``stays``.

        Args:
            digest: The manifest's.
            tag: The tag that it was found by, which must point to it still.
        """
        link = self._layout.revision_link(digest)
        tag_link = None if tag is None else self._layout.tag_link(tag)
        return stays(self._driver, link, digest, tag_link=tag_link)

    async def holds(self, digest: Digest) -> bool:
        """Say whether the repository holds a manifest."""
        stays = self.stays(digest, None)
        if stays is not None and stays():
            return True
        return await self._target(digest) is not None

    async def put(
        self, manifest: Manifest, digest: Digest | None, tags: Sequence[Tag]
    ) -> Digest:
        """Store a manifest and make tags point to it (end-7a, end-7b).

        Once it has begun to write it goes on to the end, also if the caller leaves.

        Args:
            manifest: The manifest, as its bytes were pushed.
            digest: What it is to be known by; must be that of its content, and is if it
                is None.
            tags: The tags; none: it is known by its digest only.

        Returns:
            What it is known by.

        Raises:
            DigestInvalid: The digest is not the content's.
            Several: It names what the repository lacks, or what it must not name.
            Denied: Policy does not take it.
        """
        found = Digest.of(manifest.content, digest.algorithm if digest else CANONICAL)
        if digest not in (None, found):
            raise DigestInvalid(str(digest))
        await self._rules.check(manifest, self._holds_blob, self._holds_child)
        await shielded(Deferred.fromCoroutine(self._store(manifest, found, tags)))
        return found

    async def delete(self, digest: Digest) -> None:
        """Take a manifest out of the repository, and every tag that points to it.

        Raises:
            ManifestUnknown: The repository does not hold it.
        """
        if await self._target(digest) is None:
            raise self._unknown(digest)
        await shielded(Deferred.fromCoroutine(self._remove(digest)))

    async def _store(
        self, manifest: Manifest, digest: Digest, tags: Sequence[Tag]
    ) -> None:
        # Data, then what leads to it, and last the tag, which had pointed elsewhere.
        # It is written also where it is: whoever did before may not be done with it.
        data = Put(blob_data(digest), manifest.content)
        linking = self._linking(manifest, digest)
        indexing = [self._tags.indexing(tag, digest) for tag in tags]
        pointing = [self._tags.pointing(tag, digest) for tag in tags]
        made = [Together([data, *linking, *indexing]), Together(pointing)]
        async with self._locks.held(self._layout.name, tags):
            await apply(self._driver, made)
            if not await self.holds(digest):
                # Another process deleted it, and may not have seen the tags any more.
                await apply(self._driver, linking)
            told = self._tell(self._pushed(manifest, digest, tags))
        # Its place among what is done here is fixed; the lock is for others now.
        await told

    def _linking(self, manifest: Manifest, digest: Digest) -> list[Put]:
        revision = links.put(self._layout.revision_link(digest), digest)
        return [*self._referrers.recording(manifest, digest), revision]

    async def _remove(self, digest: Digest) -> None:
        async with self._locks.held(self._layout.name):
            if await self._target(digest) is None:
                raise self._unknown(digest)
            try:
                manifest: Manifest | None = await self.get(digest)
            except (ManifestUnknown, ManifestInvalid):  # then it has no subject
                manifest = None
            tags = await self._tags.pointing_to(digest)
            # Before it is done: a deletion cannot be repeated if the telling fails.
            await self._tell(
                [self._deleted(manifest, digest), *map(self._tags.deleted, tags)]
            )
            for tag in tags:
                await self._tags.detach(tag, digest)
            await self._unlink(manifest, digest)
            # Another process may have tagged it meanwhile.
            for tag in await self._tags.pointing_to(digest):
                await self._tell([self._tags.deleted(tag)])
                await self._tags.detach(tag, digest)

    async def _unlink(self, manifest: Manifest | None, digest: Digest) -> None:
        if manifest is not None:
            await self._referrers.forget(manifest, digest)
        try:
            await self._driver.delete(self._layout.revision_link(digest))
        except PathNotFound:
            raise self._unknown(digest) from None

    def _deleted(self, manifest: Manifest | None, digest: Digest) -> Activity:
        media_type, size = "", 0
        if manifest is not None:
            media_type, size = manifest.media_type, len(manifest.content)
        target = Descriptor(media_type, digest, size)
        return Activity("delete", self._layout.name, target)

    def _pushed(
        self, manifest: Manifest, digest: Digest, tags: Sequence[Tag]
    ) -> list[Activity]:
        name = self._layout.name
        return [
            manifest_activity("push", name, manifest, digest, tag)
            for tag in tags or (None,)
        ]

    async def _holds_blob(self, blob: Descriptor) -> bool:
        return await self._blobs.holds(blob.digest, blob.size)

    async def _holds_child(self, child: Descriptor) -> bool:
        return await self.holds(child.digest)

    async def _parse(self, content: bytes, media_type: str | None) -> Manifest:
        return await parse_manifest(self._in_thread, content, media_type)

    async def _target(self, digest: Digest) -> Digest | None:
        return await links.read(self._driver, self._layout.revision_link(digest))

    def _unknown(self, digest: Digest) -> ManifestUnknown:
        return ManifestUnknown({"name": str(self._layout.name), "digest": str(digest)})
