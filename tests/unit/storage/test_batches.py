"""Several changes on a disk: in their order, durable, and whole at any crash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from twisted.internet.defer import execute
from twisted.internet.task import Clock

from tests.unit.storage.disks import SharedDisk, WatchedDisk
from tests.unit.storage.places import new_place
from tests.unit.storage.test_disk import DiskCase
from txregistry.interfaces import (
    Change,
    IFileWriter,
    InvalidPath,
    Note,
    PathNotFound,
    Publish,
    Put,
    Remove,
    StorageError,
    Together,
    Vanish,
)
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver

DATA, LINK, SESSION = "/blobs/digest/data", "/layers/digest/link", "/uploads/one"


class Died(Exception):
    """The process is dead."""


class MortalDisk(WatchedDisk):
    """A disk that a process dies at.

    Attributes:
        left: At how many more steps it does not.
    """

    left = 10_000

    def sync_file(self, descriptor: int) -> None:
        """Die, or sync."""
        self._go_on()
        super().sync_file(descriptor)

    def sync_directory(self, directory: str) -> None:
        """Die, or sync."""
        self._go_on()
        super().sync_directory(directory)

    def rename(self, source: str, destination: str) -> None:
        """Die, or rename."""
        self._go_on()
        super().rename(source, destination)

    def mkdir(self, place: str) -> None:
        """Die, or make a folder."""
        self._go_on()
        super().mkdir(place)

    def drop(self, place: str) -> None:
        """Die, or remove."""
        self._go_on()
        super().drop(place)

    def _go_on(self) -> None:
        if not self.left:
            raise Died
        self.left -= 1


class BatchCase(DiskCase):
    """A driver on a disk."""

    def use(self, disk: Disk) -> None:
        """Take a disk."""
        self.disk = disk
        self.driver = FilesystemDriver(disk, Clock(), execute)

    def open(self) -> IFileWriter:
        """Return a writer of a session's data."""
        self.apply(Note(f"{SESSION}/startedat", b"now"), Note(f"{SESSION}/data", b""))
        writer = self.successResultOf(
            self.driver.open_writer(f"{SESSION}/data", append=True)
        )
        writer.write(b"content")
        return writer

    def apply(self, *changes: Change | Together) -> None:
        """Make changes."""
        self.successResultOf(self.driver.apply(changes))

    def push(self, writer: IFileWriter) -> list[Change]:
        """Return what ends a push."""
        return [Publish(writer, DATA), Put(LINK, b"digest"), Remove(SESSION)]

    def exists(self, path: str) -> bool:
        """Say whether there is anything at a path."""
        return os.path.exists(self.root + path)


class OrderTests(BatchCase):
    """What is synced, and in which order."""

    def setUp(self) -> None:
        """Watch a disk."""
        super().setUp()
        self.watched = WatchedDisk(self.root)
        self.use(self.watched)

    def test_push(self) -> None:
        """Contents and folders are durable, then each thing takes its place durably."""
        writer = self.open()
        self.assertEqual(["sync names above"], self.watched.steps)
        self.watched.steps.clear()
        self.apply(*self.push(writer))
        self.assertEqual(
            [
                "sync file /uploads/one/data",
                "sync file /layers/digest/~",
                "sync names /blobs",
                "sync names /",
                "sync names /layers",
                "rename /uploads/one/data /blobs/digest/data",
                "sync names /blobs/digest",
                "rename /layers/digest/~ /layers/digest/link",
                "sync names /layers/digest",
            ],
            self.watched.steps,
        )
        self.assertEqual(b"content", self.content(DATA))
        self.assertEqual(b"digest", self.content(LINK))
        self.assertEqual([], self.everything("/uploads"))

    def test_together(self) -> None:
        """What is made together takes its place, and the folders are synced then."""
        self.apply(*self.push(self.open()))
        writer = self.open()
        self.watched.steps.clear()
        publish, put, remove = self.push(writer)
        self.apply(Together([publish, put]), remove)
        self.assertEqual(
            [
                "sync file /uploads/one/data",
                "sync file /layers/digest/~",
                "rename /uploads/one/data /blobs/digest/data",
                "rename /layers/digest/~ /layers/digest/link",
                "sync names /blobs/digest",
                "sync names /layers/digest",
            ],
            self.watched.steps,
        )

    def test_push_again(self) -> None:
        """In folders that are durable only contents and names are synced."""
        self.apply(*self.push(self.open()))
        writer = self.open()
        self.watched.steps.clear()
        self.apply(*self.push(writer))
        syncs = [step for step in self.watched.steps if step.startswith("sync names")]
        self.assertEqual(
            ["sync names /blobs/digest", "sync names /layers/digest"], syncs
        )

    def test_commit(self) -> None:
        """A committed file's content is durable before its name."""
        self.commit("/a/new")
        self.assertEqual(b"new", self.content("/a/new"))
        self.assertEqual(
            [
                "sync file /a/new",
                "sync names /",
                "rename /a/new /a/new",
                "sync names /a",
            ],
            self.watched.steps,
        )

    def test_commit_replacement(self) -> None:
        """A replacement's content is durable before it takes the file's place."""
        self.apply(Put("/old", b"old"))
        self.commit("/old")
        self.assertEqual(b"new", self.content("/old"))
        self.assertEqual(
            ["sync file /~", "rename /~ /old", "sync names /"], self.watched.steps
        )

    def test_delete(self) -> None:
        """A removal is durable when the name is gone from the folder above."""
        self.apply(Put("/a/b/file", b"content"))
        self.watched.steps.clear()
        self.successResultOf(self.driver.delete("/a/b"))
        self.assertEqual([], self.everything("/a"))
        self.assertEqual(["sync names /a"], self.watched.steps)

    def test_notes(self) -> None:
        """Notes wait for nothing, and go over what is there."""
        self.apply(Note("/a/b", b"long"))
        self.watched.steps.clear()
        self.apply(Note("/a/b", b"one"), Note("/a/c/d", b""), Remove("/none"))
        self.assertEqual([], self.watched.steps)
        self.assertEqual(b"one", self.content("/a/b"))
        self.assertEqual(["d"], self.everything("/a/c"))

    def commit(self, path: str) -> None:
        """Write a file and commit it, watched from where it is written."""
        writer = self.successResultOf(self.driver.open_writer(path))
        writer.write(b"new")
        self.watched.steps.clear()
        self.successResultOf(writer.commit())


class CrashTests(BatchCase):
    """A process dies at each step in turn."""

    def test_push(self) -> None:
        """What leads to something is never there before it, and never torn."""
        self.try_all(together=False)

    def test_together(self) -> None:
        """So it is, when the process dies, with what is made together."""
        self.try_all(together=True)

    def try_all(self, together: bool) -> None:
        """Die at each step."""
        steps = self.steps_of(lambda _disk: None, together)
        self.assertGreater(steps, 10)
        for number in range(steps):
            with self.subTest(number=number):
                self.root = f"{new_place(self)}/root"
                os.makedirs(self.root)
                self.root = os.path.abspath(self.root)

                def die_later(disk: MortalDisk, number: int = number) -> None:
                    disk.left = number

                self.steps_of(die_later, together)
                if self.exists(LINK):
                    self.assertEqual(b"digest", self.content(LINK))
                    self.assertEqual(b"content", self.content(DATA))
                elif self.exists(DATA):
                    self.assertEqual(b"content", self.content(DATA))
                else:
                    self.assertEqual(b"content", self.content(f"{SESSION}/data"))

    def test_vanish(self) -> None:
        """A process that has a list at hand lists no more than there is.

        It has listed the folder before, and looks again after the crash.
        """
        for left in range(5):
            with self.subTest(left=left):
                self.root = f"{new_place(self)}/root"
                os.makedirs(self.root)
                disk = MortalDisk(self.root)
                self.use(disk)
                self.apply(Put("/tags/a/current/link", b""), Put("/tags/a/b/c", b""))
                self.apply(Put("/tags/b/current/link", b""))
                long_ago = time.time() - 60
                os.utime(f"{self.root}/tags", (long_ago, long_ago))
                other = FilesystemDriver(Disk(self.root), Clock(), execute)
                self.assertEqual(["a", "b"], self.tags_of(other))
                disk.left = left
                dying = self.driver.apply([Vanish("/tags/a", "current/link")])
                dying.addErrback(lambda failure: failure.trap(Died))
                self.successResultOf(dying)
                there = self.exists("/tags/a/current/link")
                self.assertEqual(left == 0, there)
                self.assertEqual(["a", "b"] if there else ["b"], self.tags_of(other))
                names = self.successResultOf(other.list_children("/tags"))
                self.assertEqual(["a", "b"] if there else ["b"], names)

    def tags_of(self, driver: FilesystemDriver) -> list[str]:
        """Return the folders that hold a link."""
        found: list[str] = self.successResultOf(
            driver.list_holders("/tags", "current/link")
        )
        return found

    def steps_of(
        self, prepare: Callable[[MortalDisk], None], together: bool = False
    ) -> int:
        """Push on a new disk; return how many steps that was."""
        disk = MortalDisk(self.root)
        self.use(disk)
        writer = self.open()
        before = disk.left
        prepare(disk)
        dies = disk.left != before
        publish, put, remove = self.push(writer)
        changes: list[Change | Together] = [publish, put, remove]
        if together:
            changes = [Together([publish, put]), remove]
        running = self.driver.apply(changes)
        if dies:
            self.failureResultOf(running, Died)
            self.successResultOf(writer.close())
        else:
            self.successResultOf(running)
        return before - disk.left


class FailureTests(BatchCase):
    """What does not work."""

    def setUp(self) -> None:
        """Take a disk."""
        super().setUp()
        self.use(Disk(self.root))

    def test_obstructed(self) -> None:
        """Where a change cannot be made nothing is, and the writer can be ended."""
        self.apply(Put("/layers", b"in the way"))
        writer = self.open()
        running = self.driver.apply(self.push(writer))
        self.failureResultOf(running, StorageError)
        self.assertFalse(self.exists(DATA))
        self.failureResultOf(writer.commit(), StorageError)
        self.successResultOf(writer.close())
        self.assertEqual(b"content", self.content(f"{SESSION}/data"))

    def test_temporary_files(self) -> None:
        """Of what has had no effect nothing is left."""
        self.apply(Put("/b/c", b""))
        running = self.driver.apply([Put("/a/one", b""), Put("/b/c/two", b"")])
        self.failureResultOf(running, StorageError)
        self.assertEqual([], self.everything("/a"))

    def test_after_the_first(self) -> None:
        """A change that fails after others keeps those, and its writer has ended."""
        writer = self.open()
        changes: list[Change] = [
            Publish(writer, DATA),
            Note("/blobs/digest/data/x", b""),
        ]
        self.failureResultOf(self.driver.apply(changes), StorageError)
        self.assertEqual(b"content", self.content(DATA))
        self.successResultOf(writer.close())
        self.successResultOf(writer.cancel())
        self.assertEqual(b"content", self.content(DATA))

    def test_removed(self) -> None:
        """A file that somebody has removed is not published, nor what is behind it."""
        writer = self.open()
        self.successResultOf(self.driver.delete(SESSION))
        self.failureResultOf(self.driver.apply(self.push(writer)), PathNotFound)
        self.successResultOf(writer.cancel())
        self.assertFalse(self.exists(LINK))

    def test_commit_when_removed(self) -> None:
        """A file that somebody has removed is not committed; it can be cancelled."""
        writer = self.successResultOf(self.driver.open_writer("/d/new"))
        self.successResultOf(self.driver.delete("/d/new"))
        self.failureResultOf(writer.commit(), PathNotFound)
        self.successResultOf(writer.cancel())
        self.assertEqual([], self.everything("/d"))

    def test_commit_when_replaced(self) -> None:
        """A file that somebody has replaced is not committed; the other one stays."""
        writer = self.successResultOf(self.driver.open_writer("/d/new"))
        writer.write(b"mine")
        self.successResultOf(self.driver.put_content("/d/new", b"theirs"))
        self.failureResultOf(writer.commit(), PathNotFound)
        self.successResultOf(writer.cancel())
        self.assertEqual(b"theirs", self.content("/d/new"))

    def test_delete_missing(self) -> None:
        """What was not there from the beginning cannot be removed."""
        self.failureResultOf(self.driver.delete("/a"), PathNotFound)

    def test_ended(self) -> None:
        """A writer that has ended cannot be published."""
        writer = self.open()
        self.successResultOf(writer.close())
        self.failureResultOf(self.driver.apply(self.push(writer)), StorageError)

    def test_invalid(self) -> None:
        """No path is touched if one is none."""
        changes: list[Change] = [Put("/a", b""), Remove("/../b")]
        running = self.driver.apply(changes)
        self.failureResultOf(running, InvalidPath)
        self.assertFalse(self.exists("/a"))

    def test_folder_removed(self) -> None:
        """A folder that somebody removes meanwhile is made again."""

        def meanwhile() -> None:
            for name in ("/blobs", "/layers"):
                Disk(self.root).drop(self.root + name)

        disk = SharedDisk(self.root, meanwhile, times=0)
        self.use(disk)
        writer = self.open()
        disk.times = 1
        self.apply(*self.push(writer))
        self.assertEqual(b"content", self.content(DATA))
        self.assertEqual(b"digest", self.content(LINK))
