"""Blobs: content by digest, and the links that make it part of a repository."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.web.iweb import IBodyProducer

from txregistry.deferreds import shielded
from txregistry.interfaces import (
    IStorageDriver,
    PathNotFound,
    Put,
    Tell,
    tell_nobody,
)
from txregistry.oci.digest import Digest
from txregistry.oci.errors import BlobUnknown
from txregistry.oci.events import blob_activity
from txregistry.oci.names import Name
from txregistry.registry import links
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.registry.stays import stays


@frozen
class Blob:
    """A blob that a repository holds.

    Attributes:
        digest: What it was asked for by.
        path: Where its content lies in the store.
        size: Its length in bytes.
    """

    digest: Digest
    path: str
    size: int


class Blobs:
    """The blobs of one repository."""

    def __init__(
        self,
        driver: IStorageDriver,
        layout: RepositoryLayout,
        tell: Tell = tell_nobody,
    ) -> None:
        """Take the store, the repository's paths, and what is to hear of changes."""
        self._driver = driver
        self._layout = layout
        self._tell = tell

    async def find(self, digest: Digest) -> Blob:
        """Find a blob in the repository.

        Raises:
            BlobUnknown: The repository does not link it, or its content is gone.
        """
        target = await self._target(digest)
        if target is None:
            raise BlobUnknown(str(digest))
        return await self._content(digest, target)

    async def holds(self, digest: Digest, size: int | None = None) -> bool:
        """Say whether the repository holds a blob.

        Args:
            digest: The blob.
            size: How long it is said to be, in bytes, so that a store which is quick to
                see that this is there need not be asked more; None: nobody says.
        """
        if size is not None:
            stays = self.stays(Blob(digest, blob_data(digest), size))
            if stays is not None and stays():
                return True
        try:
            await self.find(digest)
        except BlobUnknown:
            return False
        return True

    async def open(
        self, blob: Blob, offset: int = 0, length: int | None = None
    ) -> IBodyProducer:
        """Open a blob that was found.

        Args:
            blob: What ``find`` returned.
            offset: The first byte wanted.
            length: How many bytes; None: all that follow.

        Raises:
            BlobUnknown: It went away in the meantime.
        """
        try:
            return await self._driver.open_reader(blob.path, offset, length)
        except PathNotFound:
            raise BlobUnknown(str(blob.digest)) from None

    async def content(self, blob: Blob) -> bytes:
        """Return the whole of a small blob that was found.

        Raises:
            BlobUnknown: It went away in the meantime.
        """
        try:
            return await self._driver.get_content(blob.path)
        except PathNotFound:
            raise BlobUnknown(str(blob.digest)) from None

    async def redirect_url(
        self, blob: Blob, method: str, lifetime: float
    ) -> str | None:
        """Name a URL at which the store itself serves a blob; see IStorageDriver."""
        return await self._driver.redirect_url(blob.path, method, lifetime)

    def stays(self, blob: Blob) -> Callable[[], bool] | None:
        """Return what says whether a blob is still there; see ``stays``."""
        link = self._layout.layer_link(blob.digest)
        data = (blob.path, blob.size)
        return stays(self._driver, link, blob.digest, data=data)

    def linking(self, digest: Digest) -> Put:
        """Return the change that makes a blob in the store part of the repository."""
        return links.put(self._layout.layer_link(digest), digest)

    async def unlink(self, digest: Digest) -> None:
        """Take a blob out of the repository; its content stays (end-10).

        Once it has begun it goes on to the end, also if the caller leaves.

        Raises:
            BlobUnknown: The repository does not hold it.
        """
        await shielded(Deferred.fromCoroutine(self._unlink(digest)))

    async def mount(self, digest: Digest, source: Name | None) -> Blob | None:
        """Take over a blob that another repository holds (end-11).

        Args:
            digest: The blob.
            source: The repository that is said to hold it; None: any may.

        Returns:
            The blob, linked here now; None if it is not there to be taken.
        """
        target: Digest | None = digest
        if source is not None:
            # Its link may lead from another algorithm to the canonical one.
            other = Blobs(self._driver, RepositoryLayout(source))
            target = await other._target(digest)
        if target is None:
            return None
        try:
            blob = await self._content(digest, target)
        except BlobUnknown:
            return None
        taking_over = self._take_over(blob, target, source)
        await shielded(Deferred.fromCoroutine(taking_over))
        return blob

    async def _take_over(self, blob: Blob, target: Digest, source: Name | None) -> None:
        if await self._target(blob.digest) is None:
            path = self._layout.layer_link(blob.digest)
            await links.write(self._driver, path, target)
        name = self._layout.name
        mounted = blob_activity("mount", name, blob.digest, blob.size, source)
        await self._tell([mounted])

    async def _unlink(self, digest: Digest) -> None:
        try:
            size = (await self.find(digest)).size
        except BlobUnknown:
            size = 0  # a link that leads nowhere can be deleted, too
        link = self._layout.layer_link(digest)
        try:
            await self._driver.stat(link)
            # Before it is done: a deletion cannot be repeated if the telling fails.
            await self._tell([blob_activity("delete", self._layout.name, digest, size)])
            await self._driver.delete(link)
        except PathNotFound:
            raise BlobUnknown(str(digest)) from None

    async def _target(self, digest: Digest) -> Digest | None:
        return await links.read(self._driver, self._layout.layer_link(digest))

    async def _content(self, digest: Digest, target: Digest) -> Blob:
        path = blob_data(target)
        try:
            found = await self._driver.stat(path)
        except PathNotFound:
            raise BlobUnknown(str(digest)) from None
        return Blob(digest, path, found.size)
