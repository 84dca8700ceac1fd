"""Uploads: sessions in which a client pushes a blob, in one piece or in many.

All that a session is lies in the store: any process may serve any of its requests.
Before its first bytes come it is nothing but an id that the client holds, so that a
small blob that comes in one piece costs no more than to be written where it belongs.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.iweb import IBodyProducer

from txregistry.deferreds import shielded
from txregistry.interfaces import (
    Begin,
    Change,
    IFileWriter,
    IQuickLook,
    IStorageDriver,
    Note,
    PathBusy,
    PathNotFound,
    Publish,
    Put,
    Remove,
    StorageError,
    Tell,
    Together,
    tell_nobody,
)
from txregistry.oci.digest import CANONICAL, Digest
from txregistry.oci.errors import (
    BlobUploadBusy,
    BlobUploadUnknown,
    DigestInvalid,
    RangeInvalid,
)
from txregistry.oci.events import blob_activity
from txregistry.oci.hashing import ResumableHash
from txregistry.oci.uuids import RandomUUIDs
from txregistry.registry.blobs import Blob, Blobs
from txregistry.registry.changes import apply
from txregistry.registry.hashstates import HashStates
from txregistry.registry.layout import RepositoryLayout, UploadLayout, blob_data
from txregistry.registry.sessions import Session, Sessions
from txregistry.streams import Collector, Tee, pump

# What comes in one piece of at most so many bytes needs no session in the store.
SMALL: Final = 64 * 1024

# A client that lost its connection comes back before the process at the other end of
# the old one has noticed: it waits for the session so long, in such steps (seconds).
PATIENCE: Final = 2.0
STEP: Final = 0.05

_SESSION_ID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@frozen
class Upload:
    """Where an upload session stands.

    Attributes:
        session_id: A UUID.
        offset: How many bytes the registry has.
        started_at: When the session began (UTC); None: not known.
        is_new: Whether the store need not know of it yet.
    """

    session_id: str
    offset: int
    started_at: datetime | None = None
    is_new: bool = False


class Uploads:
    """The upload sessions of one repository."""

    def __init__(
        self,
        driver: IStorageDriver,
        layout: RepositoryLayout,
        blobs: Blobs,
        clock: IReactorTime,
        tell: Tell = tell_nobody,
        sessions: Sessions | None = None,
        new_id: Callable[[], object] | None = None,
    ) -> None:
        """Take the store, the paths and blobs, time, and what hears of changes."""
        self._sessions = sessions or Sessions()
        self._driver = driver
        self._layout = layout
        self._blobs = blobs
        self._clock = clock
        self._tell = tell
        self._new_id = new_id or RandomUUIDs()

    async def start(self, algorithm: str = CANONICAL) -> Upload:
        """Begin a session (end-4a, end-4c).

        Args:
            algorithm: That of the digest which the blob is to have.
        """
        now = self._clock.seconds()
        upload = Upload(str(self._new_id()), 0, _moment(now), is_new=True)
        if algorithm != CANONICAL:
            paths = self._paths(upload.session_id)
            states = self._states(paths).saving(ResumableHash(algorithm))
            await apply(self._driver, [*_beginning(paths, upload), *states])
        self._sessions.began(self._session(upload.session_id), now)
        return upload

    async def find(self, session_id: str, given: Upload | None = None) -> Upload:
        """Say where a session stands (end-13).

        Args:
            session_id: The session.
            given: Where it has stood, as the caller knows for sure; None: the store is
                all that knows.

        Raises:
            BlobUploadUnknown: There is no such session.
        """
        paths = self._paths(session_id)
        if given is not None and given.offset == 0 and self._is_absent(paths.data):
            return self._new(session_id, given)  # as most are that come to their end
        try:
            offset = (await self._driver.stat(paths.data)).size
        except PathNotFound:
            return self._new(session_id, given)
        started_at = None if given is None else given.started_at
        if started_at is None:
            started_at = await self._started_at(paths)
        return Upload(session_id, offset, started_at)

    async def append(self, upload: Upload, source: IBodyProducer) -> Upload:
        """Go on with a session (end-5).

        What arrived before the source failed or the caller was cancelled is kept: the
        session goes on from there.

        Args:
            upload: The session, where the client believes that it stands.
            source: The next bytes.

        Returns:
            Where it stands now.

        Raises:
            RangeInvalid: It does not stand there.
            BlobUploadUnknown: It is gone.
            BlobUploadBusy: Another request is writing to it.
        """
        paths = self._paths(upload.session_id)
        self._sessions.touched(self._session(upload.session_id))
        try:
            size = await self._append(paths, upload, source)
        except PathNotFound:
            raise await self._gone(paths) from None
        return Upload(upload.session_id, size, upload.started_at)

    async def commit(
        self, upload: Upload, digest: Digest, source: IBodyProducer | None
    ) -> Blob:
        """End a session: its bytes become a blob of the repository (end-6).

        Args:
            upload: The session, where the client believes that it stands.
            digest: What the client says that the bytes' digest is.
            source: The last bytes; None: it has them all.

        Raises:
            DigestInvalid: The digest is not that of the bytes. The session is gone.
            RangeInvalid: It does not stand there. It can go on.
            BlobUploadUnknown: It is gone.
            BlobUploadBusy: Another request is writing to it.
        """
        paths = self._paths(upload.session_id)
        self._sessions.touched(self._session(upload.session_id))
        if upload.is_new and source is not None and _is_small(source):
            return await self._commit_small(upload, digest, source)
        try:
            return await self._commit(paths, upload, digest, source)
        except PathNotFound:
            raise await self._gone(paths) from None

    async def cancel(self, upload: Upload) -> None:
        """Give a session up and drop what it had (end-14).

        Raises:
            BlobUploadUnknown: There is no such session.
        """
        session_id = upload.session_id
        is_new = upload.offset == 0 and not self._has_ended(session_id)
        try:
            await self._driver.delete(self._paths(session_id).root)
        except PathNotFound:
            if not is_new:
                raise BlobUploadUnknown({"uuid": session_id}) from None
        finally:
            self._sessions.ended(self._session(session_id))

    async def _append(
        self, paths: UploadLayout, upload: Upload, source: IBodyProducer
    ) -> int:
        writer = await self._open(upload, paths)
        try:
            running = await self._receive(paths, writer, source, None)
            await self._keep(paths, writer, running)
        except BaseException:
            await _abandon(writer)
            raise
        await writer.close()
        return int(writer.size)

    async def _commit(
        self,
        paths: UploadLayout,
        upload: Upload,
        digest: Digest,
        source: IBodyProducer | None,
    ) -> Blob:
        writer = await self._open(upload, paths)
        try:
            running = await self._receive(paths, writer, source, digest.algorithm)
        except BaseException:
            await _abandon(writer)
            raise
        finish = self._finish(paths, writer, digest, running.digest())
        return await shielded(Deferred.fromCoroutine(finish))

    async def _commit_small(
        self, upload: Upload, digest: Digest, source: IBodyProducer
    ) -> Blob:
        collector = Collector(SMALL)
        await pump(source, collector)
        if self._has_ended(upload.session_id):  # meanwhile
            raise BlobUploadUnknown()
        content = collector.content()
        found = Digest.of(content, digest.algorithm)
        put = Put(blob_data(digest), content)
        finish = self._finish_small(upload.session_id, put, digest, found)
        return await shielded(Deferred.fromCoroutine(finish))

    async def _finish_small(
        self, session_id: str, put: Put, digest: Digest, found: Digest
    ) -> Blob:
        session = self._session(session_id)
        if found != digest:
            self._sessions.ended(session)
            raise DigestInvalid({"provided": str(digest), "computed": str(found)})
        await apply(self._driver, [Together([put, self._blobs.linking(digest)])])
        self._sessions.ended(session)
        size = len(put.content)
        await self._tell([blob_activity("push", self._layout.name, digest, size)])
        return Blob(digest, put.path, size)

    async def _finish(
        self, paths: UploadLayout, writer: IFileWriter, digest: Digest, found: Digest
    ) -> Blob:
        size = int(writer.size)
        if found != digest:
            await writer.cancel()
            await self._drop(paths)
            raise DigestInvalid({"provided": str(digest), "computed": str(found)})
        data = blob_data(digest)
        # Also over what is there: whoever put it may not have made it durable, and a
        # content that has rotten is healed by who pushes it again.
        made = Together([Publish(writer, data), self._blobs.linking(digest)])
        try:
            await apply(self._driver, [made, Remove(paths.root)])
        except BaseException:
            await _abandon(writer)
            raise
        self._ended(paths)
        await self._tell([blob_activity("push", self._layout.name, digest, size)])
        return Blob(digest, data, size)

    async def _gone(self, paths: UploadLayout) -> BlobUploadUnknown:
        """Clear up after a session that was cancelled under a writer."""
        await self._drop(paths)  # the hash's state, if it was kept since
        return BlobUploadUnknown()

    async def _open(self, upload: Upload, paths: UploadLayout) -> IFileWriter:
        writer = await self._open_patiently(paths, upload)
        if writer.size != upload.offset:
            size = writer.size
            await writer.close()
            raise RangeInvalid({"offset": size, "expected": upload.offset})
        return writer

    async def _open_patiently(self, paths: UploadLayout, upload: Upload) -> IFileWriter:
        if upload.is_new:
            await apply(self._driver, _beginning(paths, upload))
        deadline = self._clock.seconds() + PATIENCE
        while True:
            try:
                return await self._driver.open_writer(paths.data, append=True)
            except PathNotFound:
                raise BlobUploadUnknown() from None
            except PathBusy:
                if self._clock.seconds() >= deadline:
                    raise BlobUploadBusy() from None
            await deferLater(self._clock, STEP)

    async def _receive(
        self,
        paths: UploadLayout,
        writer: IFileWriter,
        source: IBodyProducer | None,
        algorithm: str | None,
    ) -> ResumableHash:
        """Take in bytes; return the hash of all that the session has now."""
        running = await self._states(paths).resume(writer.size, algorithm)
        if source is not None:
            try:
                await pump(source, Tee(writer, [running.update]))
            except BaseException:
                with contextlib.suppress(StorageError):
                    await self._keep(paths, writer, running)
                raise
        return running

    async def _keep(
        self, paths: UploadLayout, writer: IFileWriter, running: ResumableHash
    ) -> None:
        # A state must not outlive the bytes that it stands for.
        if running.length == writer.size:
            await writer.sync()
            await self._states(paths).save(running)

    def _is_absent(self, path: str) -> bool:
        """Say whether the store knows nothing of a path, if it says so quickly."""
        quick: IQuickLook | None = IQuickLook(self._driver, None)
        return quick is not None and quick.absent(path)

    async def _started_at(self, paths: UploadLayout) -> datetime | None:
        try:
            content = await self._driver.get_content(paths.started_at)
            started_at = datetime.fromisoformat(content.decode("ascii"))
        except (PathNotFound, ValueError):
            return None
        return started_at.replace(tzinfo=started_at.tzinfo or UTC)

    async def _drop(self, paths: UploadLayout) -> None:
        await apply(self._driver, [Remove(paths.root)])
        self._ended(paths)

    def _ended(self, paths: UploadLayout) -> None:
        self._sessions.ended(self._session(paths.root.rpartition("/")[2]))

    def _has_ended(self, session_id: str) -> bool:
        return self._sessions.has_ended(self._session(session_id))

    def _paths(self, session_id: str) -> UploadLayout:
        if _SESSION_ID.fullmatch(session_id) is None:
            raise BlobUploadUnknown({"uuid": session_id[:64]})
        return UploadLayout(self._layout.upload(session_id))

    def _session(self, session_id: str) -> Session:
        return Session(str(self._layout.name), session_id)

    def _states(self, paths: UploadLayout) -> HashStates:
        return HashStates(self._driver, paths)

    def _new(self, session_id: str, given: Upload | None) -> Upload:
        """Return a session that is not in the store yet.

        Raises:
            BlobUploadUnknown: It may not be any more.
        """
        if given is None:
            began_at = self._sessions.began_at(self._session(session_id))
            if began_at is not None:
                return Upload(session_id, 0, _moment(began_at), is_new=True)
        elif given.offset == 0 and not self._has_ended(session_id):
            return Upload(session_id, 0, given.started_at, is_new=True)
        raise BlobUploadUnknown({"uuid": session_id})


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def timestamp(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339 has it, to the second."""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _beginning(paths: UploadLayout, upload: Upload) -> list[Change]:
    """Return what the store is told of a session before its first bytes.

    A session that a power cut takes away is begun again, so it need not be durable, and
    no push waits for the disk because of it.
    """
    started_at = upload.started_at
    known = "" if started_at is None else timestamp(started_at)
    return [Note(paths.started_at, known.encode("ascii")), Begin(paths.data)]


def _is_small(source: IBodyProducer) -> bool:
    length = source.length
    return isinstance(length, int) and length <= SMALL


async def _abandon(writer: IFileWriter) -> None:
    """Close a writer because of something else that went wrong."""
    with contextlib.suppress(PathNotFound):
        await writer.close()
