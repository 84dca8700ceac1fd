"""The filesystem driver: the tree in a folder, as the Go registry keeps it.

A path lies in the folder as it is spelled. What the driver keeps for itself beside that
has a name with a ``~``, which no path has, and is not listed; after a crash such files
can be removed by hand. Symbolic links are followed.

What takes microseconds runs in the reactor thread, because a thread would cost more:
looking at a file, reading a small one, opening, listing a small folder, writing what
need not be durable. On a cold or busy disk that can be a few milliseconds. What waits
for the disk (fsync) is handed to the kernel (``Syncs``), and what may be long (a large
directory, or all else that writes) to a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from txregistry.deferreds import deferred
from txregistry.interfaces import (
    Change,
    FileStat,
    IBatchDriver,
    IFileRange,
    IFileWriter,
    InvalidOffset,
    InvalidOption,
    IQuickLook,
    IStartedDriver,
    IStorageDriverFactory,
    Put,
    StorageError,
    Together,
    groups_of,
)
from txregistry.storage.batches import Batch
from txregistry.storage.clerk import Clerk, starts_clerk
from txregistry.storage.disk import (
    Disk,
    SameContent,
    has_size,
    open_to_read,
    read_all,
    require_regular,
)
from txregistry.storage.drafts import Draft, open_draft
from txregistry.storage.journal import Journal
from txregistry.storage.journal_files import JournalFiles
from txregistry.storage.listings import Listings
from txregistry.storage.meanings import NAME, translated
from txregistry.storage.options import refuse_unknown
from txregistry.storage.paths import require_path, require_path_or_root
from txregistry.storage.segments import ROOT
from txregistry.storage.sources import RangeSource
from txregistry.storage.steps import (
    DeleteStep,
    MoveStep,
    PublishStep,
    Step,
    path_of,
    step_of,
)
from txregistry.storage.stillness import Stillness
from txregistry.storage.syncs import Syncs, ThreadSyncs, syncs_of
from txregistry.storage.writers import WriterState
from txregistry.streams import IThreadSink, Piece, Watch
from txregistry.threads import InThread, in_lasting_threads_of, to_the_end

DEFAULT_ROOT: Final = "/var/lib/registry"

# Files up to so many bytes are read whole in the reactor thread.
SMALL: Final = 1024 * 1024

# So are folders of up to this size, which are about a hundred names with ext4, and with
# no file system more than can be listed in a millisecond.
SMALL_FOLDER: Final = 4096

_T = TypeVar("_T")


@implementer(IBatchDriver, IQuickLook, IStartedDriver)
class FilesystemDriver:
    """Keeps the tree in a folder. See IStorageDriver.

    A path that the operating system finds too long is ``InvalidPath`` to write, and to
    read ``PathNotFound``, since nothing can be there.
    """

    name = NAME

    def __init__(
        self,
        disk: Disk,
        clock: IReactorTime,
        in_thread: InThread,
        syncs: Syncs | None = None,
        journal: Journal | None = None,
    ) -> None:
        """Prepare.

        Args:
            disk: The folder.
            clock: Where time and turns of the reactor come from.
            in_thread: Threads.
            syncs: Makes files and folders durable; None: threads do.
            journal: Makes changes durable; None: each is by itself.
        """
        self._journal = journal
        self._disk = disk
        self._clock = clock
        self._in_thread = in_thread
        self._syncs = syncs or ThreadSyncs(disk, in_thread)
        self._listings = Listings(partial(disk.names, after="", limit=None))
        self._stillness = Stillness(lambda path: os.fsencode(disk.place(path)))

    @deferred
    async def start(self) -> None:
        """See IStartedDriver."""
        if self._journal is not None:
            with translated("/~journal", writing=True):
                await self._journal.start()

    @deferred
    async def stop(self) -> None:
        """See IStartedDriver."""
        self._stillness.close()
        if self._journal is not None:
            await self._journal.stop()

    @deferred
    async def get_content(self, path: str) -> bytes:
        """See IStorageDriver."""
        require_path(path, NAME)
        with translated(path):
            descriptor, size = open_to_read(self._disk.place(path))
            try:
                if size <= SMALL:
                    return read_all(descriptor, size)
                return await self._finish(partial(read_all, descriptor, size))
            finally:
                os.close(descriptor)

    @deferred
    async def put_content(self, path: str, content: bytes) -> None:
        """See IStorageDriver."""
        await self.apply([Put(path, content)])

    @deferred
    async def open_reader(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> IBodyProducer:
        """See IStorageDriver. The source provides IFileRange too."""
        require_path(path, NAME)
        with translated(path):
            descriptor, size = open_to_read(self._disk.place(path))
        if not 0 <= offset <= size:
            os.close(descriptor)
            raise InvalidOffset(path, NAME, offset)
        end = size if length is None else min(size, offset + max(length, 0))
        return FilesystemReader(self._clock, descriptor, offset, end - offset)

    @deferred
    async def open_writer(self, path: str, append: bool = False) -> IFileWriter:
        """See IStorageDriver. Folders are made, but not durable before ``commit``."""
        require_path(path, NAME)
        with translated(path, writing=True):
            draft = open_draft(self._disk, self._disk.place(path), append=append)
        return FilesystemWriter(
            path, draft, self._in_thread, self._syncs, self._publish
        )

    @deferred
    async def stat(self, path: str) -> FileStat:
        """See IStorageDriver."""
        require_path_or_root(path, NAME)
        with translated(path):
            return _look(path, self._disk.place(path))

    @deferred
    async def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> list[str]:
        """See IStorageDriver."""
        require_path_or_root(path, NAME)
        place = self._disk.place(path)
        names = partial(self._disk.names, place, after, limit)
        with translated(path):
            try:
                if os.stat(place).st_size <= SMALL_FOLDER:
                    return names()
                return await self._in_thread(names)
            except FileNotFoundError:
                if path == ROOT:
                    return []
                raise

    @deferred
    async def list_holders(
        self,
        path: str,
        held: str,
        after: str = "",
        limit: int | None = None,
        deep: bool = False,
    ) -> list[str]:
        """See IStorageDriver."""
        require_path_or_root(path, NAME)
        require_path(f"/{held}", NAME)
        place, listings = self._disk.place(path), self._listings
        list_them = listings.search if deep else listings.holders
        with translated(path):
            try:
                if not deep:
                    found = listings.holders_at_hand(place, held, after, limit)
                    if found is not None:
                        return found
                return await self._in_thread(
                    partial(list_them, place, held, after, limit)
                )
            except FileNotFoundError:
                if path == ROOT:
                    return []
                raise

    @deferred
    async def move(self, source: str, destination: str) -> None:
        """See IStorageDriver. The file is taken to be durable where it is."""
        require_path(source, NAME)
        require_path(destination, NAME)
        with translated(source):
            step = MoveStep(self._disk, destination, source)
        await self._run([[step]], partial(translated, missing=source))

    @deferred
    async def delete(self, path: str) -> None:
        """See IStorageDriver."""
        require_path(path, NAME)
        await self._run([[DeleteStep(self._disk, path)]])

    def apply(self, changes: Sequence[Change | Together]) -> Deferred[None]:
        """See IBatchDriver. What need not be durable takes microseconds."""
        return to_the_end(Deferred.fromCoroutine(self._apply(changes)))

    async def _apply(self, changes: Sequence[Change | Together]) -> None:
        together = groups_of(changes)
        for change in chain.from_iterable(together):
            require_path(path_of(change), NAME)
        with ExitStack() as writers:
            groups = [
                [step_of(self._disk, change, writers) for change in group]
                for group in together
            ]
            await self._batch(groups, translated).run()

    @deferred
    async def redirect_url(self, path: str, method: str, lifetime: float) -> str | None:
        """See IStorageDriver. There is none."""
        require_path(path, NAME)
        return None

    def same(self, path: str, content: bytes) -> Callable[[], bool]:
        """See IQuickLook."""
        require_path(path, NAME)
        return SameContent(os.fsencode(self._disk.place(path)), content).holds

    def there(self, path: str, size: int) -> Callable[[], bool]:
        """See IQuickLook."""
        require_path(path, NAME)
        return partial(has_size, os.fsencode(self._disk.place(path)), size)

    def still(
        self, paths: Sequence[str], holds: Callable[[], bool]
    ) -> Callable[[], bool]:
        """See IQuickLook."""
        return self._stillness.look(paths, holds).holds

    def absent(self, path: str) -> bool:
        """See IQuickLook."""
        require_path(path, NAME)
        try:
            os.stat(self._disk.place(path))
        except FileNotFoundError:
            return True
        except OSError:  # whatever that means, it is for others to say
            return False
        return False

    async def _run(
        self,
        groups: Sequence[Sequence[Step]],
        meaning: Callable[[str, bool], AbstractContextManager[None]] = translated,
    ) -> None:
        running = self._batch(groups, meaning).run()
        await to_the_end(Deferred.fromCoroutine(running))

    def _batch(
        self,
        groups: Sequence[Sequence[Step]],
        meaning: Callable[[str, bool], AbstractContextManager[None]],
    ) -> Batch:
        return Batch(
            self._disk, groups, meaning, self._syncs, self._in_thread, self._journal
        )

    async def _publish(self, path: str, draft: Draft, destination: str | None) -> None:
        place = self._disk.place(destination or path)
        await self._run([[PublishStep(self._disk, path, draft, place)]])

    async def _finish(self, work: Callable[[], _T]) -> _T:
        return await to_the_end(self._in_thread(work))


@implementer(IFileRange)
class FilesystemReader(RangeSource):
    """A range of an open file. See IBodyProducer and IFileRange."""

    def __init__(
        self, clock: IReactorTime, descriptor: int, offset: int, length: int
    ) -> None:
        """Take an open file, which is closed in the end, and a range in it."""
        self.descriptor = descriptor
        super().__init__(
            clock, offset, length, self._read_at, partial(os.close, descriptor)
        )

    def _read_at(self, position: int, size: int) -> bytes:
        try:
            return os.pread(self.descriptor, size, position)
        except OSError as error:
            raise StorageError(f"{NAME}: cannot read: {error.strerror}") from error


@implementer(IFileWriter, IThreadSink)
class FilesystemWriter(WriterState):
    """A file being written. See IFileWriter and IThreadSink.

    It never pauses a producer. ``write`` may be called from another thread, as long as
    there is one call at a time.
    """

    def __init__(
        self,
        path: str,
        draft: Draft,
        in_thread: InThread,
        syncs: Syncs,
        publish: Callable[[str, Draft, str | None], Coroutine[Any, Any, None]],
    ) -> None:
        """Take the path, the open file, threads and syncs, and what publishes it."""
        super().__init__(path, NAME)
        self._path = path
        self._publish = publish
        self._draft = draft
        self._in_thread = in_thread
        self._syncs = syncs

    @property
    def size(self) -> int:
        """See IFileWriter. A piece of a write that failed may count."""
        return self._draft.size

    def write(self, data: bytes) -> None:
        """See IFileWriter."""
        with self._writing():
            self._draft.write(data)

    @property
    def watchers(self) -> Sequence[Watch]:
        """See IThreadSink. The disk begins early, so that ``sync`` is short."""
        return (lambda _: self._draft.hand_on(),)

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """See IThreadSink."""
        with self._writing():
            self._draft.write_pieces(pieces)

    @deferred
    async def close(self) -> None:
        """See IFileWriter. Harmless after the end.

        Fails with ``PathNotFound`` if somebody else has removed the file.
        """
        if self._end():
            with translated(self._path, writing=True):
                self._draft.keep()

    @deferred
    async def sync(self) -> None:
        """See IFileWriter."""
        self._require_usable()
        with translated(self._path, writing=True):
            await to_the_end(self._syncs((self._draft.descriptor,), ()))

    @deferred
    async def commit(self, destination: str | None = None) -> None:
        """See IFileWriter. After a failure the writer can still be ended.

        Fails with ``PathNotFound`` if somebody else has removed the file.
        """
        if destination is not None:
            require_path(destination, NAME)
        with self.ending() as (path, draft):
            await self._publish(path, draft, destination)

    @contextmanager
    def ending(self) -> Iterator[tuple[str, Draft]]:
        """Let somebody publish the file, who gets its path and the draft.

        After a failure the writer can still be ended.

        Raises:
            StorageError: It has ended, or failed before.
        """
        self._require_usable()
        self._end()
        try:
            yield self._path, self._draft
        except StorageError:
            if not self._draft.closed:
                self._ended, self._broken = False, True
            raise

    @deferred
    async def cancel(self) -> None:
        """See IFileWriter. Harmless after the end; what it was to replace stays."""
        if self._end():
            with translated(self._path):
                await to_the_end(self._in_thread(self._draft.discard))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._require_usable()
        try:
            with translated(self._path, writing=True):
                yield
        except StorageError:
            self._broken = True
            raise


@implementer(IStorageDriverFactory)
class FilesystemFactory:
    """Makes filesystem drivers. See IStorageDriverFactory.

    Options: ``rootdirectory``, the folder; ``maxthreads``, a number that the Go
    registry has and that changes nothing here: there are ten threads at the most;
    ``journal``, whether changes are written down first where that is possible.
    """

    def make_driver(self, reactor: Any, options: Mapping[str, Any]) -> FilesystemDriver:
        """See IStorageDriverFactory. Touches no disk."""
        refuse_unknown(options, {"rootdirectory", "maxthreads", "journal"})
        root = _root_of(options.get("rootdirectory", DEFAULT_ROOT))
        _require_count(options.get("maxthreads", 0))
        disk, in_thread = Disk(root), in_lasting_threads_of(reactor)
        syncs = syncs_of(reactor, ThreadSyncs(disk, in_thread))
        has_journal = _flag(options.get("journal", True))
        start = starts_clerk(reactor, root, os.environ)
        clerk = Clerk(reactor, start) if IReactorProcess.providedBy(reactor) else None
        journal = Journal(JournalFiles(disk), in_thread, reactor, has_journal, clerk)
        return FilesystemDriver(disk, reactor, in_thread, syncs, journal)


factory: Final = FilesystemFactory()


def _root_of(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidOption("rootdirectory", "is not the path of a folder")
    root = os.path.abspath(value)
    if root.strip("/") == "":
        raise InvalidOption("rootdirectory", "is the whole file system")
    return root


def _require_count(value: object) -> None:
    # The environment gives text where the file gives a number.
    text = "" if isinstance(value, bool) else str(value)
    if not (text.isascii() and text.isdigit()):
        raise InvalidOption("maxthreads", "is not a whole number")


def _flag(value: object) -> bool:
    # The environment gives text where the file gives a truth value.
    text = str(value).lower()
    if text not in ("true", "false"):
        raise InvalidOption("journal", "is neither true nor false")
    return text == "true"


def _look(path: str, place: str) -> FileStat:
    try:
        status = os.stat(place)
    except FileNotFoundError:
        if path != ROOT:
            raise
        return FileStat(path, True, 0, 0.0)
    if stat.S_ISDIR(status.st_mode):
        return FileStat(path, True, 0, status.st_mtime)
    require_regular(status)
    return FileStat(path, False, status.st_size, status.st_mtime)
