"""Tags: names that point to manifests."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txregistry.deferreds import shielded
from txregistry.interfaces import (
    IStorageDriver,
    PathNotFound,
    Put,
    Tell,
    Vanish,
    tell_nobody,
)
from txregistry.oci.digest import Digest
from txregistry.oci.errors import ManifestUnknown, NameUnknown
from txregistry.oci.events import Activity
from txregistry.oci.names import Tag
from txregistry.registry import links
from txregistry.registry.changes import apply
from txregistry.registry.folders import children
from txregistry.registry.layout import CURRENT, RepositoryLayout
from txregistry.registry.locks import Locks
from txregistry.turns import Turns


class Tags:
    """The tags of one repository."""

    def __init__(
        self,
        driver: IStorageDriver,
        layout: RepositoryLayout,
        locks: Locks,
        clock: IReactorTime,
        tell: Tell = tell_nobody,
    ) -> None:
        """Take the store, the paths, the locks, turns, and what hears of changes."""
        self._driver = driver
        self._layout = layout
        self._locks = locks
        self._clock = clock
        self._tell = tell

    async def resolve(self, tag: Tag) -> Digest:
        """Return the digest of the manifest that a tag points to.

        Raises:
            ManifestUnknown: There is no such tag.
        """
        digest = await links.read(self._driver, self._layout.tag_link(tag))
        if digest is None:
            raise self._unknown(tag)
        return digest

    def indexing(self, tag: Tag, digest: Digest) -> Put:
        """Return the change that notes that a tag has pointed to a manifest."""
        return links.put(self._layout.tag_index_link(tag, digest), digest)

    def pointing(self, tag: Tag, digest: Digest) -> Put:
        """Return the change that makes a tag point to a manifest.

        Who makes it holds the lock on the tag, and has indexed it.
        """
        return links.put(self._layout.tag_link(tag), digest)

    async def delete(self, tag: Tag) -> None:
        """Delete a tag; the manifest stays (end-9).

        Once it has begun it goes on to the end, also if the caller leaves.

        Raises:
            ManifestUnknown: There is no such tag.
        """
        await shielded(Deferred.fromCoroutine(self._delete(tag)))

    async def detach(self, tag: Tag, digest: Digest) -> bool:
        """Delete a tag if it points to a manifest. The caller holds the lock.

        Returns:
            Whether it did.
        """
        current = await links.read(self._driver, self._layout.tag_link(tag))
        if current != digest:
            return False
        try:
            await self._remove(tag)
        except ManifestUnknown:  # another process was quicker
            return False
        return True

    def deleted(self, tag: Tag) -> Activity:
        """Return what was done when a tag was deleted."""
        return Activity("delete", self._layout.name, None, tag)

    async def page(self, after: str = "", limit: int | None = None) -> list[str]:
        """List tags, sorted by bytes (end-8a, end-8b).

        Args:
            after: Only tags strictly behind this one, which need not exist.
            limit: How many at the most; None: all.

        Raises:
            NameUnknown: There is no such repository.
        """
        try:
            # A crash inside a push, or a deletion by the Go registry that was cut off,
            # can leave a tag's folder without the link that makes it a tag. And what
            # begins with "-" or "." is no tag: it sorts before "/".
            return await self._driver.list_holders(
                self._layout.tags, CURRENT, max(after, "/"), limit
            )
        except PathNotFound:
            await self._require_repository()
            return []

    async def pointing_to(self, digest: Digest) -> list[Tag]:
        """List the tags that point to a manifest now. Reads every tag's link."""
        names = await children(self._driver, self._layout.tags)
        found = []
        turns = Turns(self._clock)
        for tag in map(Tag, names):
            await turns.yield_if_due()
            link = self._layout.tag_link(tag)
            if await links.read(self._driver, link) == digest:
                found.append(tag)
        return found

    async def _delete(self, tag: Tag) -> None:
        async with self._locks.held(self._layout.name):
            try:
                await self._driver.stat(self._layout.tag_link(tag))
            except PathNotFound:
                raise self._unknown(tag) from None
            # Before it is done: a deletion cannot be repeated if the telling fails.
            await self._tell([self.deleted(tag)])
            await self._remove(tag)

    async def _remove(self, tag: Tag) -> None:
        # Not the link alone: who has a list of the tags at hand looks only whether a
        # folder among them went.
        try:
            await apply(self._driver, [Vanish(self._layout.tag(tag), CURRENT)])
        except PathNotFound:
            raise self._unknown(tag) from None

    def _unknown(self, tag: Tag) -> ManifestUnknown:
        return ManifestUnknown({"name": str(self._layout.name), "tag": str(tag)})

    async def _require_repository(self) -> None:
        try:
            await self._driver.stat(self._layout.manifests)
        except PathNotFound:
            raise NameUnknown({"name": str(self._layout.name)}) from None
