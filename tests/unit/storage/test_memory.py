"""The memory driver."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces import (
    InvalidOption,
    IStorageDriver,
    IStorageDriverFactory,
    PathNotFound,
)
from txregistry.storage.memory import MemoryDriver, factory
from txregistry.storage.paths import PathObstructed
from txregistry.streams import Collector
from txregistry.testing import drivers


class ContractTests(drivers.DriverContract):
    """The memory driver keeps what IStorageDriver promises."""

    def make_driver(self) -> IStorageDriver:
        """Make an empty one."""
        return MemoryDriver(self.clock())


class MemoryCase(SynchronousTestCase):
    """A memory driver on a clock of its own."""

    def setUp(self) -> None:
        """Make the driver, and put a file."""
        self.clock = Clock()
        self.driver = MemoryDriver(self.clock)
        self.put("/d/file", b"content")

    def put(self, path: str, content: bytes) -> None:
        """Put a file."""
        self.successResultOf(self.driver.put_content(path, content))

    def names(self, path: str) -> list[str]:
        """List a directory."""
        return self.successResultOf(self.driver.list_children(path))

    def modified(self, path: str) -> float:
        """Return when something was written."""
        return self.successResultOf(self.driver.stat(path)).modified


class MemoryDriverTests(MemoryCase):
    """What only this driver does."""

    def test_modified(self) -> None:
        """A file was modified when it was last written, by the driver's clock."""
        self.clock.advance(5)
        self.assertEqual(0, self.modified("/d/file"))
        self.put("/d/file", b"new")
        self.assertEqual(5, self.modified("/d/file"))

    def test_modified_by_writer(self) -> None:
        """To append is to modify."""
        self.clock.advance(5)
        writer = self.successResultOf(self.driver.open_writer("/d/file", append=True))
        writer.write(b"!")
        self.successResultOf(writer.close())
        self.assertEqual(5, self.modified("/d/file"))

    def test_no_empty_directories(self) -> None:
        """A directory goes with the last file in it, and those above it."""
        self.put("/d/e/f/file", b"x")
        self.successResultOf(self.driver.delete("/d/e/f/file"))
        self.assertEqual(["file"], self.names("/d"))
        self.successResultOf(self.driver.move("/d/file", "/other"))
        self.assertEqual(["other"], self.names("/"))

    def test_obstructed(self) -> None:
        """Where a directory is no file can be, and the other way round."""
        for path in ("/d", "/d/file/below", "/d/file/far/below"):
            for running in (
                self.driver.put_content(path, b"x"),
                self.driver.open_writer(path),
                self.driver.move("/d/file", path),
            ):
                self.failureResultOf(running, PathObstructed)
        self.assertEqual(["d"], self.names("/"))
        self.assertEqual(["file"], self.names("/d"))

    def test_file_grows_while_read(self) -> None:
        """A source has the length that its file had, whatever is appended."""
        source = self.successResultOf(self.driver.open_reader("/d/file"))
        writer = self.successResultOf(self.driver.open_writer("/d/file", append=True))
        writer.write(b" and more")
        sink = Collector(99)
        self.successResultOf(source.startProducing(sink))
        self.assertEqual(b"content", sink.content())

    def test_own_tree(self) -> None:
        """Each driver has a tree of its own."""
        other = self.driver.__class__(self.clock)
        self.assertEqual([], self.successResultOf(other.list_children("/")))

    def test_commit_what_is_gone(self) -> None:
        """A file that somebody deleted can be neither committed nor kept."""
        for end in ("commit", "close"):
            writer = self.successResultOf(self.driver.open_writer("/d/new"))
            self.successResultOf(self.driver.delete("/d/new"))
            self.failureResultOf(getattr(writer, end)(), PathNotFound)

    def test_cancel_what_was_replaced(self) -> None:
        """To cancel leaves what somebody else has put there meanwhile."""
        writer = self.successResultOf(self.driver.open_writer("/d/new"))
        self.put("/d/new", b"theirs")
        self.successResultOf(writer.cancel())
        self.assertEqual(["file", "new"], self.names("/d"))


class FactoryTests(SynchronousTestCase):
    """From options to a driver."""

    def test_provides(self) -> None:
        """The factory provides IStorageDriverFactory and makes drivers."""
        verifyObject(IStorageDriverFactory, factory)
        self.assertEqual("inmemory", factory.make_driver(Clock(), {}).name)

    def test_options(self) -> None:
        """There are no options."""
        error = self.assertRaises(
            InvalidOption, factory.make_driver, Clock(), {"size": 1}
        )
        self.assertEqual("size", error.key)
