"""Having the disk begin early."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from threading import Thread
from typing import Any

from tests.unit.storage.test_disk import DiskCase
from txregistry.storage import drafts, writeback
from txregistry.storage.disk import Disk, write_pieces
from txregistry.storage.drafts import Draft, open_draft
from txregistry.storage.writeback import Writeback


class HeldThreads:
    """Stands for the class of threads: they run when a test lets them.

    Attributes:
        works: What they are to run.
        are_left: Whether one more can be started.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.works: list[Callable[[], None]] = []
        self.are_left = True
        self._begun: Callable[[], None] = self.run

    def __call__(
        self, *, target: Callable[..., None], args: tuple[Any, ...], daemon: bool
    ) -> HeldThreads:
        """See Thread."""
        assert daemon  # nobody is to wait for it
        self._begun = lambda: target(*args)
        return self

    def start(self) -> None:
        """See Thread."""
        if not self.are_left:
            raise RuntimeError("can't start new thread")
        self.works.append(self._begun)

    def run(self) -> None:
        """Run what is held."""
        works, self.works = self.works, []
        for work in works:
            work()


class WritebackTests(DiskCase):
    """What the disk begins with, and when."""

    def setUp(self) -> None:
        """Note what is synced, and let threads wait."""
        super().setUp()
        self.place = f"{self.root}/new"
        self.threads = HeldThreads()
        self.patch(writeback, "Thread", self.threads)
        self.patch(drafts, "HANDED_ON", 4)
        self.synced: list[tuple[int, int]] = []
        self.patch(os, "fdatasync", self.sync)

    def sync(self, descriptor: int) -> None:
        """Note a descriptor and its file's size."""
        self.synced.append((descriptor, os.fstat(descriptor).st_size))

    def open(self) -> Draft:
        """Open a draft that is closed after the test."""
        draft = open_draft(Disk(self.root), self.place, append=False)
        self.addCleanup(draft.close)
        return draft

    def write(self, draft: Draft, content: bytes) -> None:
        """Write to a draft, as a thread does."""
        draft.write_pieces([content])
        draft.hand_on()

    def sizes(self) -> list[int]:
        """Let threads run; return what files had when they were synced."""
        self.threads.run()
        return [size for _, size in self.synced]

    def test_from_time_to_time(self) -> None:
        """A draft is synced whenever much has come together, and not before."""
        draft = self.open()
        sizes = []
        for content in (b"abc", b"d", b"efg", b"hijkl", b"mno"):
            self.write(draft, content)
            sizes.append(self.sizes())
        self.assertEqual([[], [4], [4], [4, 12], [4, 12]], sizes)

    def test_continued(self) -> None:
        """What a file had before it was opened is not what has come."""
        self.write(self.open(), b"ab")
        self.synced.clear()
        draft = self.open_again()
        self.write(draft, b"cd")
        self.assertEqual([], self.sizes())
        self.write(draft, b"ef")
        self.assertEqual([6], self.sizes())

    def open_again(self) -> Draft:
        """Go on with a file in another place."""
        self.place = f"{self.root}/continued"
        with open(self.place, "wb") as file:
            file.write(b"ab")
        draft = open_draft(Disk(self.root), self.place, append=True)
        self.addCleanup(draft.close)
        return draft

    def test_one_at_a_time(self) -> None:
        """While the disk has to do with it, nobody waits, and no second thread does."""
        draft = self.open()
        for _ in range(5):
            self.write(draft, b"abcd")
        self.assertEqual(1, len(self.threads.works))
        self.assertEqual([20], self.sizes())
        self.write(draft, b"abcd")
        self.assertEqual([20, 24], self.sizes())

    def test_not_in_its_place(self) -> None:
        """What is to take a file's place is synced where it is."""
        Disk(self.root).put(self.place, b"old")
        self.write(self.open(), b"abcdef")
        self.assertEqual([6], self.sizes())

    def test_own_descriptor(self) -> None:
        """The file is opened for it: its errors and locks are not the writer's."""
        draft = self.open()
        self.write(draft, b"abcd")
        self.threads.run()
        ((descriptor, _),) = self.synced
        self.assertNotEqual(draft.descriptor, descriptor)
        self.assertRaises(OSError, os.fstat, descriptor)

    def test_lock_is_given_up(self) -> None:
        """A draft that is closed meanwhile is locked no more, and nothing is left."""
        before = os.listdir("/proc/self/fd")
        reopened: list[int] = []

        def sync(descriptor: int) -> None:
            draft.close()
            again = open_draft(Disk(self.root), self.place, append=True)
            reopened.append(again.size)
            again.close()

        self.patch(os, "fdatasync", sync)
        draft = self.open()
        self.write(draft, b"abcd")
        self.threads.run()
        self.assertEqual([4], reopened)
        self.assertEqual(before, os.listdir("/proc/self/fd"))

    def test_error(self) -> None:
        """What goes wrong is left to the sync that is waited for."""

        def fail(descriptor: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        draft = self.open()
        self.patch(os, "fdatasync", fail)
        self.write(draft, b"abcd")
        self.threads.run()
        self.patch(os, "fdatasync", self.sync)
        self.write(draft, b"efgh")
        self.assertEqual([8], self.sizes())

    def test_gone(self) -> None:
        """A file that somebody has removed meanwhile is not synced."""
        self.write(self.open(), b"abcd")
        os.unlink(self.place)
        self.assertEqual([], self.sizes())

    def test_no_thread(self) -> None:
        """Where there are no more threads, the disk begins when there are."""
        self.threads.are_left = False
        draft = self.open()
        self.write(draft, b"abcd")
        self.assertEqual([], self.sizes())
        self.threads.are_left = True
        self.write(draft, b"efgh")
        self.assertEqual([8], self.sizes())


class ThreadTests(DiskCase):
    """The thread itself."""

    def test_at_work(self) -> None:
        """It works beside whoever begins it, and ends."""
        place = self.mktemp()
        with open(place, "wb") as file:
            file.write(b"abc")
        kept: list[Thread] = []

        def thread(**arguments: Any) -> Thread:
            kept.append(Thread(**arguments))
            return kept[-1]

        self.patch(writeback, "Thread", thread)
        writing = Writeback()
        writing.begin(place)
        for each in kept:
            each.join(60)
        self.assertFalse(writing.running)
        self.assertEqual([False], [each.is_alive() for each in kept])


class PiecesTests(DiskCase):
    """How pieces get into a file."""

    def test_torn(self) -> None:
        """What the system writes in part is written to its end."""
        real, sizes = os.writev, list[int]()

        def writev(descriptor: int, pieces: list[bytes]) -> int:
            sizes.append(len(pieces))
            return real(descriptor, [pieces[0], pieces[1][:1]])

        self.patch(os, "writev", writev)
        place = self.mktemp()
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        write_pieces(descriptor, [b"abc", memoryview(bytearray(b"def")), b"g"])
        with open(place, "rb") as file:
            self.assertEqual(b"abcdefg", file.read())
        self.assertEqual([3], sizes)
