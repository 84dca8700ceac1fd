"""Timed: a driver around another one, which says how long everything took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from txregistry.interfaces import (
    Change,
    FileStat,
    IFileWriter,
    InvalidPath,
    IQuickLook,
    IStorageDriver,
    PathNotFound,
    Together,
)
from txregistry.storage.wrapping import (
    WrappingWriter,
    action_of,
    adopt_batches,
    unwrapped,
)
from txregistry.streams import IThreadSink, Piece, Watch

_T = TypeVar("_T")

Done = Callable[[str, float | None, bool], None]
"""Takes what was done in the Go registry's words, seconds, and whether it failed.

The seconds are None where only failures are told.
"""

# No fault of the store's: what was asked for, or that nobody waits for it any more.
_NO_FAULTS: Final = (PathNotFound, InvalidPath, CancelledError)

# What a Deferred has that has been called, but has no result of use yet.
_NO_RESULTS: Final = (Failure, Deferred)


@implementer(IStorageDriver, IQuickLook)
class TimedDriver:
    """Does what another driver does. It is an IBatchDriver if the other one is."""

    def __init__(self, driver: IStorageDriver, clock: IReactorTime, done: Done) -> None:
        """Take the other driver, time, and what is told."""
        self.name = driver.name
        self._driver = driver
        self._quick: IQuickLook | None = IQuickLook(driver, None)
        self._timed = _Timing(clock, done)
        self._batches = adopt_batches(self, driver)

    def get_content(self, path: str) -> Deferred[bytes]:
        """See IStorageDriver."""
        return self._timed("GetContent", self._driver.get_content, path)

    def put_content(self, path: str, content: bytes) -> Deferred[None]:
        """See IStorageDriver."""
        return self._timed("PutContent", self._driver.put_content, path, content)

    def open_reader(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> Deferred[IBodyProducer]:
        """See IStorageDriver. The time is that of opening."""
        return self._timed("Reader", self._driver.open_reader, path, offset, length)

    def open_writer(self, path: str, append: bool = False) -> Deferred[IFileWriter]:
        """See IStorageDriver. The time is that of opening; the writer has others."""
        opening = self._timed("Writer", self._driver.open_writer, path, append)
        return opening.addCallback(_TimedWriter, self._timed)

    def stat(self, path: str) -> Deferred[FileStat]:
        """See IStorageDriver."""
        return self._timed("Stat", self._driver.stat, path)

    def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> Deferred[list[str]]:
        """See IStorageDriver."""
        return self._timed("List", self._driver.list_children, path, after, limit)

    def list_holders(
        self,
        path: str,
        held: str,
        after: str = "",
        limit: int | None = None,
        deep: bool = False,
    ) -> Deferred[list[str]]:
        """See IStorageDriver."""
        action, call = "Walk" if deep else "List", self._driver.list_holders
        return self._timed(action, call, path, held, after, limit, deep)

    def move(self, source: str, destination: str) -> Deferred[None]:
        """See IStorageDriver."""
        return self._timed("Move", self._driver.move, source, destination)

    def delete(self, path: str) -> Deferred[None]:
        """See IStorageDriver."""
        return self._timed("Delete", self._driver.delete, path)

    def apply(self, changes: Sequence[Change | Together]) -> Deferred[None]:
        """See IBatchDriver. The time is that of them all."""
        assert self._batches is not None
        apply = self._batches.apply
        return self._timed(action_of(changes), apply, unwrapped(changes))

    def redirect_url(
        self, path: str, method: str, lifetime: float
    ) -> Deferred[str | None]:
        """See IStorageDriver."""
        call = self._driver.redirect_url
        return self._timed("RedirectURL", call, path, method, lifetime)

    def same(self, path: str, content: bytes) -> Callable[[], bool] | None:
        """See IQuickLook. What it takes is not told: it would be most of it."""
        return None if self._quick is None else self._quick.same(path, content)

    def there(self, path: str, size: int) -> Callable[[], bool] | None:
        """See IQuickLook."""
        return None if self._quick is None else self._quick.there(path, size)

    def still(
        self, paths: Sequence[str], holds: Callable[[], bool]
    ) -> Callable[[], bool]:
        """See IQuickLook."""
        return holds if self._quick is None else self._quick.still(paths, holds)

    def absent(self, path: str) -> bool:
        """See IQuickLook."""
        return self._quick is not None and self._quick.absent(path)


@implementer(IFileWriter)
class _TimedWriter(WrappingWriter):
    """Does what another writer does."""

    def __init__(self, writer: IFileWriter, timed: _Timing) -> None:
        super().__init__(writer)
        self._timed = timed
        self._failed_in_thread = False

    def write(self, data: bytes) -> None:
        """See IConsumer. There are too many to time each."""
        try:
            self._writer.write(data)
        except Exception:
            self._timed.done("Write", None, True)
            raise

    def close(self) -> Deferred[None]:
        """See IFileWriter."""
        self._count_failure()
        return self._timed("Close", self._writer.close)

    def sync(self) -> Deferred[None]:
        """See IFileWriter."""
        return self._timed("Sync", self._writer.sync)

    def commit(self, destination: str | None = None) -> Deferred[None]:
        """See IFileWriter."""
        commit = self._writer.commit
        return self._timed("Commit", commit, destination)

    def cancel(self) -> Deferred[None]:
        """See IFileWriter."""
        self._count_failure()
        return self._timed("Cancel", self._writer.cancel)

    def _in_threads(self, sink: IThreadSink) -> IThreadSink:
        def failed() -> None:
            self._failed_in_thread = True

        return _TimedInThreads(sink, failed)

    def _count_failure(self) -> None:
        """Tell of what failed in a thread; whoever is told belongs to the reactor's."""
        if self._failed_in_thread:
            self._failed_in_thread = False
            self._timed.done("Write", None, True)


@implementer(IThreadSink)
@frozen
class _TimedInThreads:
    """A timed writer as threads see it.

    Attributes:
        sink: The other writer, as they see that.
        failed: Called when that fails.
    """

    sink: IThreadSink
    failed: Callable[[], None]

    @property
    def watchers(self) -> Sequence[Watch]:
        """See IThreadSink."""
        return tuple(self.sink.watchers)

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """See IThreadSink."""
        try:
            self.sink.write_pieces(pieces)
        except Exception:
            self.failed()
            raise


class _Timing:
    """Tells how long what is done takes."""

    __slots__ = ("_seconds", "done")

    def __init__(self, clock: IReactorTime, done: Done) -> None:
        self._seconds = clock.seconds
        self.done = done

    def __call__(
        self, action: str, call: Callable[..., Deferred[_T]], *arguments: object
    ) -> Deferred[_T]:
        seconds = self._seconds
        began = seconds()
        running = call(*arguments)
        if running.called and type(running.result) not in _NO_RESULTS:
            # It is done already, as reading a small file is: that is most of it all.
            self.done(action, seconds() - began, False)
            return running

        def end(result: _T | Failure) -> _T | Failure:
            failed = isinstance(result, Failure) and not result.check(*_NO_FAULTS)
            self.done(action, seconds() - began, failed)
            return result

        running.addBoth(end)
        return running
