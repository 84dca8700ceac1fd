"""The timed driver."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer

from tests.unit.storage.places import new_place
from txregistry.interfaces import (
    Change,
    IBatchDriver,
    InvalidPath,
    IStorageDriver,
    Note,
    PathNotFound,
    Publish,
    Put,
    Remove,
    StorageError,
)
from txregistry.storage import drafts
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.timed import TimedDriver
from txregistry.storage.writeback import Writeback
from txregistry.streams import IThreadSink
from txregistry.testing import drivers


def forget(_action: str, _seconds: float | None, _failed: bool) -> None:
    """Take no note."""


class ContractTests(drivers.DriverContract):
    """Around another driver it keeps what IStorageDriver promises."""

    def make_driver(self) -> IStorageDriver:
        """Make an empty one."""
        clock = self.clock()
        return TimedDriver(MemoryDriver(clock), clock, forget)


class BatchContractTests(drivers.DriverContract):
    """Around one that makes changes together it keeps what IBatchDriver promises."""

    def make_driver(self) -> IStorageDriver:
        """Make an empty one."""
        clock = self.clock()
        driver = FilesystemDriver(Disk(f"{new_place(self)}/root"), clock, execute)
        return TimedDriver(driver, clock, forget)


class TimedTests(SynchronousTestCase):
    """What it notes."""

    def setUp(self) -> None:
        """Make the driver, and a list of what it notes."""
        self.noted: list[tuple[str, float | None, bool]] = []
        self.clock = Clock()
        self.driver = TimedDriver(
            MemoryDriver(self.clock), self.clock, lambda *done: self.noted.append(done)
        )

    def actions(self) -> list[str]:
        """Return what was done, in the Go registry's words."""
        return [action for action, _, _ in self.noted]

    def test_name(self) -> None:
        """It has the other driver's name."""
        self.assertEqual("inmemory", self.driver.name)

    def test_actions(self) -> None:
        """Each method is noted by the Go registry's name for it."""
        self.successResultOf(self.driver.put_content("/a", b"1"))
        self.successResultOf(self.driver.get_content("/a"))
        self.successResultOf(self.driver.stat("/a"))
        self.successResultOf(self.driver.list_children("/"))
        self.successResultOf(self.driver.list_holders("/", "a"))
        self.successResultOf(self.driver.list_holders("/", "a", deep=True))
        self.successResultOf(self.driver.redirect_url("/a", "GET", 1.0))
        reader = self.successResultOf(self.driver.open_reader("/a"))
        reader.stopProducing()
        writer = self.successResultOf(self.driver.open_writer("/b"))
        self.successResultOf(writer.close())
        self.successResultOf(self.driver.move("/a", "/c"))
        self.successResultOf(self.driver.delete("/c"))
        expected = "PutContent GetContent Stat List List Walk"
        expected += " RedirectURL Reader Writer Close"
        self.assertEqual([*expected.split(), "Move", "Delete"], self.actions())

    def test_writing(self) -> None:
        """What ends a file's writing is timed, for that is what takes time."""
        writer = self.successResultOf(self.driver.open_writer("/a"))
        writer.write(b"1")
        self.successResultOf(writer.sync())
        self.successResultOf(writer.commit("/b"))
        writer = self.successResultOf(self.driver.open_writer("/a"))
        self.successResultOf(writer.cancel())
        expected = ["Writer", "Sync", "Commit", "Writer", "Cancel"]
        self.assertEqual(expected, self.actions())

    def test_writing_fails(self) -> None:
        """What cannot be written, made durable or committed is a failure."""
        writer = self.successResultOf(self.driver.open_writer("/a"))
        self.successResultOf(writer.close())
        self.noted.clear()
        with self.assertRaises(StorageError):
            writer.write(b"1")
        self.failureResultOf(writer.sync(), StorageError)
        self.failureResultOf(writer.commit(), StorageError)
        expected = [("Write", None, True), ("Sync", 0.0, True), ("Commit", 0.0, True)]
        self.assertEqual(expected, self.noted)

    def test_writing_fails_in_thread(self) -> None:
        """What a thread cannot write is a failure, told when the writer ends."""
        driver = TimedDriver(
            FilesystemDriver(Disk(new_place(self)), self.clock, execute),
            self.clock,
            lambda *done: self.noted.append(done),
        )
        writer: Any = self.successResultOf(driver.open_writer("/a"))
        sink = IThreadSink(writer)
        sink.write_pieces([b"1", b"2"])
        begun: list[str] = []
        self.patch(drafts, "HANDED_ON", 2)
        self.patch(Writeback, "begin", lambda _self, place: begun.append(place))
        for watch in sink.watchers:
            watch(b"12")
        self.assertEqual([writer._writer._draft.written_at], begun)
        self.assertEqual(2, writer.size)
        os.close(writer._writer._draft._descriptors[0])
        self.assertRaises(StorageError, sink.write_pieces, [b"3"])
        self.assertEqual(["Writer"], self.actions())
        self.failureResultOf(writer.cancel(), StorageError)
        self.assertEqual(["Writer", "Write", "Cancel"], self.actions())

    def test_not_in_thread(self) -> None:
        """Threads do not write where the driver has no way for them."""
        writer = self.successResultOf(self.driver.open_writer("/a"))
        self.assertIsNone(IThreadSink(writer, None))
        self.assertIsNone(IBodyProducer(writer, None))

    def test_missing(self) -> None:
        """That something is not there is no failure of the driver's."""
        self.failureResultOf(self.driver.get_content("/none"), PathNotFound)
        self.assertEqual([("GetContent", 0.0, False)], self.noted)

    def test_failed(self) -> None:
        """Anything else is, and is handed on."""
        self.successResultOf(self.driver.put_content("/a/b", b""))
        self.failureResultOf(self.driver.put_content("/a", b""), StorageError)
        self.assertEqual(("PutContent", 0.0, True), self.noted[-1])

    def test_no_path(self) -> None:
        """That something is no path is no failure of the driver's."""
        self.failureResultOf(self.driver.get_content("no path"), InvalidPath)
        self.assertEqual([("GetContent", 0.0, False)], self.noted)

    def test_cancelled(self) -> None:
        """That nobody waits any more is no failure of the driver's."""

        class Endless(MemoryDriver):
            """A driver that never answers."""

            def get_content(self, path: str) -> Deferred[bytes]:
                """See IStorageDriver."""
                return Deferred()

        driver = TimedDriver(
            Endless(self.clock), self.clock, lambda *done: self.noted.append(done)
        )
        reading = driver.get_content("/a")
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual([("GetContent", 0.0, False)], self.noted)

    def test_seconds(self) -> None:
        """The time is that until the driver is done."""

        class Slow(MemoryDriver):
            """A driver that takes two seconds for a file."""

            clock = self.clock

            def get_content(self, path: str):  # type: ignore[no-untyped-def]
                """See IStorageDriver."""
                self.clock.advance(2.0)
                return super().get_content(path)

        driver = TimedDriver(
            Slow(self.clock), self.clock, lambda *done: self.noted.append(done)
        )
        self.successResultOf(driver.put_content("/a", b"1"))
        self.successResultOf(driver.get_content("/a"))
        self.assertEqual(("GetContent", 2.0, False), self.noted[-1])

    def test_no_batches(self) -> None:
        """It makes changes together only if the other driver does."""
        self.assertFalse(IBatchDriver.providedBy(self.driver))


class BatchTests(SynchronousTestCase):
    """What it notes of changes that are made together."""

    def setUp(self) -> None:
        """Make the driver, and a list of what it notes."""
        self.noted: list[tuple[str, float | None, bool]] = []
        clock = Clock()
        inner = FilesystemDriver(Disk(f"{new_place(self)}/root"), clock, execute)
        self.driver = TimedDriver(inner, clock, lambda *done: self.noted.append(done))

    def test_together(self) -> None:
        """They are one action, and a writer of its own is known to it."""
        self.assertTrue(IBatchDriver.providedBy(self.driver))
        self.successResultOf(
            self.driver.apply([Note("/s/started", b""), Note("/s/data", b"1")])
        )
        opening = self.driver.open_writer("/s/data", append=True)
        writer = self.successResultOf(opening)
        self.successResultOf(
            self.driver.apply(
                [Publish(writer, "/data"), Put("/link", b"2"), Remove("/s")]
            )
        )
        expected = [("Note", 0.0, False), ("Writer", 0.0, False), ("Batch", 0.0, False)]
        self.assertEqual(expected, self.noted)
        self.assertEqual(b"1", self.successResultOf(self.driver.get_content("/data")))

    def test_alone(self) -> None:
        """One is called by its own name."""
        self.successResultOf(self.driver.apply([Put("/a", b"")]))
        self.successResultOf(self.driver.apply([Remove("/a")]))
        self.assertEqual(["PutContent", "Delete"], [each[0] for each in self.noted])

    def test_fails(self) -> None:
        """What fails is a failure, and is handed on."""
        self.successResultOf(self.driver.apply([Put("/a", b"")]))
        changes: list[Change] = [Put("/a/b", b""), Remove("/c")]
        self.failureResultOf(self.driver.apply(changes), StorageError)
        self.assertEqual(("Batch", 0.0, True), self.noted[-1])
