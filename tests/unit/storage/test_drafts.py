"""Files on disk that somebody is writing."""

from __future__ import annotations

import fcntl
import os
import resource
import signal

from tests.unit.storage.disks import (
    BrokenLockDisk,
    LocklessDisk,
    SharedDisk,
    WatchedDisk,
    open_below,
    remove,
)
from tests.unit.storage.test_disk import DiskCase
from txregistry.storage.disk import Disk
from txregistry.storage.drafts import Draft, open_draft


class DraftCase(DiskCase):
    """A disk with one file, ``/old``."""

    def setUp(self) -> None:
        """Put the file there."""
        super().setUp()
        self.watched = WatchedDisk(self.root)
        self.disk: Disk = self.watched
        self.old = f"{self.root}/old"
        self.new = f"{self.root}/new"
        self.disk.put(self.old, b"old")
        self.watched.steps.clear()

    def open(self, place: str, append: bool = False) -> Draft:
        """Open a draft that is closed after the test."""
        draft = open_draft(self.disk, place, append=append)
        self.addCleanup(draft.close)
        return draft


class DraftTests(DraftCase):
    """What becomes of a file that is written."""

    def test_new_in_place(self) -> None:
        """A new file grows where it belongs: other processes see how far it is."""
        draft = self.open(self.new)
        draft.write(b"abc")
        self.assertEqual(b"abc", self.content("/new"))
        self.assertEqual(3, draft.size)

    def test_replacement_beside(self) -> None:
        """What is to replace a file grows beside it."""
        draft = self.open(self.old)
        draft.write(b"abc")
        self.assertEqual(b"old", self.content("/old"))
        self.assertEqual(2, len(self.everything()))

    def test_keep_replacement(self) -> None:
        """A replacement that is kept takes the file's place, and nothing is synced."""
        draft = self.open(self.old)
        draft.write(b"abc")
        draft.keep()
        self.assertEqual(b"abc", self.content("/old"))
        self.assertEqual(["old"], self.everything())
        self.assertEqual(["rename /~ /old"], self.watched.steps)

    def test_arrive_when_gone(self) -> None:
        """A file that somebody removed cannot arrive; it can be discarded."""
        draft = self.open(self.new)
        os.unlink(self.new)
        self.assertRaises(FileNotFoundError, draft.arrive, self.new)
        draft.discard()
        self.assertEqual(["old"], self.everything())

    def test_arrive_when_replaced(self) -> None:
        """A file that somebody replaced cannot arrive; the other one stays."""
        draft = self.open(self.new)
        draft.write(b"mine")
        self.disk.put(self.new, b"theirs")
        self.assertRaises(FileNotFoundError, draft.arrive, self.new)
        draft.discard()
        self.assertEqual(b"theirs", self.content("/new"))

    def test_keep_what_is_gone(self) -> None:
        """A file that somebody removed cannot be kept, and is closed all the same."""
        draft = self.open(self.new)
        os.unlink(self.new)
        self.assertRaises(FileNotFoundError, draft.keep)
        self.assertRaises(IndexError, draft.write, b"abc")

    def test_discard_replacement(self) -> None:
        """A replacement that is discarded leaves the file."""
        self.open(self.old).discard()
        self.assertEqual(b"old", self.content("/old"))
        self.assertEqual(["old"], self.everything())

    def test_size_after_failure(self) -> None:
        """After a write that failed, the size is what is in the file."""
        draft = self.open(self.new)
        draft.write(b"abc")
        self.limit_file_size(5)
        self.assertRaises(OSError, draft.write, b"defgh")
        self.assertEqual(os.stat(self.new).st_size, draft.size)

    def limit_file_size(self, size: int) -> None:
        """Let no file of this process grow beyond a size, for the test."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGXFSZ, ignored)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))


class OpenDraftTests(DraftCase):
    """Who may write, and to what."""

    def test_locked(self) -> None:
        """While a file is written, it is locked for everybody."""
        for place in (self.new, self.old):
            self.open(place)
            for append in (True, False):
                self.assertRaises(BlockingIOError, self.open, place, append)

    def test_lock_before_change(self) -> None:
        """A file that somebody else has locked is left as it is."""
        descriptor = os.open(self.old, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self.assertRaises(BlockingIOError, self.open, self.old)
        self.assertEqual(b"old", self.content("/old"))
        self.assertEqual(["old"], self.everything())

    def test_unlocked(self) -> None:
        """Whatever becomes of a draft, the next one can be opened."""
        for end in (Draft.keep, Draft.discard, Draft.close):
            for place in (self.new, self.old):
                end(self.open(place))
                self.open(place).close()

    def test_unlocked_when_arrived(self) -> None:
        """Where a draft has arrived, the next one can be opened."""
        for place in (self.new, self.old):
            self.open(place).arrive(place)
            self.open(place).close()

    def test_locked_after_replacement(self) -> None:
        """The lock of a file that was replaced meanwhile protects nothing any more."""
        draft = self.open(self.new)
        self.disk.put(self.new, b"theirs")
        self.open(self.new, append=True).write(b"!")
        self.assertEqual(b"theirs!", self.content("/new"))
        self.assertRaises(FileNotFoundError, draft.keep)

    def test_replaced_while_opened(self) -> None:
        """A file that is replaced between opening and locking is opened again."""

        def replace() -> None:
            Disk(self.root).put(self.old, b"theirs")

        self.disk = SharedDisk(self.root, replace, times=1)
        self.open(self.old, append=True).write(b"!")
        self.assertEqual(b"theirs!", self.content("/old"))

    def test_append_to_missing(self) -> None:
        """There is nothing to append to in a file that is not there."""
        self.assertRaises(FileNotFoundError, self.open, self.new, True)

    def test_folder(self) -> None:
        """A folder is no file."""
        os.mkdir(f"{self.root}/folder")
        for append in (True, False):
            self.assertRaises(
                IsADirectoryError, self.open, f"{self.root}/folder", append
            )

    def test_file_system_without_locks(self) -> None:
        """Where there are no locks, a file is opened without one."""
        self.disk = LocklessDisk(self.root)
        for _ in range(2):
            self.open(self.old, append=True).write(b"!")
        self.assertEqual(b"old!!", self.content("/old"))

    def test_error_of_lock(self) -> None:
        """Any other failure to lock comes out, and the file is closed."""
        self.disk = BrokenLockDisk(self.root)
        self.assertRaises(OSError, self.open, self.new)
        self.assertEqual([], open_below(self.root))

    def test_error_of_replacement(self) -> None:
        """A replacement that cannot be begun leaves the file closed."""
        self.disk = BrokenLockDisk(self.root, works=1)
        self.assertRaises(OSError, self.open, self.old)
        self.assertEqual([], open_below(self.root))

    def test_removed_while_opened(self) -> None:
        """A folder that somebody removes while a file is opened is made again."""
        self.disk = SharedDisk(self.root, remove(f"{self.root}/a"), times=2)
        self.open(f"{self.root}/a/b/new").write(b"abc")
        self.assertEqual(b"abc", self.content("/a/b/new"))
