"""Tests of txregistry.webhooks.ledger: as a file, which others have open too."""

from __future__ import annotations

import fcntl
import os
import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.webhooks.doubles import entry
from txregistry.interfaces import StorageFull
from txregistry.webhooks.ledger import IN_MEMORY, BrokenLedger, Ledger, Tried

PLENTY = 1 << 30


class FileCase(SynchronousTestCase):
    """A ledger that is a file.

    Attributes:
        path: The file.
    """

    def setUp(self) -> None:
        """Choose the file."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = str(folder.absolute() / "events.sqlite3")

    def open(self) -> Ledger:
        """Open the ledger."""
        ledger = Ledger(self.path)
        self.addCleanup(ledger.close)
        return ledger

    def refuse(self, path: str | None = None) -> str:
        """Return why a ledger cannot be opened, with ``PATH`` for its path."""
        path = path or self.path
        error = self.assertRaises(BrokenLedger, Ledger, path)
        return str(error).replace(path, "PATH")


def ids(ledger: Ledger) -> list[str]:
    """Return the identifiers of what waits for ``hook``."""
    return [each.id for each in ledger.advance("hook", [], 1000, PLENTY)]


class FileTests(FileCase):
    """The file."""

    def test_kept(self) -> None:
        """A ledger that is opened again knows all that it knew."""
        ledger = self.open()
        ledger.append([entry(name, "hook", "other") for name in "abcd"])
        ledger.advance("hook", [Tried(1), Tried(2, "no", final=True)], 0, 0)
        ledger.advance("hook", [Tried(3, "not now")], 0, 0)
        expected = ledger.tallies()
        ledger.close()
        again = self.open()
        self.assertEqual(expected, again.tallies())
        (third, fourth) = again.advance("hook", [], 9, PLENTY)
        self.assertEqual((3, "c", 1), (third.seq, third.id, third.attempts))
        self.assertEqual(entry("d").body, fourth.body)

    def test_numbers(self) -> None:
        """A place is never given to another event, also if all are gone."""
        ledger = self.open()
        ledger.append([entry("a")])
        ledger.execute("DELETE FROM events")
        ledger.close()
        again = self.open()
        again.append([entry("b")])
        self.assertEqual([2], [each.seq for each in again.advance("hook", [], 1, 1)])

    def test_mode(self) -> None:
        """The file, and those beside it, are for their owner alone."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        ledger = self.open()
        ledger.append([entry("a")])
        files = list(Path(self.path).parent.iterdir())
        self.assertGreater(len(files), 1)
        modes = {stat.S_IMODE(each.stat().st_mode) for each in files}
        self.assertEqual({0o600}, modes)

    def test_others(self) -> None:
        """Two who have one ledger open see what the other has done."""
        one, other = self.open(), self.open()
        one.append([entry("a")])
        other.append([entry("b")])
        self.assertEqual(["a", "b"], ids(one))
        other.advance("hook", [Tried(1)], 0, 0)
        self.assertEqual(["b"], ids(one))
        self.assertEqual(one.tallies(), other.tallies())

    def test_made_at_once(self) -> None:
        """A ledger is made by one alone: SQLite fails if two do it at once."""
        folder = os.open(Path(self.path).parent, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        opening = Thread(target=lambda: Ledger(self.path).close())
        opening.start()
        opening.join(0.05)
        self.assertTrue(opening.is_alive())
        self.assertFalse(Path(self.path).exists())
        os.close(folder)
        opening.join()
        self.assertTrue(Path(self.path).exists())

    def test_changes(self) -> None:
        """The number of changes changes when the other one has written."""
        one, other = self.open(), self.open()
        before = one.changes()
        self.assertEqual(before, one.changes())
        other.append([entry("a")])
        after = one.changes()
        self.assertNotEqual(before, after)
        other.advance("hook", [Tried(1)], 0, 0)
        self.assertNotEqual(after, one.changes())

    def test_own_changes(self) -> None:
        """What one does itself does not count."""
        one, _other = self.open(), self.open()
        before = one.changes()
        one.append([entry("a")])
        self.assertEqual(before, one.changes())

    def test_size(self) -> None:
        """What was dropped does not count, although the file is as long as it was."""
        ledger = self.open()
        empty = ledger.size
        ledger.append([entry(str(n), size=1000) for n in range(100)])
        full = ledger.size
        self.assertGreater(full, empty + 100_000)
        ledger.execute("DELETE FROM events")
        self.assertLess(ledger.size, empty + 20_000)


class UnusableTests(FileCase):
    """Files that are no ledger."""

    def test_version(self) -> None:
        """A ledger of another version is not touched."""
        ledger = self.open()
        ledger.append([entry("a")])
        ledger.execute("PRAGMA user_version = 2")
        ledger.close()
        self.assertEqual("PATH: is of another version of txregistry", self.refuse())
        database = sqlite3.connect(self.path)
        self.addCleanup(database.close)
        rows = database.execute("SELECT id FROM events").fetchall()
        self.assertEqual([("a",)], rows)

    def test_version_closed(self) -> None:
        """A file that is refused does not stay open."""
        ledger = self.open()
        ledger.execute("PRAGMA user_version = 2")
        ledger.close()
        self.refuse()
        self.assertEqual(0, _open_files(self.path))

    def test_no_folder(self) -> None:
        """A file needs a folder."""
        path = f"{self.path}/events"
        self.assertEqual("PATH: No such file or directory", self.refuse(path))

    def test_folder(self) -> None:
        """A folder is no file."""
        self.assertEqual(
            "PATH: Is a directory", self.refuse(str(Path(self.path).parent))
        )

    def test_other_content(self) -> None:
        """A file of something else is refused, and stays what it is."""
        content = b"something else" * 100
        Path(self.path).write_bytes(content)
        self.assertEqual("PATH: file is not a database", self.refuse())
        self.assertEqual(content, Path(self.path).read_bytes())


class NoRoomTests(FileCase):
    """Where there is no room."""

    def test_full(self) -> None:
        """No room is another error than a broken file."""
        for path in (self.path, IN_MEMORY):
            ledger = Ledger(path)
            self.addCleanup(ledger.close)
            ledger.select("PRAGMA max_page_count = 20")
            with self.assertRaises(StorageFull) as caught:
                ledger.append([entry("a", size=1 << 20)])
            text = f"{path}: database or disk is full"
            self.assertEqual(text, str(caught.exception))

    def test_full_goes_on(self) -> None:
        """When there is room again the ledger takes events in as before."""
        ledger = self.open()
        ledger.append([entry("a")])
        ledger.select("PRAGMA max_page_count = 20")
        with self.assertRaises(StorageFull):
            ledger.append([entry("b"), entry("c", size=1 << 20)])
        ledger.select("PRAGMA max_page_count = 1000000")
        ledger.append([entry("d", size=1 << 20)])
        self.assertEqual(["a", "d"], ids(ledger))

    def test_cannot_write(self) -> None:
        """What cannot be written fails, and afterwards all is as before."""
        ledger = self.open()
        ledger.append([entry("a")])
        with _files_of_at_most(4096), self.assertRaises(BrokenLedger):
            ledger.append([entry("b", size=10_000)])
        ledger.append([entry("c")])
        self.assertEqual(["a", "c"], ids(ledger))
        self.assertEqual(["a", "c"], ids(self.open()))


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Let writing fail beyond a size, as on a disk that has no room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _open_files(path: str) -> int:
    count = 0
    for each in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{each}").startswith(path)
        except OSError:  # the one that listing them has opened
            continue
    return count
