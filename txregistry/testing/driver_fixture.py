"""The fixture under DriverContract: a driver, a clean store, short ways to use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from txregistry.interfaces import IFileWriter, IStorageDriver, PathNotFound
from txregistry.streams import Collector, pump

_T = TypeVar("_T")
_E = TypeVar("_E", bound=BaseException)


class DriverFixture(TestCase):
    """A driver on a store that is empty before and after each test.

    Attributes:
        large: The size of what counts as large content, in bytes. Real stores are to
            be tried with more than fits in memory.
        in_memory: How much a test may hold in memory, in bytes; large content beyond
            that is compared by its hash.
        read_ahead: How many bytes a reader may still deliver to a sink that has paused
            it, because they were on their way.
        exclusive_writers: Whether the driver can know that a path has a writer.
    """

    large = 1024 * 1024
    in_memory = 16 * 1024 * 1024
    read_ahead = 256 * 1024
    exclusive_writers = True

    driver: IStorageDriver

    def make_driver(self) -> IStorageDriver:
        """Return the driver to test, on an empty store."""
        raise NotImplementedError

    def make_second_driver(self) -> IStorageDriver:
        """Return another driver on the same store, as another process has one.

        Unless it is overridden, this is the same driver.
        """
        return self.driver

    def setUp(self) -> None:
        """Make the driver."""
        self.driver = self.make_driver()
        self.addCleanup(self.clean)

    async def clean(self) -> None:
        """Delete all that is in the store, and see that nothing is left."""
        for name in await self.driver.list_children("/"):
            await self.driver.delete(f"/{name}")
        self.assertEqual([], await self.driver.list_children("/"))

    def clock(self) -> IReactorTime:
        """Return the reactor that the tests run in."""
        from twisted.internet import reactor

        return IReactorTime(reactor)

    async def turn(self, count: int = 1) -> None:
        """Let the reactor have a number of turns."""
        for _ in range(count):
            await deferLater(self.clock(), 0)

    async def refusal(self, error: type[_E], running: Deferred[_T]) -> _E:
        """Return the error that something fails with; fail if it does not."""
        try:
            result = await running
        except error as refusal:
            return refusal
        raise self.failureException(f"{error.__name__} expected, not {result!r}")

    async def cancelled(self, running: Deferred[_T], turns: int) -> _T | None:
        """Cancel something after a number of the reactor's turns.

        Returns:
            Its result, if it was there by then; None: it was cancelled.
        """
        await self.turn(turns)
        running.cancel()
        try:
            return await running
        except CancelledError:
            return None

    async def write(
        self, path: str, pieces: Sequence[bytes], append: bool = False
    ) -> None:
        """Write pieces into a file and commit it."""
        writer = await self.write_some(path, pieces, append)
        await writer.commit()

    async def write_some(
        self, path: str, pieces: Sequence[bytes], append: bool = False
    ) -> IFileWriter:
        """Write pieces into a file; return the writer, still open."""
        writer = await self.driver.open_writer(path, append)
        for piece in pieces:
            writer.write(piece)
        return writer

    async def read(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> bytes:
        """Read a file, or a range of it, as a stream; check the length promised."""
        source = await self.driver.open_reader(path, offset, length)
        sink = Collector(self.in_memory)
        await pump(source, sink)
        self.assertEqual(source.length, len(sink.content()))
        return sink.content()

    async def exists(self, path: str) -> bool:
        """Say whether anything is at a path."""
        try:
            await self.driver.stat(path)
        except PathNotFound:
            return False
        return True
