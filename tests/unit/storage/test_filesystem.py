"""The filesystem driver."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

from twisted.internet.defer import execute, fail
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from tests.unit.storage.disks import BrokenLockDisk, FullDisk, LocklessDisk, open_below
from tests.unit.storage.places import new_place
from txregistry.interfaces import (
    IFileRange,
    InvalidOffset,
    InvalidOption,
    InvalidPath,
    IStorageDriver,
    IStorageDriverFactory,
    PathError,
    PathNotFound,
    StorageError,
    StorageFull,
)
from txregistry.storage.disk import Disk, read_all
from txregistry.storage.drafts import Draft
from txregistry.storage.filesystem import (
    SMALL,
    FilesystemDriver,
    FilesystemReader,
    FilesystemWriter,
    factory,
)
from txregistry.storage.paths import PathObstructed
from txregistry.storage.syncs import ThreadSyncs
from txregistry.streams import Collector, IThreadSink, Piece
from txregistry.testing import driver_writers, drivers
from txregistry.testing.streams import Pattern
from txregistry.threads import in_threads_of


class ContractTests(drivers.DriverContract):
    """The filesystem driver keeps what IStorageDriver promises."""

    def setUp(self) -> None:
        """Choose a folder."""
        self.root = new_place(self)
        super().setUp()

    def make_driver(self) -> IStorageDriver:
        """Make one on a folder that is not there yet."""
        return FilesystemDriver(
            Disk(self.root), self.clock(), in_threads_of(self.clock())
        )

    def make_second_driver(self) -> IStorageDriver:
        """Make another one on the same folder."""
        return self.make_driver()

    async def clean(self) -> None:
        """Clean up, and see that no file of the store is left open."""
        self.assertEqual([], open_below(self.root))
        await super().clean()


class LocklessWriterTests(driver_writers.WriterCases):
    """On a file system that has no locks, writers do all else that is promised."""

    exclusive_writers = False

    def setUp(self) -> None:
        """Choose a folder."""
        self.root = new_place(self)
        super().setUp()

    def make_driver(self) -> IStorageDriver:
        """Make a driver on such a disk."""
        return FilesystemDriver(
            LocklessDisk(self.root), self.clock(), in_threads_of(self.clock())
        )


class FilesystemCase(SynchronousTestCase):
    """A driver on a folder, with a clock of its own and no other thread."""

    def setUp(self) -> None:
        """Make the driver."""
        self.root = new_place(self)
        self.clock = Clock()
        self.driver = self.make(Disk(self.root))
        self.put("/d/file", b"content")

    def make(self, disk: Disk) -> FilesystemDriver:
        """Make a driver on a disk."""
        return FilesystemDriver(disk, self.clock, execute)

    def put(self, path: str, content: bytes) -> None:
        """Put a file."""
        self.successResultOf(self.driver.put_content(path, content))

    def open(self, path: str, append: bool = False) -> FilesystemWriter:
        """Open a writer that is ended after the test."""
        writer = self.successResultOf(self.driver.open_writer(path, append))
        self.addCleanup(writer.cancel)
        assert isinstance(writer, FilesystemWriter)
        return writer


class LayoutTests(FilesystemCase):
    """Where things lie, for others to find."""

    def test_place(self) -> None:
        """A path lies in the folder as it is spelled."""
        with open(f"{self.root}/d/file", "rb") as file:
            self.assertEqual(b"content", file.read())

    def test_untouched_folder(self) -> None:
        """A folder that is not there is made when something is put, and no sooner."""
        root = new_place(self)
        driver = self.make(Disk(root))
        self.successResultOf(driver.list_children("/"))
        self.successResultOf(driver.stat("/"))
        self.assertFalse(os.path.exists(root))

    def test_foreign_files(self) -> None:
        """What somebody else puts into the folder is there."""
        os.makedirs(f"{self.root}/repositories/a")
        with open(f"{self.root}/repositories/a/link", "wb") as file:
            file.write(b"sha256:0")
        found = self.driver.get_content("/repositories/a/link")
        self.assertEqual(b"sha256:0", self.successResultOf(found))

    def test_modified(self) -> None:
        """The time of a file is that of the file on disk."""
        os.utime(f"{self.root}/d/file", (1, 1234.5))
        found = self.successResultOf(self.driver.stat("/d/file"))
        self.assertEqual(1234.5, found.modified)

    def test_link(self) -> None:
        """A symbolic link is followed, to files and to folders."""
        os.symlink(f"{self.root}/d", f"{self.root}/link")
        found = self.driver.get_content("/link/file")
        self.assertEqual(b"content", self.successResultOf(found))
        self.assertTrue(self.successResultOf(self.driver.stat("/link")).is_directory)

    def test_empty_folder(self) -> None:
        """A folder stays when its last file goes."""
        self.successResultOf(self.driver.delete("/d/file"))
        self.assertEqual([], self.successResultOf(self.driver.list_children("/d")))


class NothingThereTests(FilesystemCase):
    """What cannot be read is not there."""

    def require_nothing(self, path: str) -> None:
        """Require that no way of reading finds anything."""
        for running in (
            self.driver.get_content(path),
            self.driver.open_reader(path),
            self.driver.stat(path),
            self.driver.list_children(path),
            self.driver.delete(path) if path != "/pipe" else fail(PathNotFound("", "")),
        ):
            self.failureResultOf(running, PathNotFound)
        self.assertEqual([], open_below(self.root))

    def test_long_name(self) -> None:
        """No name is longer than the operating system takes."""
        self.require_nothing("/" + "a" * 256)

    def test_long_path(self) -> None:
        """No path is longer than the operating system takes."""
        self.require_nothing("/a" * 3000)

    def test_loop(self) -> None:
        """Links that lead to one another lead nowhere."""
        os.symlink(f"{self.root}/loop", f"{self.root}/loop")
        self.failureResultOf(self.driver.get_content("/loop"), PathNotFound)
        self.failureResultOf(self.driver.stat("/loop"), PathNotFound)

    def test_pipe(self) -> None:
        """A named pipe holds nothing, and nobody waits for it."""
        os.mkfifo(f"{self.root}/pipe")
        self.require_nothing("/pipe")

    def test_socket(self) -> None:
        """A socket holds nothing."""
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        listening.bind("pipe")
        self.require_nothing("/pipe")


class ErrorTests(FilesystemCase):
    """What the operating system refuses."""

    def require_refused(self, path: str, error: type[PathError]) -> None:
        """Require that no way of writing goes."""
        for running in (
            self.driver.put_content(path, b""),
            self.driver.open_writer(path),
            self.driver.move("/d/file", path),
        ):
            failure = self.failureResultOf(running, error)
            self.assertEqual(path, failure.value.path)
        self.assertEqual([], open_below(self.root))

    def test_long_name(self) -> None:
        """A name that is too long for the operating system is no path to write to."""
        self.require_refused("/" + "a" * 256, InvalidPath)

    def test_folder_in_the_way(self) -> None:
        """Where a folder is, no file can be."""
        self.require_refused("/d", PathObstructed)

    def test_file_in_the_way(self) -> None:
        """Below a file, nothing can be."""
        self.require_refused("/d/file/a/b", PathObstructed)

    def test_pipe_in_the_way(self) -> None:
        """A named pipe is not written to, and nobody waits for it."""
        os.mkfifo(f"{self.root}/pipe")
        self.failureResultOf(self.driver.open_writer("/pipe"), PathObstructed)

    def test_full_put(self) -> None:
        """A put that finds no room fails with StorageFull."""
        running = self.make(FullDisk(self.root)).put_content("/d/file", b"new")
        self.failureResultOf(running, StorageFull)
        found = self.driver.get_content("/d/file")
        self.assertEqual(b"content", self.successResultOf(found))

    def test_full_commit(self) -> None:
        """A commit that finds no room fails, and the writer can be cancelled then."""
        self.driver = self.make(FullDisk(self.root))
        writer = self.open("/d/new")
        self.failureResultOf(writer.commit(), StorageFull)
        self.assertRaises(StorageError, writer.write, b"more")
        self.failureResultOf(writer.commit(), StorageError)
        self.successResultOf(writer.cancel())
        self.failureResultOf(self.driver.stat("/d/new"), PathNotFound)
        self.assertEqual([], open_below(self.root))

    def writer(self, disk: Disk, draft: Draft) -> FilesystemWriter:
        """Return a writer of a draft."""
        syncs = ThreadSyncs(disk, execute)
        publish = self.make(disk)._publish
        return FilesystemWriter("/d/new", draft, execute, syncs, publish)

    def test_full_write(self) -> None:
        """A write that finds no room fails, and all after it; what is there stays."""
        disk = Disk(self.root)
        draft = FullDraft(disk, f"{self.root}/d/new")
        writer = self.writer(disk, draft)
        self.assertRaises(StorageFull, writer.write, b"abc")
        self.assertRaises(StorageError, writer.write, b"def")
        self.failureResultOf(writer.commit(), StorageError)
        self.successResultOf(writer.close())
        self.assertEqual(2, self.successResultOf(self.driver.stat("/d/new")).size)

    def test_full_write_in_thread(self) -> None:
        """So it is with what threads write."""
        disk = Disk(self.root)
        draft = FullDraft(disk, f"{self.root}/d/new")
        writer = self.writer(disk, draft)
        verifyObject(IThreadSink, writer)
        self.assertRaises(StorageFull, writer.write_pieces, [b"abc"])
        self.assertRaises(StorageError, writer.write_pieces, [b"def"])
        self.successResultOf(writer.close())

    def test_pieces(self) -> None:
        """Threads write pieces as the reactor writes."""
        writer = self.successResultOf(self.driver.open_writer("/d/new"))
        IThreadSink(writer).write_pieces([b"a", memoryview(bytearray(b"bc"))])
        writer.write(b"d")
        self.assertEqual(4, writer.size)
        self.successResultOf(writer.commit())
        content = self.successResultOf(self.driver.get_content("/d/new"))
        self.assertEqual(b"abcd", content)

    def test_other_error(self) -> None:
        """Whatever else goes wrong is a StorageError that says what, and where."""
        driver = self.make(BrokenLockDisk(self.root))
        failure = self.failureResultOf(driver.open_writer("/d/file"), StorageError)
        self.assertEqual(
            "filesystem: Input/output error: /d/file", failure.getErrorMessage()
        )


class ReaderTests(FilesystemCase):
    """A range of an open file."""

    def open_range(self, offset: int, length: int | None) -> FilesystemReader:
        """Open a range of ``/d/file``."""
        running = self.driver.open_reader("/d/file", offset, length)
        reader = self.successResultOf(running)
        self.addCleanup(reader.stopProducing)
        assert isinstance(reader, FilesystemReader)
        return reader

    def test_provides(self) -> None:
        """A reader provides IFileRange beside IBodyProducer."""
        reader = self.open_range(0, None)
        verifyObject(IFileRange, reader)
        verifyObject(IBodyProducer, reader)

    def test_range(self) -> None:
        """The descriptor, offset and length are those of the content."""
        reader = self.open_range(2, 3)
        found = os.pread(reader.descriptor, reader.length, reader.offset)
        self.assertEqual(b"nte", found)

    def test_to_the_end(self) -> None:
        """A range may reach to the end, and no further."""
        self.assertEqual(5, self.open_range(2, None).length)
        self.assertEqual(5, self.open_range(2, 99).length)
        self.assertEqual(0, self.open_range(2, -1).length)

    def test_closed(self) -> None:
        """A reader that was stopped has closed its file, also when it never started."""
        self.open_range(0, None).stopProducing()
        self.assertEqual([], open_below(self.root))

    def test_closed_in_the_end(self) -> None:
        """A reader that has produced everything has closed its file."""
        running = self.open_range(0, None).startProducing(Collector(99))
        self.successResultOf(running)
        self.assertEqual([], open_below(self.root))

    def test_refused_offset(self) -> None:
        """An offset that is refused leaves nothing open."""
        running = self.driver.open_reader("/d/file", 99)
        self.failureResultOf(running, InvalidOffset)
        self.assertEqual([], open_below(self.root))

    def test_shrank(self) -> None:
        """A file that somebody cuts short is a failure; nothing is made up for it."""
        reader, sink = self.open_range(0, None), Collector(99)
        os.truncate(f"{self.root}/d/file", 3)
        self.failureResultOf(reader.startProducing(sink), StorageError)
        self.assertEqual(b"con", sink.content())
        self.assertEqual([], open_below(self.root))

    def test_unreadable(self) -> None:
        """A disk that cannot be read is a failure."""
        descriptor = os.open(f"{self.root}/d/file", os.O_WRONLY)
        reader = FilesystemReader(self.clock, descriptor, 0, 7)
        self.failureResultOf(reader.startProducing(Collector(99)), StorageError)


class GetContentTests(FilesystemCase):
    """Content of any size."""

    def test_sizes(self) -> None:
        """What is small is read at once, what is large in a thread: both whole."""
        for size in (0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL):
            content = Pattern(size).content()
            self.put("/d/file", content)
            found = self.driver.get_content("/d/file")
            self.assertEqual(content, self.successResultOf(found))

    def test_grown(self) -> None:
        """A file that has grown since it was asked about is read to its end."""
        reading = os.open(f"{self.root}/d/file", os.O_RDONLY)
        self.addCleanup(os.close, reading)
        self.assertEqual(b"content", read_all(reading, 3))


class FactoryTests(SynchronousTestCase):
    """From options to a driver."""

    def make(self, **options: object) -> FilesystemDriver:
        """Make a driver."""
        return factory.make_driver(MemoryReactorClock(), options)

    def test_provides(self) -> None:
        """The factory provides IStorageDriverFactory."""
        verifyObject(IStorageDriverFactory, factory)

    def test_no_options(self) -> None:
        """Without options, the folder is where the Go registry has it."""
        self.assertEqual("/var/lib/registry", self.make()._disk.root)

    def test_folder(self) -> None:
        """The folder is the one that is named, from where we are."""
        driver = self.make(rootdirectory="some/./folder/")
        self.assertEqual(os.path.abspath("some/folder"), driver._disk.root)

    def test_maxthreads(self) -> None:
        """The Go registry's number of threads is taken, as a number or as text."""
        for value in (100, 1, "64"):
            self.make(maxthreads=value)

    def test_wrong_maxthreads(self) -> None:
        """A number of threads that is none is refused."""
        for value in ("many", -1, 1.5, None, True, "", [1]):
            error = self.assertRaises(InvalidOption, self.make, maxthreads=value)
            self.assertEqual("maxthreads", error.key)

    def test_wrong_folder(self) -> None:
        """A folder that is none, or the whole file system, is refused."""
        for value in ("", "/", "//", "/a/..", 1, None, ["/a"], "/a\0b"):
            error = self.assertRaises(InvalidOption, self.make, rootdirectory=value)
            self.assertEqual("rootdirectory", error.key)

    def test_unknown(self) -> None:
        """An unknown option is refused."""
        error = self.assertRaises(InvalidOption, self.make, rootdir="/a")
        self.assertEqual("rootdir", error.key)


class FullDraft(Draft):
    """A draft on a disk that has room for two more bytes."""

    def __init__(self, disk: Disk, place: str) -> None:
        """Open a new file."""
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT, 0o666)
        super().__init__(disk, place, place, (descriptor,))

    def write(self, content: bytes) -> None:
        """Write two bytes and fail."""
        super().write(content[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def write_pieces(self, pieces: Sequence[Piece]) -> None:
        """Write two bytes and fail."""
        super().write_pieces([pieces[0][:2]])
        raise OSError(errno.ENOSPC, "No space left on device")
