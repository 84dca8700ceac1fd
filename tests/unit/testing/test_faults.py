"""Tests of txregistry.testing.faults: faults to order."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces import (
    IFileWriter,
    IStorageDriver,
    PathNotFound,
    StorageError,
    StorageFull,
)
from txregistry.storage.memory import MemoryDriver
from txregistry.streams import Collector
from txregistry.testing import drivers
from txregistry.testing.crashes import copy_survivors
from txregistry.testing.faults import Crashed, FaultyDriver
from txregistry.testing.operations import CHANGES, READS, nth, on


class ContractTests(drivers.DriverContract):
    """Without a fault it keeps what the driver inside promises."""

    def make_driver(self) -> IStorageDriver:
        """Make one around an empty one in memory."""
        return FaultyDriver(MemoryDriver(self.clock()))


class FaultyCase(SynchronousTestCase):
    """A faulty driver around one in memory."""

    def setUp(self) -> None:
        """Make the driver."""
        self.inner = MemoryDriver(Clock())
        self.driver = FaultyDriver(self.inner)

    def content(self, path: str) -> bytes | None:
        """Return what the driver inside has at a path; None: nothing."""

        async def read() -> bytes | None:
            try:
                return await self.inner.get_content(path)
            except PathNotFound:
                return None

        return self.successResultOf(Deferred.fromCoroutine(read()))

    def writer(self, append: bool = False) -> IFileWriter:
        """Open a writer of ``/a``."""
        writer: IFileWriter = self.successResultOf(
            self.driver.open_writer("/a", append)
        )
        return writer

    def names(self) -> list[str]:
        """Return the names of the operations so far."""
        return [operation.name for operation in self.driver.operations]

    def survivors(self, power_cut: bool = False) -> MemoryDriver:
        """Return what a crash leaves."""
        target = MemoryDriver(Clock())
        copying = copy_survivors(self.driver, target, power_cut=power_cut)
        self.successResultOf(Deferred.fromCoroutine(copying))
        return target


class HealthyTests(FaultyCase):
    """Without a fault it is the driver inside."""

    def test_interfaces(self) -> None:
        """It and its writers provide what they say."""
        verifyObject(IStorageDriver, self.driver)
        verifyObject(IFileWriter, self.writer())

    def test_operations(self) -> None:
        """What it is asked for is done inside, and taken down."""
        self.successResultOf(self.driver.put_content("/b/c", b"1234"))
        self.assertEqual(4, self.successResultOf(self.driver.stat("/b/c")).size)
        self.assertEqual(["c"], self.successResultOf(self.driver.list_children("/b")))
        self.successResultOf(self.driver.move("/b/c", "/d"))
        self.assertEqual(b"1234", self.successResultOf(self.driver.get_content("/d")))
        url = self.successResultOf(self.driver.redirect_url("/d", "GET", 1.0))
        self.assertIsNone(url)
        self.successResultOf(self.driver.delete("/d"))
        self.assertEqual([], self.successResultOf(self.inner.list_children("/")))
        asked = [
            "put_content",
            "stat",
            "list_children",
            "move",
            "get_content",
            "redirect_url",
            "delete",
        ]
        self.assertEqual(asked, self.names())
        self.assertLessEqual(set(asked), CHANGES | READS)

    def test_writer(self) -> None:
        """A writer is open until it ends, and then what it wrote is there."""
        writer = self.writer()
        writer.write(b"12")
        self.assertEqual((2, ["writer of /a"]), (writer.size, self.driver.still_open))
        self.successResultOf(writer.commit())
        self.assertEqual((b"12", []), (self.content("/a"), self.driver.still_open))

    def test_cancelled_writer(self) -> None:
        """A writer that is cancelled leaves nothing, and nothing open."""
        self.successResultOf(self.writer().cancel())
        self.assertEqual((None, []), (self.content("/a"), self.driver.still_open))

    def test_reader(self) -> None:
        """A reader is open until it has produced all."""
        self.successResultOf(self.inner.put_content("/a", b"12345"))
        source = self.successResultOf(self.driver.open_reader("/a", 1, 3))
        self.assertEqual(["reader of /a"], self.driver.still_open)
        sink = Collector(5)
        source.pauseProducing()
        producing = source.startProducing(sink)
        self.assertNoResult(producing)
        source.resumeProducing()
        self.successResultOf(producing)
        self.assertEqual((b"234", []), (sink.content(), self.driver.still_open))

    def test_stopped_reader(self) -> None:
        """A reader that was stopped is not open any more."""
        self.successResultOf(self.inner.put_content("/a", b"12345"))
        self.successResultOf(self.driver.open_reader("/a")).stopProducing()
        self.assertEqual([], self.driver.still_open)


class FailTests(FaultyCase):
    """Operations that fail."""

    def test_early(self) -> None:
        """A failure comes before the effect."""
        self.driver.fail(on("put_content", "a"))
        self.failureResultOf(self.driver.put_content("/a", b""), StorageError)
        self.assertIsNone(self.content("/a"))

    def test_late(self) -> None:
        """A late failure comes after the effect."""
        self.driver.fail(on("put_content"), StorageFull(), late=True)
        self.failureResultOf(self.driver.put_content("/a", b"1"), StorageFull)
        self.assertEqual(b"1", self.content("/a"))

    def test_nth(self) -> None:
        """One operation can be meant by its number among those that count."""
        self.driver.fail(nth(2, {"put_content"}))
        self.successResultOf(self.driver.put_content("/a", b""))
        self.successResultOf(self.driver.stat("/a"))
        self.failureResultOf(self.driver.put_content("/b", b""), StorageError)
        self.successResultOf(self.driver.put_content("/c", b""))

    def test_path(self) -> None:
        """Operations can be meant by the end of their path."""
        self.driver.fail(on("stat", "/link"))
        self.successResultOf(self.driver.put_content("/a/link", b""))
        self.failureResultOf(self.driver.stat("/a/link"), StorageError)
        self.assertTrue(self.successResultOf(self.driver.stat("/a")).is_directory)

    def test_torn_write(self) -> None:
        """A write that fails is half done, as on a disk that fills up."""
        self.driver.fail(on("write"), StorageFull())
        writer = self.writer()
        self.assertRaises(StorageFull, writer.write, b"1234")
        self.successResultOf(writer.close())
        self.assertEqual(b"12", self.content("/a"))

    def test_late_write(self) -> None:
        """A write that fails late is done."""
        self.driver.fail(on("write"), StorageFull(), late=True)
        writer = self.writer()
        self.assertRaises(StorageFull, writer.write, b"1234")
        self.assertEqual(4, writer.size)

    def test_close(self) -> None:
        """A writer whose closing fails is closed all the same."""
        self.driver.fail(on("close"))
        self.failureResultOf(self.writer().close(), StorageError)
        self.assertEqual([], self.driver.still_open)
        self.writer(append=True)

    def test_cancel(self) -> None:
        """A writer whose cancelling fails is closed all the same."""
        self.driver.fail(on("cancel"))
        self.failureResultOf(self.writer().cancel(), StorageError)
        self.assertEqual([], self.driver.still_open)

    def test_commit(self) -> None:
        """A writer whose commit fails is still open."""
        self.driver.fail(on("commit"))
        writer = self.writer()
        self.failureResultOf(writer.commit(), StorageError)
        self.assertEqual(["writer of /a"], self.driver.still_open)
        self.successResultOf(writer.close())

    def test_late_open(self) -> None:
        """What was opened and not handed over is closed."""
        self.driver.fail(on("open_writer"), late=True)
        self.failureResultOf(self.driver.open_writer("/a"), StorageError)
        self.driver.fail(on("open_reader"), late=True)
        self.failureResultOf(self.driver.open_reader("/a"), StorageError)
        self.assertEqual([], self.driver.still_open)

    def test_produce(self) -> None:
        """A reader that fails has produced half, or all if it fails late."""
        self.successResultOf(self.inner.put_content("/a", b"123456"))
        got = []
        for late in (False, True):
            self.driver.fail(on("produce"), StorageError(), late=late)
            source = self.successResultOf(self.driver.open_reader("/a"))
            sink = Collector(6)
            sink.registerProducer(source, True)
            self.failureResultOf(source.startProducing(sink), StorageError)
            sink.unregisterProducer()
            got.append(sink.content())
            self.driver.heal()
        self.assertEqual(([b"123", b"123456"], []), (got, self.driver.still_open))


class HangTests(FaultyCase):
    """Operations that do not end."""

    def test_heal(self) -> None:
        """What hangs goes on when the driver is healed."""
        self.driver.hang(on("put_content"))
        putting = self.driver.put_content("/a", b"1")
        self.assertNoResult(putting)
        self.assertEqual((True, None), (self.driver.is_hanging, self.content("/a")))
        self.driver.heal()
        self.successResultOf(putting)
        self.assertEqual((False, b"1"), (self.driver.is_hanging, self.content("/a")))

    def test_cancel(self) -> None:
        """What hangs can be cancelled, and was then never done."""
        self.driver.hang(on("put_content"))
        putting = self.driver.put_content("/a", b"1")
        putting.cancel()
        self.failureResultOf(putting, CancelledError)
        self.assertEqual((False, None), (self.driver.is_hanging, self.content("/a")))
        self.driver.heal()

    def test_late_cancel(self) -> None:
        """What hangs late and is cancelled was done."""
        self.driver.hang(on("put_content"), late=True)
        putting = self.driver.put_content("/a", b"1")
        putting.cancel()
        self.failureResultOf(putting, CancelledError)
        self.assertEqual(b"1", self.content("/a"))

    def test_cancel_late_open(self) -> None:
        """A writer that was opened for somebody who left is closed."""
        self.driver.hang(on("open_writer"), late=True)
        opening = self.driver.open_writer("/a")
        self.assertEqual(["writer of /a"], self.driver.still_open)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertEqual([], self.driver.still_open)

    def test_cancel_close(self) -> None:
        """A writer whose closing was cancelled is closed all the same."""
        writer = self.writer()
        self.driver.hang(on("close"))
        closing = writer.close()
        closing.cancel()
        self.failureResultOf(closing, CancelledError)
        self.assertEqual([], self.driver.still_open)

    def test_write(self) -> None:
        """A write, at which nobody waits, never hangs, and is not counted."""
        self.driver.hang(nth(2))
        writer = self.writer()
        writer.write(b"1")
        closing = writer.close()
        self.assertNoResult(closing)
        self.driver.heal()
        self.successResultOf(closing)


class CrashTests(FaultyCase):
    """The process dies."""

    def test_nothing_after(self) -> None:
        """Nothing has an effect after the operation at which the process dies."""
        self.driver.crash(on("put_content", "/a"))
        self.failureResultOf(self.driver.put_content("/a", b"1"), Crashed)
        self.driver.heal()
        self.failureResultOf(self.driver.put_content("/b", b"1"), Crashed)
        left = self.survivors()
        self.assertEqual([], self.successResultOf(left.list_children("/")))

    def test_late(self) -> None:
        """The operation itself may still have an effect."""
        self.driver.crash(on("put_content", "/a"), late=True)
        self.failureResultOf(self.driver.put_content("/a", b"1"), Crashed)
        left = self.survivors()
        self.assertEqual(b"1", self.successResultOf(left.get_content("/a")))

    def test_write(self) -> None:
        """A process that dies at a write has done half of it, and nothing closes it."""
        writer = self.writer()
        self.driver.crash(on("write"))
        self.assertRaises(Crashed, writer.write, b"1234")
        self.assertRaises(Crashed, writer.write, b"5678")
        self.failureResultOf(writer.close(), Crashed)
        self.assertEqual(["writer of /a"], self.driver.still_open)
        left = self.survivors()
        self.assertEqual(b"12", self.successResultOf(left.get_content("/a")))

    def test_writers_forgotten(self) -> None:
        """What comes after knows nothing of the writers that the dead had open."""
        self.writer().write(b"12")
        writer = self.successResultOf(self.survivors().open_writer("/a", append=True))
        self.assertEqual(2, writer.size)

    def test_produce(self) -> None:
        """A process that dies as it reads has read half."""
        self.successResultOf(self.inner.put_content("/a", b"1234"))
        source = self.successResultOf(self.driver.open_reader("/a"))
        self.driver.crash(on("produce"))
        sink = Collector(4)
        self.assertRaises(Crashed, source.startProducing, sink)
        self.assertEqual((b"12", True), (sink.content(), self.driver.crashed))


class PowerCutTests(FaultyCase):
    """The machine dies: only what was promised to be durable is left."""

    def left(self) -> list[str]:
        """Return the names in the root after a power cut."""
        return self.successResultOf(self.survivors(True).list_children("/"))

    def test_close(self) -> None:
        """A file that was only closed is lost."""
        self.successResultOf(self.writer().close())
        self.assertEqual([], self.left())

    def test_commit(self) -> None:
        """A file that was committed is there, also where it was moved to."""
        self.successResultOf(self.writer().commit())
        self.successResultOf(self.driver.move("/a", "/b"))
        self.assertEqual(["b"], self.left())

    def test_moved(self) -> None:
        """A file that was only closed is not made durable by moving it."""
        self.successResultOf(self.writer().close())
        self.successResultOf(self.driver.put_content("/b", b""))
        self.successResultOf(self.driver.move("/a", "/b"))
        self.assertEqual([], self.left())

    def test_put(self) -> None:
        """A small file that was put is there."""
        self.successResultOf(self.writer().close())
        self.successResultOf(self.driver.put_content("/a", b""))
        self.successResultOf(self.driver.put_content("/b/c", b""))
        self.assertEqual(["a", "b"], self.left())

    def test_deleted(self) -> None:
        """What was deleted does not make what comes in its place volatile."""
        self.successResultOf(self.writer().close())
        self.successResultOf(self.driver.delete("/a"))
        self.successResultOf(self.inner.put_content("/a", b""))
        self.assertEqual(["a"], self.left())
