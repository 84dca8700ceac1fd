"""The journal of a folder, and drivers that have one."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage.disks import WatchedDisk, open_below
from tests.unit.storage.places import new_place
from txregistry.interfaces import (
    Change,
    IStorageDriver,
    Note,
    PathNotFound,
    Publish,
    Put,
    Remove,
    StorageError,
    StorageFull,
    Together,
    Vanish,
)
from txregistry.storage import flocks, journal_files
from txregistry.storage.disk import Disk
from txregistry.storage.file_systems import keeps_order
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.journal import INTERVAL, MOST, Journal
from txregistry.storage.journal_files import FOLDER, JournalFiles
from txregistry.storage.records import BLOCK, unpack
from txregistry.testing import drivers
from txregistry.threads import in_threads_of

SIZE = 8 * BLOCK


class ContractTests(drivers.DriverContract):
    """With a journal, the filesystem driver keeps what IStorageDriver promises."""

    def setUp(self) -> None:
        """Choose a folder."""
        self.root = new_place(self)
        self.journals: list[Journal] = []
        super().setUp()

    def make_driver(self) -> IStorageDriver:
        """Make one on a folder that is not there yet."""
        disk, in_thread = Disk(self.root), in_threads_of(self.clock())
        files = JournalFiles(disk, can_be=lambda _: True)
        journal = Journal(files, in_thread, self.clock())
        self.journals.append(journal)
        return FilesystemDriver(disk, self.clock(), in_thread, journal=journal)

    def make_second_driver(self) -> IStorageDriver:
        """Make another one on the same folder."""
        return self.make_driver()

    async def clean(self) -> None:
        """Clean up, and see that no file of the store is left open."""
        for journal in self.journals:
            await journal.stop()
        self.assertEqual([], open_below(self.root))
        await super().clean()


class JournalCase(SynchronousTestCase):
    """A driver that keeps a journal, with a clock and no other thread.

    Attributes:
        disk: What it does is noted.
        syncs: How often the file system was synced.
        times: How many more times that fails.
    """

    def setUp(self) -> None:
        """Make the driver."""
        self.root = new_place(self)
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.syncs = 0
        self.times = 0
        self.possible = True
        self.drivers: list[FilesystemDriver] = []
        self.driver = self.make()
        self.disk: WatchedDisk

    def tearDown(self) -> None:
        """See that nothing stays open."""
        for driver in self.drivers:
            self.successResultOf(driver.stop())
        self.assertEqual([], open_below(self.root))
        self.assertEqual([], self.clock.getDelayedCalls())

    def make(self, is_wanted: bool = True) -> FilesystemDriver:
        """Make a driver as another process has one."""
        self.disk = WatchedDisk(self.root)
        files = JournalFiles(self.disk, SIZE, lambda _: self.possible, self.sync)
        journal = Journal(files, execute, self.clock, is_wanted)
        driver = FilesystemDriver(self.disk, self.clock, execute, journal=journal)
        self.drivers.append(driver)
        return driver

    def sync(self, _descriptor: int) -> None:
        """Count."""
        if self.times:
            self.times -= 1
            raise OSError(errno.EIO, "Input/output error")
        self.syncs += 1

    def apply(self, *changes: Change | Together) -> None:
        """Make changes."""
        self.successResultOf(self.driver.apply(changes))

    def content(self, path: str) -> bytes:
        """Return what a file holds."""
        content: bytes = self.successResultOf(self.driver.get_content(path))
        return content

    def die(self) -> None:
        """Let the process of the driver end at once."""
        self.clock = Clock()
        self.clock.advance(2_000_000)
        for driver in self.drivers:
            journal = driver._journal
            assert journal is not None
            journal._files.close()
        self.drivers.clear()

    def start_anew(self) -> None:
        """Let another process take over."""
        self.driver = self.make()
        self.successResultOf(self.driver.start())

    def see_checkpoint(self) -> None:
        """Let the time of the first one come; see that all is synced, and closed."""
        self.clock.advance(INTERVAL)
        self.assertEqual(1, self.syncs)
        self.assertEqual([0, 0], self.records())
        self.assertEqual([], open_below(self.root))

    def records(self) -> list[int]:
        """Return how many changes each of the files holds."""
        found = []
        for number in (0, 1):
            with open(f"{self.root}/{FOLDER}/{number}", "rb") as file:
                found.append(len(unpack(file.read())[1]))
        return found


class DurabilityTests(JournalCase):
    """What is durable when."""

    def test_put(self) -> None:
        """A change waits for no sync of a file or a folder of its own."""
        self.apply(Put("/a/first", b""))
        self.disk.steps.clear()
        self.apply(Put("/a/b/file", b"content"))
        self.assertEqual(["rename /a/b/~ /a/b/file"], self.disk.steps)
        self.assertEqual(b"content", self.content("/a/b/file"))
        self.assertEqual(2, sum(self.records()))
        self.assertEqual(0, self.syncs)

    def test_lost(self) -> None:
        """What a crash took is made again at the next start."""
        self.apply(
            Together([Put("/blobs/data", b"blob"), Put("/links/link", b"digest")]),
            Put("/tag", b"tag"),
        )
        self.die()
        shutil.rmtree(f"{self.root}/blobs")
        with open(f"{self.root}/links/link", "wb"):
            pass
        self.start_anew()
        self.assertEqual(b"blob", self.content("/blobs/data"))
        self.assertEqual(b"digest", self.content("/links/link"))
        self.assertEqual(b"tag", self.content("/tag"))
        self.assertEqual([0, 0], self.records())
        self.assertEqual(1, self.syncs)

    def test_come_back(self) -> None:
        """What a crash has brought back is removed at the next start."""
        self.apply(Put("/tags/a/current/link", b""), Put("/file", b""))
        self.apply(Vanish("/tags/a", "current/link"))
        self.successResultOf(self.driver.delete("/file"))
        self.die()
        os.makedirs(f"{self.root}/tags/a/current")
        for path in ("/tags/a/current/link", "/file"):
            with open(f"{self.root}{path}", "wb"):
                pass
        self.start_anew()
        self.failureResultOf(self.driver.stat("/tags/a"), PathNotFound)
        self.failureResultOf(self.driver.stat("/file"), PathNotFound)

    def test_publish(self) -> None:
        """A long file is durable where it was written before it is moved."""
        self.apply(Note("/uploads/1/data", b""), Put("/first", b""))
        opening = self.driver.open_writer("/uploads/1/data", append=True)
        writer = self.successResultOf(opening)
        writer.write(b"content")
        self.disk.steps.clear()
        publish = Publish(writer, "/blobs/data")
        self.apply(Together([publish, Put("/link", b"")]), Remove("/uploads/1"))
        self.assertEqual(
            [
                "sync file /uploads/1/data",
                "sync names /uploads/1",
                "sync names /uploads",
                "sync names /",
                "rename /uploads/1/data /blobs/data",
                "rename /~ /link",
            ],
            self.disk.steps,
        )
        self.die()
        os.makedirs(f"{self.root}/uploads/1")
        os.rename(f"{self.root}/blobs/data", f"{self.root}/uploads/1/data")
        self.start_anew()
        self.assertEqual(b"content", self.content("/blobs/data"))

    def test_commit(self) -> None:
        """A writer's commit is as good, in its own place and in another one."""
        for destination in (None, "/blobs/data"):
            path = destination or "/d/file"
            self.successResultOf(self.driver.put_content(path, b"old"))
            writer = self.successResultOf(self.driver.open_writer("/d/file"))
            writer.write(b"new")
            self.successResultOf(writer.commit(destination))
            self.die()
            self.start_anew()
            self.assertEqual(b"new", self.content(path))

    def test_only_garbage(self) -> None:
        """What need not be durable makes no record."""
        self.apply(Note("/a/b", b""), Remove("/a"))
        self.assertFalse(os.path.exists(f"{self.root}/{FOLDER}"))

    def test_not_for_readers(self) -> None:
        """Who only reads makes no journal, and what it is in is not listed."""
        root = self.root
        self.successResultOf(self.driver.start())
        self.failureResultOf(self.driver.get_content("/a"), PathNotFound)
        self.assertFalse(os.path.exists(root))
        self.apply(Put("/a", b""))
        names = self.successResultOf(self.driver.list_children("/"))
        self.assertEqual(["a"], names)


class CheckpointTests(JournalCase):
    """When records are dropped."""

    def test_interval(self) -> None:
        """After a while all is synced, and no file is open any more."""
        self.apply(Put("/a", b"1"))
        self.apply(Put("/a", b"2"))
        self.see_checkpoint()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.apply(Put("/b", b""))
        self.assertEqual(1, sum(self.records()))

    def test_again(self) -> None:
        """It goes on in the other file, whose old records count for nothing."""
        for number in range(7):
            for _ in range(3 - number % 2):
                self.apply(Put(f"/{number}", b""))
            self.clock.advance(INTERVAL)
            self.assertEqual([0, 0], self.records())
        self.assertEqual(7, self.syncs)
        self.apply(Put("/last", b""))
        self.assertEqual(1, sum(self.records()))

    def test_two(self) -> None:
        """Another process's records are dropped with ours, and in one row with them."""
        other = self.make()
        self.apply(Put("/a", b"1"))
        self.successResultOf(other.put_content("/a", b"2"))
        self.apply(Put("/b", b""))
        self.assertEqual([0, 3], sorted(self.records()))
        self.clock.advance(INTERVAL)
        self.assertEqual([0, 0], self.records())
        self.successResultOf(other.put_content("/a", b"3"))
        self.die()
        with open(f"{self.root}/a", "wb"):
            pass
        self.start_anew()
        self.assertEqual(b"3", self.content("/a"))

    def test_one_dies(self) -> None:
        """What a process that died has made stays written down while another lives."""
        other = self.make()
        self.apply(Put("/a", b"1"))
        self.successResultOf(other.put_content("/b", b"2"))
        assert self.driver._journal is not None
        self.driver._journal._files.close()
        third = self.make()
        self.successResultOf(third.start())
        self.assertEqual(0, self.syncs)
        self.assertEqual(2, sum(self.records()))

    def test_full(self) -> None:
        """A file that is full is followed by the other one; then it becomes longer."""
        for number in range(3 * SIZE // BLOCK):
            self.apply(Put(f"/{number}", b""))
        self.assertEqual(3 * SIZE // BLOCK, sum(self.records()))
        self.assertEqual(0, self.syncs)
        self.clock.advance(INTERVAL)
        self.clock.advance(INTERVAL)
        self.assertEqual([0, 0], self.records())
        sizes = [os.path.getsize(f"{self.root}/{FOLDER}/{each}") for each in (0, 1)]
        self.assertEqual([SIZE, SIZE], sizes)

    def test_order(self) -> None:
        """Of both files, the records of the later one count, whichever that is."""
        for _ in range(2):
            self.apply(Put("/a", b"old"))
            for number in range(SIZE // BLOCK):
                self.apply(Put(f"/{number}", b""))
            self.apply(Put("/a", b"new"))
            self.assertTrue(all(self.records()))
            self.die()
            with open(f"{self.root}/a", "wb"):
                pass
            self.start_anew()
            self.assertEqual(b"new", self.content("/a"))
            self.apply(Put("/a", b"older"))
            self.clock.advance(INTERVAL)

    def test_long(self) -> None:
        """A content may be longer than a file is."""
        self.apply(Put("/long", b"a" * 3 * SIZE))
        self.die()
        os.unlink(f"{self.root}/long")
        self.start_anew()
        self.assertEqual(b"a" * 3 * SIZE, self.content("/long"))

    def test_stop(self) -> None:
        """At the end nothing is left to be made again."""
        for number in range(2 * SIZE // BLOCK):
            self.apply(Put(f"/{number}", b""))
        self.successResultOf(self.driver.stop())
        self.assertEqual([0, 0], self.records())
        self.assertEqual([], open_below(self.root))

    def lose(self, times: int) -> None:
        """Let the next syncs of the file system fail, and lose what was written."""
        self.times = times

    def test_broken(self) -> None:
        """What cannot be synced is kept, and written anew when it can be.

        The system tells of it once, and takes what it could not write for written.
        """
        for times in (1, 2, 3):
            self.apply(Put("/a", b"1"))
            self.clock.advance(INTERVAL)
            self.apply(Put("/a", b"2"), Put("/b", b"3"))
            self.lose(times)
            for _ in range(times - 1):
                self.clock.advance(INTERVAL)
                self.assertEqual(2, sum(self.records()))
            inode = os.stat(f"{self.root}/a").st_ino
            os.link(f"{self.root}/a", f"{self.root}/~{times}")
            self.clock.advance(INTERVAL)
            self.assertNotEqual(inode, os.stat(f"{self.root}/a").st_ino)
            self.assertEqual((b"2", b"3"), (self.content("/a"), self.content("/b")))
            self.clock.advance(INTERVAL)
            self.assertEqual([0, 0], self.records())

    def test_broken_at_the_start(self) -> None:
        """So it is if it fails at a start, or the process ends before it was mended."""
        for dies in (False, True):
            self.apply(Put("/a", b"1"))
            if dies:
                self.lose(2)
                self.clock.advance(INTERVAL)
                self.die()
            else:
                self.die()
                self.lose(1)
                self.failureResultOf(self.make().start(), StorageError)
                self.drivers.clear()
            inode = os.stat(f"{self.root}/a").st_ino
            os.link(f"{self.root}/a", f"{self.root}/~{dies}")
            self.start_anew()
            self.assertNotEqual(inode, os.stat(f"{self.root}/a").st_ino)
            self.assertEqual([0, 0], self.records())


class FailureTests(JournalCase):
    """What does not work."""

    def test_not_here(self) -> None:
        """Where there can be no journal, changes are synced one by one."""
        self.possible = False
        self.apply(Put("/a/file", b"content"))
        self.assertIn("sync file /a/~", self.disk.steps)
        self.assertIn("sync names /a", self.disk.steps)
        self.assertEqual(b"content", self.content("/a/file"))
        self.assertFalse(os.path.exists(f"{self.root}/{FOLDER}"))

    def test_not_wanted(self) -> None:
        """So they are if none is wanted; but what one holds is made again."""
        self.apply(Put("/a", b"content"))
        self.die()
        os.unlink(f"{self.root}/a")
        self.driver = self.make(is_wanted=False)
        self.successResultOf(self.driver.start())
        self.assertEqual(b"content", self.content("/a"))
        self.apply(Put("/b", b""))
        self.assertIn("sync file /~", self.disk.steps)
        self.assertEqual([0, 0], self.records())

    def test_no_room(self) -> None:
        """So they are if there is no room for it; it is tried again later."""
        real = journal_files._write_at

        def full(descriptor: int, content: bytes, offset: int) -> None:
            if len(content) == SIZE:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(descriptor, content, offset)

        self.patch(journal_files, "_write_at", full)
        self.apply(Put("/a", b"content"))
        self.successResultOf(self.driver.delete("/a"))
        self.assertIn("sync file /~", self.disk.steps)
        self.assertEqual(0, os.path.getsize(f"{self.root}/{FOLDER}/0"))
        self.patch(journal_files, "_write_at", real)
        self.apply(Put("/b", b""))
        self.assertEqual(1, sum(self.records()))

    def test_no_descriptors(self) -> None:
        """Another reason that one cannot be opened is no reason to do without."""
        other = self.make()
        self.apply(Put("/a", b"1"))
        real = JournalFiles._made

        def made(files: JournalFiles, number: int) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(JournalFiles, "_made", made)
        self.failureResultOf(other.put_content("/a", b"2"), StorageError)
        self.patch(JournalFiles, "_made", real)
        self.assertEqual(b"1", self.content("/a"))
        self.successResultOf(other.put_content("/a", b"2"))

    def test_cannot_write_down(self) -> None:
        """What cannot be written down is not made."""
        self.apply(Put("/a", b"1"))

        def fdatasync(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        real = os.fdatasync
        self.patch(os, "fdatasync", fdatasync)
        self.failureResultOf(self.driver.put_content("/a", b"2"), StorageFull)
        self.failureResultOf(self.driver.put_content("/refused", b""), StorageFull)
        self.assertEqual(b"1", self.content("/a"))
        self.assertEqual(["a", FOLDER], sorted(os.listdir(self.root)))
        self.assertEqual(1, sum(self.records()))
        self.patch(os, "fdatasync", real)
        self.apply(Put("/b", b"3"))
        self.die()
        os.unlink(f"{self.root}/b")
        self.start_anew()
        self.assertEqual((b"1", b"3"), (self.content("/a"), self.content("/b")))
        self.failureResultOf(self.driver.stat("/refused"), PathNotFound)

    def test_dies_in_its_turn(self) -> None:
        """What a process wrote down and did not get to make, the next one makes."""
        other = self.make()
        self.apply(Put("/a", b"1"))

        def rename(disk: Disk, source: str, destination: str) -> None:
            raise SystemExit

        real = Disk.rename
        self.patch(Disk, "rename", rename)
        dying = self.driver.apply([Put("/a", b"2"), Put("/b", b"2")])
        self.failureResultOf(dying, SystemExit)
        self.patch(Disk, "rename", real)
        self.assertEqual(b"1", self.content("/a"))
        assert self.driver._journal is not None
        self.driver._journal._files.close()
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.drivers.remove(self.driver)
        self.successResultOf(other.put_content("/c", b""))
        self.driver = other
        self.assertEqual((b"2", b"2"), (self.content("/a"), self.content("/b")))
        self.successResultOf(other.delete("/b"))
        self.failureResultOf(other.stat("/b"), PathNotFound)

    def test_no_threads(self) -> None:
        """Where there is no thread for a change it fails, and holds up no other one."""
        journal = self.driver._journal
        assert journal is not None

        def none(_work: Any) -> Any:
            raise RuntimeError("can't start new thread")

        self.patch(journal, "_in_thread", none)
        self.failureResultOf(self.driver.put_content("/a", b"1"), RuntimeError)
        self.patch(journal, "_in_thread", execute)
        self.apply(Put("/a", b"2"))
        self.assertEqual(b"2", self.content("/a"))

    def test_no_end(self) -> None:
        """While no checkpoint works, the files become long, but not without end."""
        self.apply(Put("/long", bytes(15 * SIZE)), Put("/first", b""))
        self.apply(Put("/long", bytes(SIZE)))
        self.apply(Put("/long", bytes(15 * SIZE)))
        self.failureResultOf(self.driver.put_content("/a", b""), StorageFull)
        self.clock.advance(INTERVAL)
        self.apply(Put("/a", b""))

    def test_kept_by_another(self) -> None:
        """A process that does not give its turn up keeps others from changing."""
        self.patch(flocks, "PATIENCE", 0.0)
        self.apply(Put("/a", b"1"))
        descriptor = os.open(f"{self.root}/{FOLDER}/turn", os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        failed = self.driver.put_content("/a", b"2")
        self.assertIn("keeps the journal", str(self.failureResultOf(failed).value))
        os.close(descriptor)
        self.apply(Put("/a", b"2"))

    def test_changed(self) -> None:
        """A state that somebody has emptied is an error."""
        self.apply(Put("/a", b"1"))
        os.truncate(f"{self.root}/{FOLDER}/turn", 0)
        self.failureResultOf(self.driver.put_content("/a", b"2"), StorageError)
        self.die()
        self.start_anew()
        self.assertEqual(b"1", self.content("/a"))

    def test_moved_away(self) -> None:
        """A folder that is another one now has a journal of its own."""
        self.apply(Put("/a", b"1"))
        os.rename(self.root, f"{self.root}-aside")
        self.apply(Put("/b", b"2"))
        self.assertEqual(1, sum(self.records()))
        self.assertEqual(b"2", self.content("/b"))
        self.assertEqual([], open_below(f"{self.root}-aside"))

    def test_one_of_many(self) -> None:
        """Of what is written down together, what fails fails alone."""
        held: list[Deferred[None]] = []
        journal = self.driver._journal
        assert journal is not None

        def later(work: Callable[[], Any], /) -> Deferred[Any]:
            waiting: Deferred[Any] = Deferred()
            held.append(waiting)
            waiting.addCallback(lambda _: work())
            return waiting

        journal._in_thread = later
        first = self.driver.put_content("/d/first", b"")
        paths = ["/d/first/below", *(f"/d/{number}" for number in range(MOST))]
        rest = [self.driver.put_content(path, b"") for path in paths]
        self.assertEqual(1, len(held))
        held[0].callback(None)
        self.successResultOf(first)
        held[1].callback(None)
        self.failureResultOf(rest[0], StorageError)
        for each in rest[1:MOST]:
            self.successResultOf(each)
        self.assertNoResult(rest[MOST])
        stopping = self.driver.stop()
        self.assertNoResult(stopping)
        journal._in_thread = execute
        held[2].callback(None)
        self.successResultOf(stopping)
        self.successResultOf(rest[MOST])
        self.drivers.clear()
        with open(f"{self.root}/{FOLDER}/0", "rb") as file:
            self.assertEqual(0, unpack(file.read())[0])

    def test_read_only(self) -> None:
        """On a file system that is read-only nothing is made again."""

        def flock(_descriptor: int, _operation: int) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        self.apply(Put("/a", b"1"))
        self.die()
        real = fcntl.flock
        self.patch(fcntl, "flock", flock)
        self.start_anew()
        self.patch(fcntl, "flock", real)
        self.assertEqual(b"1", self.content("/a"))

    def test_cannot_start(self) -> None:
        """A journal that cannot be read keeps the registry from starting."""

        def flock(_descriptor: int, _operation: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        self.apply(Put("/a", b"1"))
        self.die()
        real = fcntl.flock
        self.patch(fcntl, "flock", flock)
        error = self.failureResultOf(self.make().start(), StorageError).value
        self.patch(fcntl, "flock", real)
        self.assertEqual("filesystem: Input/output error: /~journal", str(error))


class PlaceTests(SynchronousTestCase):
    """Where a journal can be."""

    def test_kinds(self) -> None:
        """Not in what the kernel makes up, nor where nothing is."""
        self.assertFalse(keeps_order("/proc"))
        self.assertFalse(keeps_order(new_place(self)))
