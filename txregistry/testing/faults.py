"""Faults: a driver that fails, hangs or dies where a test wants it to.

Put it around any other driver, say at which operation what is to happen, and see what
the parts above make of it::

    driver = FaultyDriver(MemoryDriver(clock))
    driver.fail(on("put_content", "/link"), StorageFull())
    driver.hang(nth(3))
    driver.crash(nth(7), late=True)

``nth`` with all numbers in turn enumerates the points at which a process can die, and
``txregistry.testing.crashes`` says what it leaves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from txregistry.deferreds import deferred
from txregistry.interfaces import FileStat, IFileWriter, IStorageDriver, StorageError
from txregistry.testing.operations import WAITS, Operation, Where

_T = TypeVar("_T")


class Crashed(BaseException):
    """The process is dead; what it still does has no effect.

    No Exception: no part of a registry may think that it can deal with it.
    """


@frozen
class _Fault:
    """Something that is to go wrong.

    Attributes:
        where: At which operations.
        late: Whether they take effect before.
        error: What they fail with; None: they hang, or the process dies.
        is_crash: Whether it dies.
    """

    where: Where
    late: bool
    error: Exception | None = None
    is_crash: bool = False


_DEAD: Final = _Fault(lambda _: True, late=False, is_crash=True)


@implementer(IStorageDriver)
class FaultyDriver:
    """Does what the driver in it does, but for the faults. See IStorageDriver.

    A fault strikes before the operation takes effect, or, if it is ``late``, after
    that and before the caller hears of it. A write is torn: half of it is done before
    a fault that is not late; and so is a reader's ``produce``.

    Readers do not provide IFileRange, whatever the driver's own do.

    Attributes:
        name: That of the driver inside.
        inner: The driver inside.
        operations: What was asked for, in order.
        volatile: Paths whose content nobody has promised to be durable: a power cut
            may take it.
        crashed: Whether the process is dead.
    """

    def __init__(self, driver: IStorageDriver) -> None:
        """Take the driver that does the work. There are no faults yet."""
        self.name: str = driver.name
        self.inner = driver
        self.operations: list[Operation] = []
        self.volatile: set[str] = set()
        self.crashed = False
        self._faults: list[_Fault] = []
        self._hanging: list[Deferred[None]] = []
        self._open: list[tuple[object, str]] = []

    def fail(
        self, where: Where, error: Exception | None = None, *, late: bool = False
    ) -> None:
        """Let operations fail.

        Args:
            where: Which.
            error: What they fail with; None: a StorageError.
            late: Whether they take effect before.
        """
        error = error or StorageError("a fault that a test wants")
        self._faults.append(_Fault(where, late, error))

    def hang(self, where: Where, *, late: bool = False) -> None:
        """Let operations of ``WAITS`` not end before ``heal``, or until cancelled.

        Args:
            where: Which.
            late: Whether they take effect before.
        """
        self._faults.append(
            _Fault(lambda operation: operation.name in WAITS and where(operation), late)
        )

    def crash(self, where: Where, *, late: bool = False) -> None:
        """Let the process die: an operation and all after it fail with ``Crashed``.

        Args:
            where: Which.
            late: Whether it takes effect before.
        """
        self._faults.append(_Fault(where, late, is_crash=True))

    def heal(self) -> None:
        """Have no more faults; what hangs goes on. The dead stay dead."""
        self._faults.clear()
        hanging, self._hanging = self._hanging, []
        for each in hanging:
            each.callback(None)

    @property
    def is_hanging(self) -> bool:
        """Whether an operation hangs that has not been cancelled."""
        return any(not each.called for each in self._hanging)

    @property
    def still_open(self) -> list[str]:
        """The readers and writers that nobody has ended: ``writer of /a/b``."""
        return [what for _, what in self._open]

    @deferred
    async def get_content(self, path: str) -> bytes:
        """See IStorageDriver."""
        return await self._do("get_content", path, lambda: self.inner.get_content(path))

    @deferred
    async def put_content(self, path: str, content: bytes) -> None:
        """See IStorageDriver."""
        await self._do(
            "put_content", path, lambda: self.inner.put_content(path, content)
        )
        self.volatile.discard(path)

    @deferred
    async def open_reader(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> IBodyProducer:
        """See IStorageDriver."""

        async def open_it() -> _Source:
            inner = await self.inner.open_reader(path, offset, length)
            return _Source(self, inner, path)

        async def stop(source: _Source) -> None:
            source.stopProducing()

        return await self._do("open_reader", path, open_it, stop)

    @deferred
    async def open_writer(self, path: str, append: bool = False) -> IFileWriter:
        """See IStorageDriver."""

        async def open_it() -> _Writer:
            return _Writer(self, await self.inner.open_writer(path, append), path)

        return await self._do("open_writer", path, open_it, _Writer.abandon)

    @deferred
    async def stat(self, path: str) -> FileStat:
        """See IStorageDriver."""
        return await self._do("stat", path, lambda: self.inner.stat(path))

    @deferred
    async def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> list[str]:
        """See IStorageDriver."""
        return await self._do(
            "list_children", path, lambda: self.inner.list_children(path, after, limit)
        )

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
        return await self._do(
            "list_holders",
            path,
            lambda: self.inner.list_holders(path, held, after, limit, deep),
        )

    @deferred
    async def move(self, source: str, destination: str) -> None:
        """See IStorageDriver."""

        async def move_it() -> None:
            await self.inner.move(source, destination)
            self._note_moved(source, destination)

        await self._do("move", source, move_it)

    @deferred
    async def delete(self, path: str) -> None:
        """See IStorageDriver."""
        await self._do("delete", path, lambda: self.inner.delete(path))
        self.volatile = {
            each for each in self.volatile if not f"{each}/".startswith(f"{path}/")
        }

    @deferred
    async def redirect_url(self, path: str, method: str, lifetime: float) -> str | None:
        """See IStorageDriver."""
        return await self._do(
            "redirect_url",
            path,
            lambda: self.inner.redirect_url(path, method, lifetime),
        )

    def _note_moved(self, source: str, destination: str) -> None:
        self.volatile.discard(destination)
        if source in self.volatile:
            self.volatile.remove(source)
            self.volatile.add(destination)

    def _note_open(self, thing: object, what: str) -> None:
        self._open.append((thing, what))

    def _note_ended(self, thing: object) -> None:
        self._open = [each for each in self._open if each[0] is not thing]

    def _next(self, name: str, path: str) -> _Fault | None:
        """Take down an operation; say what is to go wrong with it."""
        operation = Operation(name, path)
        self.operations.append(operation)
        if self.crashed:
            return _DEAD
        return next((each for each in self._faults if each.where(operation)), None)

    async def _do(
        self,
        name: str,
        path: str,
        call: Callable[[], Awaitable[_T]],
        undo: Callable[[_T], Awaitable[None]] | None = None,
    ) -> _T:
        """Do an operation with what is to go wrong.

        Args:
            name: The operation's name.
            path: Its path.
            call: Does it.
            undo: Gives back what it returned, if the caller does not get it.
        """
        fault = self._next(name, path)
        if fault is None:
            return await call()
        if not fault.late:
            await self._strike(fault)
            return await call()
        result = await call()
        try:
            await self._strike(fault)
        except BaseException:
            if undo is not None:
                await undo(result)
            raise
        return result

    def _error(self, fault: _Fault) -> BaseException:
        """Return what an operation fails with."""
        self.crashed = self.crashed or fault.is_crash
        return fault.error or Crashed()

    async def _strike(self, fault: _Fault) -> None:
        if fault.is_crash or fault.error is not None:
            raise self._error(fault)
        waiting: Deferred[None] = Deferred()
        self._hanging.append(waiting)
        await waiting


@implementer(IFileWriter)
class _Writer:
    """A writer of the driver's, and the faults on it."""

    def __init__(self, faulty: FaultyDriver, inner: IFileWriter, path: str) -> None:
        """Take the driver's writer and its path."""
        self._faulty = faulty
        self._inner = inner
        self._path = path
        faulty.volatile.add(path)
        faulty._note_open(self, f"writer of {path}")

    @property
    def size(self) -> int:
        """See IFileWriter."""
        return int(self._inner.size)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""
        self._inner.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See IConsumer."""
        self._inner.unregisterProducer()

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        fault = self._faulty._next("write", self._path)
        if self._faulty.crashed:
            raise Crashed
        self._faulty.volatile.add(self._path)
        torn = fault is not None and not fault.late
        self._inner.write(data[: len(data) // 2] if torn else data)
        if fault is not None:
            raise self._faulty._error(fault)

    @deferred
    async def close(self) -> None:
        """See IFileWriter. One that fails, or is cancelled, has closed all the same."""
        try:
            await self._faulty._do("close", self._path, self._inner.close)
        except BaseException:
            await self.abandon()
            raise
        self._faulty._note_ended(self)

    @deferred
    async def sync(self) -> None:
        """See IFileWriter."""
        await self._faulty._do("sync", self._path, self._sync)

    @deferred
    async def commit(self, destination: str | None = None) -> None:
        """See IFileWriter."""
        commit = partial(self._commit, destination)
        await self._faulty._do("commit", self._path, commit)

    @deferred
    async def cancel(self) -> None:
        """See IFileWriter. One that fails, or is cancelled, has closed all the same."""
        try:
            await self._faulty._do("cancel", self._path, self._inner.cancel)
        except BaseException:
            await self.abandon()
            raise
        self._faulty._note_ended(self)

    async def abandon(self) -> None:
        """Close the driver's writer, unless the process is dead."""
        if not self._faulty.crashed:
            self._faulty._note_ended(self)
            await self._inner.close()

    async def _sync(self) -> None:
        await self._inner.sync()
        self._faulty.volatile.discard(self._path)

    async def _commit(self, destination: str | None) -> None:
        await self._inner.commit(destination)
        self._faulty._note_ended(self)
        self._faulty.volatile.discard(self._path)


@implementer(IBodyProducer)
class _Source:
    """A reader of the driver's, and the faults on it."""

    def __init__(self, faulty: FaultyDriver, inner: IBodyProducer, path: str) -> None:
        """Take the driver's reader and its path."""
        self.length: int = inner.length
        self._faulty = faulty
        self._inner = inner
        self._path = path
        faulty._note_open(self, f"reader of {path}")

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """See IBodyProducer."""
        fault = self._faulty._next("produce", self._path)
        if fault is not None:
            passed = self.length if fault.late else self.length // 2
            consumer = _Breaking(consumer, passed, self._faulty._error(fault))
        producing: Deferred[None] = self._inner.startProducing(consumer)
        return producing.addBoth(self._end)

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self._inner.pauseProducing()

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self._inner.resumeProducing()

    def stopProducing(self) -> None:
        """See IProducer."""
        self._inner.stopProducing()
        self._faulty._note_ended(self)

    def _end(self, result: _T) -> _T:
        self._faulty._note_ended(self)
        return result


@implementer(IConsumer)
class _Breaking:
    """A sink that lets so many bytes through, then breaks."""

    def __init__(self, sink: IConsumer, passed: int, error: BaseException) -> None:
        """Take the sink behind it, the number of bytes, and what it breaks with."""
        self._sink = sink
        self._left = passed
        self._error = error

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""

    def unregisterProducer(self) -> None:
        """See IConsumer."""

    def write(self, data: bytes) -> None:
        """See IConsumer.

        Raises:
            BaseException: The bytes are through.
        """
        self._sink.write(data[: self._left])
        self._left -= min(len(data), self._left)
        if self._left == 0:
            raise self._error
