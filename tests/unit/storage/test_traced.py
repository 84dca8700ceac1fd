"""The traced driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage.places import new_place
from txregistry.interfaces import (
    IBatchDriver,
    IFileWriter,
    IStorageDriver,
    PathNotFound,
    Publish,
    Put,
    StorageError,
)
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.traced import End, TracedDriver
from txregistry.testing import drivers

PREFIX = "io.cncf.distribution.storage."


@define
class Spans:
    """Takes spans.

    Attributes:
        begun: Their names and what is told of them.
        ended: The names of those that have ended, and with what.
        wanted: Whether anybody wants to know.
    """

    begun: list[tuple[str, Mapping[str, Any]]] = field(factory=list)
    ended: list[tuple[str, BaseException | None]] = field(factory=list)
    wanted: bool = True

    def begin(self, name: str, attributes: Mapping[str, Any]) -> End | None:
        """See traced.Begin."""
        if not self.wanted:
            return None
        self.begun.append((name, attributes))
        return lambda error: self.ended.append((name, error))


class ContractTests(drivers.DriverContract):
    """Around another driver it keeps what IStorageDriver promises."""

    def make_driver(self) -> IStorageDriver:
        """Make an empty one."""
        return TracedDriver(MemoryDriver(self.clock()), Spans().begin)


class BatchContractTests(drivers.DriverContract):
    """Around one that makes changes together it keeps what IBatchDriver promises."""

    def make_driver(self) -> IStorageDriver:
        """Make an empty one."""
        disk = Disk(f"{new_place(self)}/root")
        driver = FilesystemDriver(disk, self.clock(), execute)
        return TracedDriver(driver, Spans().begin)


class TracedTests(SynchronousTestCase):
    """What it shows."""

    def setUp(self) -> None:
        """Make the driver."""
        self.spans = Spans()
        self.driver = TracedDriver(MemoryDriver(Clock()), self.spans.begin)

    def write(self) -> IFileWriter:
        """Open a file for writing, and forget the span of that."""
        writer = self.successResultOf(self.driver.open_writer("/a"))
        self.spans.begun.clear()
        return writer

    def assert_shown(self, name: str, **attributes: object) -> None:
        """Check the last span."""
        expected = {
            PREFIX + key.replace("_", "."): value for key, value in attributes.items()
        }
        expected[f"{PREFIX}driver.name"] = "inmemory"
        self.assertEqual((name, expected), self.spans.begun[-1])

    def test_names(self) -> None:
        """Operations and what is told of them have the Go registry's names."""
        self.successResultOf(self.driver.put_content("/a", b"12"))
        self.assert_shown("inmemory:PutContent", path="/a", content_length=2)
        self.successResultOf(self.driver.get_content("/a"))
        self.assert_shown("inmemory:GetContent", path="/a")
        self.successResultOf(self.driver.stat("/a"))
        self.assert_shown("inmemory:Stat", path="/a")
        self.successResultOf(self.driver.list_children("/"))
        self.assert_shown("inmemory:List", path="/")
        self.successResultOf(self.driver.list_holders("/", "a"))
        self.assert_shown("inmemory:List", path="/")
        self.successResultOf(self.driver.list_holders("/", "a", deep=True))
        self.assert_shown("inmemory:Walk", path="/")
        self.successResultOf(self.driver.open_reader("/a", 1)).stopProducing()
        self.assert_shown("inmemory:Reader", path="/a", offset=1)
        self.successResultOf(self.driver.redirect_url("/a", "GET", 1.0))
        self.assert_shown("inmemory:RedirectURL", path="/a")
        self.successResultOf(self.driver.move("/a", "/c"))
        self.assert_shown("inmemory:Move", source_path="/a", dest_path="/c")
        self.successResultOf(self.driver.delete("/c"))
        self.assert_shown("inmemory:Delete", path="/c")
        names = [name for name, _ in self.spans.begun]
        self.assertEqual([(name, None) for name in names], self.spans.ended)

    def test_writing(self) -> None:
        """What ends a file's writing is shown, for that is what takes time."""
        writer = self.successResultOf(self.driver.open_writer("/a", False))
        self.assert_shown("inmemory:Writer", path="/a", append=False)
        self.successResultOf(writer.sync())
        self.assert_shown("inmemory:Sync", path="/a")
        self.successResultOf(writer.close())
        self.assert_shown("inmemory:Close", path="/a")

    def test_committing(self) -> None:
        """A commit is shown with where the file goes."""
        self.successResultOf(self.write().commit("/b"))
        self.assert_shown("inmemory:Commit", path="/a", dest_path="/b")

    def test_committing_in_place(self) -> None:
        """A commit of a file that stays is shown with its path alone."""
        self.successResultOf(self.write().commit())
        self.assert_shown("inmemory:Commit", path="/a")

    def test_giving_up(self) -> None:
        """A file that is given up is shown."""
        self.successResultOf(self.write().cancel())
        self.assert_shown("inmemory:Cancel", path="/a")

    def test_failing(self) -> None:
        """What an operation fails with is told to its span, and to who asked."""
        self.failureResultOf(self.driver.get_content("/a"), PathNotFound)
        ((name, error),) = self.spans.ended
        self.assertEqual("inmemory:GetContent", name)
        self.assertIsInstance(error, PathNotFound)

    def test_cancelling(self) -> None:
        """An operation that is cancelled ends its span."""
        driver = TracedDriver(_Slow(Clock()), self.spans.begin)
        running = driver.get_content("/a")
        self.assertEqual([], self.spans.ended)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertIsInstance(self.spans.ended[0][1], CancelledError)

    def test_unwanted(self) -> None:
        """When nobody wants to know, the other driver's writer is handed on."""
        self.spans.wanted = False
        writer = self.write()
        self.assertTrue(type(writer).__module__.endswith("storage.memory"))
        self.successResultOf(writer.close())
        self.assertEqual([], self.spans.ended)

    def test_no_batches(self) -> None:
        """It makes changes together only if the other driver does."""
        self.assertFalse(IBatchDriver.providedBy(self.driver))

    def test_batches(self) -> None:
        """Changes that are made together are one span, with what they fail with."""
        disk = Disk(f"{new_place(self)}/root")
        inner = FilesystemDriver(disk, Clock(), execute)
        driver = TracedDriver(inner, self.spans.begin)
        self.assertTrue(IBatchDriver.providedBy(driver))
        writer = self.successResultOf(driver.open_writer("/a"))
        self.successResultOf(driver.apply([Publish(writer, "/b"), Put("/c", b"")]))
        name, attributes = self.spans.begun[-1]
        self.assertEqual("filesystem:Batch", name)
        self.assertEqual("/b /c", attributes["txregistry.storage.paths"])
        self.assertEqual(("filesystem:Batch", None), self.spans.ended[-1])
        self.failureResultOf(driver.apply([Put("/c/d", b"")]), StorageError)
        name, error = self.spans.ended[-1]
        self.assertEqual("filesystem:PutContent", name)
        self.assertIsInstance(error, StorageError)


class _Slow(MemoryDriver):
    """A driver that never answers."""

    def get_content(self, path: str) -> Any:
        """See IStorageDriver."""
        return Deferred()
