"""A journal whose small files a clerk makes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import execute

from tests.unit.storage.clerks import InlineClerk
from tests.unit.storage.disks import WatchedDisk, open_below
from tests.unit.storage.test_journal import SIZE, JournalCase
from txregistry.interfaces import PathNotFound, Publish, Put, Remove
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.journal import INTERVAL, Journal
from txregistry.storage.journal_files import FOLDER, JournalFiles
from txregistry.storage.paths import PathObstructed


class ClerkTests(JournalCase):
    """What it makes, and what is durable of it."""

    def make(self, is_wanted: bool = True) -> FilesystemDriver:
        """Make a driver with a clerk, and start it."""
        self.disk = WatchedDisk(self.root)
        files = JournalFiles(self.disk, SIZE, lambda _: self.possible, self.sync)
        others = JournalFiles(self.disk, SIZE, lambda _: self.possible, self.fail)
        self.clerk = InlineClerk(Disk(self.root), others)
        clerk: Any = self.clerk
        journal = Journal(files, self.in_thread, self.clock, is_wanted, clerk)
        driver = FilesystemDriver(self.disk, self.clock, self.in_thread, None, journal)
        self.drivers.append(driver)
        self.successResultOf(driver.start())
        return driver

    def setUp(self) -> None:
        """Count what threads make."""
        self.threads = 0
        super().setUp()

    def in_thread(self, work: Any) -> Any:
        """See InThread."""
        self.threads += 1
        return execute(work)

    def test_small_files(self) -> None:
        """It makes small files, once we have the journal open, and nothing else."""
        self.apply(Put("/a", b"1"))
        self.assertEqual(0, self.clerk.made)
        before = self.threads
        self.apply(Put("/a", b"2"), Put("/b/c", b"3"))
        self.assertEqual((1, before), (self.clerk.made, self.threads))
        self.assertEqual((b"2", b"3"), (self.content("/a"), self.content("/b/c")))
        self.apply(Put("/d/e", b""), Remove("/b"))
        self.successResultOf(self.driver.delete("/d"))
        writer = self.successResultOf(self.driver.open_writer("/f"))
        writer.write(b"4")
        self.apply(Publish(writer, "/g"))
        self.assertEqual(1, self.clerk.made)

    def test_checkpoint(self) -> None:
        """What it has made is synced as what we have, and then it rests."""
        self.apply(Put("/a", b"1"))
        self.apply(Put("/a", b"2"))
        self.see_checkpoint()
        self.apply(Put("/a", b"3"))
        self.assertEqual(1, self.clerk.made)

    def test_only_it(self) -> None:
        """That is so, too, if only it had the journal open by then."""
        self.apply(Put("/a", b"1"))
        self.apply(Put("/a", b"2"))
        assert self.driver._journal is not None
        self.driver._journal._files.close()
        self.see_checkpoint()

    def test_only_it_and_trouble(self) -> None:
        """A checkpoint that fails then is made again."""
        self.apply(Put("/a", b"1"))
        self.apply(Put("/a", b"2"))
        assert self.driver._journal is not None
        files = self.driver._journal._files
        files.close()
        os.rename(f"{self.root}/{FOLDER}/turn", f"{self.root}/away")
        os.mkdir(f"{self.root}/{FOLDER}/turn")
        self.clock.advance(INTERVAL)
        self.assertEqual([0, 2], [self.syncs, sum(self.records())])
        os.rmdir(f"{self.root}/{FOLDER}/turn")
        os.rename(f"{self.root}/away", f"{self.root}/{FOLDER}/turn")
        self.clock.advance(INTERVAL)
        self.assertEqual([0, 0], self.records())
        self.assertEqual(1, self.syncs)

    def test_lost(self) -> None:
        """What a crash took of it is made again at the next start."""
        self.apply(Put("/a", b"1"))
        self.apply(Put("/a", b"2"), Put("/b", b"3"))
        self.clerk.files.close()
        self.die()
        for path in ("/a", "/b"):
            os.unlink(self.root + path)
        self.start_anew()
        self.assertEqual((b"2", b"3"), (self.content("/a"), self.content("/b")))

    def test_dies(self) -> None:
        """What it did not get to make, or to tell of, a thread makes."""
        self.apply(Put("/a", b"1"))
        for number, dies in enumerate(("before", "after")):
            self.clerk.dies = dies
            self.apply(Put("/a", b"2"), Put(f"/{number}", b"3"))
            self.assertEqual(b"3", self.content(f"/{number}"))
        self.assertEqual(b"2", self.content("/a"))
        self.clerk.is_there = False
        self.apply(Put("/a", b"4"))
        self.assertEqual((b"4", 2), (self.content("/a"), self.clerk.made))

    def test_in_the_way(self) -> None:
        """What it cannot make fails as if we had tried, and is named."""
        self.apply(Put("/a/b", b"1"))
        failed = self.driver.apply([Put("/c", b""), Put("/a", b"")])
        failure = self.failureResultOf(failed, PathObstructed)
        self.assertIn("/a", str(failure.value))
        self.assertNotIn("/c", str(failure.value))

    def test_no_journal_for_it(self) -> None:
        """Where it can have no journal, changes are made without one."""
        self.apply(Put("/a", b"1"))
        self.clerk.files.close()
        self.clerk.files._can_be = lambda _: False
        self.disk.steps.clear()
        self.apply(Put("/b/c", b"2"))
        self.assertEqual(b"2", self.content("/b/c"))
        steps = ["sync file /b/~", "sync names /", "rename /b/~ /b/c", "sync names /b"]
        self.assertEqual(steps, self.disk.steps)
        self.assertEqual(["c"], os.listdir(f"{self.root}/b"))

    def test_none_any_more(self) -> None:
        """Where there is none any more, no checkpoint is tried again and again."""
        assert self.driver._journal is not None
        files = self.driver._journal._files
        for does_make in (True, False):
            self.apply(Put("/a", b"1"))
            self.clerk.files._can_be = _saying(does_make)
            self.apply(Put("/a", b"2"))
            self.clerk.files.close()
            files.close()
            files._can_be = lambda _: False
            tries = self.threads
            self.clock.advance(INTERVAL)
            self.clock.advance(INTERVAL)
            self.assertEqual(tries + (2 if does_make else 1), self.threads)
            self.assertEqual([], self.clock.getDelayedCalls())
            files._can_be = lambda _: True

    def test_stop(self) -> None:
        """It is ended with us, when all is durable."""
        self.apply(Put("/a", b"1"))
        self.apply(Put("/a", b"2"))
        self.successResultOf(self.driver.stop())
        self.assertEqual((True, 1), (self.clerk.has_stopped, self.syncs))
        self.assertEqual([], open_below(self.root))

    def test_not_started(self) -> None:
        """Who was not started, and so is not stopped, does not use it."""
        files = JournalFiles(self.disk, SIZE, lambda _: True, self.sync)
        clerk: Any = self.clerk
        journal = Journal(files, self.in_thread, self.clock, clerk=clerk)
        driver = FilesystemDriver(self.disk, self.clock, self.in_thread, None, journal)
        for _ in range(2):
            self.successResultOf(driver.put_content("/a", b""))
        self.assertEqual(0, self.clerk.made)
        self.successResultOf(driver.stop())

    def test_nothing_there(self) -> None:
        """Who only reads has no use for it."""
        self.failureResultOf(self.driver.get_content("/a"), PathNotFound)
        self.assertEqual(0, self.clerk.made)
        self.assertFalse(os.path.exists(self.root))


def _saying(answer: bool) -> Callable[[str], bool]:
    """Return what says the same of each folder."""
    return lambda _: answer
