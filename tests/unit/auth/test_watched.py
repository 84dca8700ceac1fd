"""Tests of txregistry.auth.watched."""

from __future__ import annotations

import os
import time
from typing import Final

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from tests.unit.auth.doubles import Threads
from tests.unit.auth.files import FileTestCase, long_after
from txregistry.auth.watched import LARGEST, BrokenFile, WatchedFile
from txregistry.threads import InThread

BROKEN: Final = b"broken"


def parse(path: str, content: bytes) -> str:
    """Take a content for a text, but one of them for broken."""
    if content == BROKEN:
        raise BrokenFile(path, "is broken", 1)
    return content.decode()


class WatchedFileCase(FileTestCase):
    """Tests of a watched file.

    Attributes:
        clock: The file's clock.
        threads: Where the file is read.
    """

    def setUp(self) -> None:
        """Make a clock."""
        super().setUp()
        self.clock = Clock()
        self.threads = Threads()

    def open(self, content: str, in_thread: InThread = execute) -> WatchedFile[str]:
        """Write a file and open it."""
        path = self.write(content)
        return WatchedFile(path, parse, in_thread, self.clock, long_after)

    def fresh(self, file: WatchedFile[str]) -> str:
        """Return what a file says now."""
        return self.successResultOf(Deferred.fromCoroutine(file.fresh()))


class FreshTests(WatchedFileCase):
    """``WatchedFile.fresh``."""

    def test_unchanged(self) -> None:
        """What the file said at first is what it says while it does not change."""
        file = self.open("one", self.threads)
        self.assertEqual("one", self.fresh(file))
        self.assertEqual(0, self.threads.started)

    def test_changed(self) -> None:
        """A new content is there at the next question."""
        file = self.open("one")
        self.write("two")
        self.assertEqual("two", self.fresh(file))

    def test_changed_in_place(self) -> None:
        """A content of the same length in the same file is noticed too."""
        file = self.open("one")
        os.utime(file.path, (0, 0))
        self.fresh(file)
        with open(file.path, "wb") as same:
            same.write(b"two")
        self.assertEqual("two", self.fresh(file))

    def test_within_grain(self) -> None:
        """While the file could change and look the same, it is read each time."""
        path = self.write("one")
        file = WatchedFile(path, parse, self.threads, self.clock, time.time)
        for _ in range(2):
            waiting = Deferred.fromCoroutine(file.fresh())
            self.threads.run_all()
            self.assertEqual("one", self.successResultOf(waiting))
        self.assertEqual(2, self.threads.started)

    def test_many(self) -> None:
        """Many who ask at once have the file read once."""
        file = self.open("one", self.threads)
        self.write("two")
        waiting = [Deferred.fromCoroutine(file.fresh()) for _ in range(5)]
        self.threads.run_all()
        self.assertEqual(["two"] * 5, [self.successResultOf(each) for each in waiting])
        self.assertEqual(1, self.threads.started)

    def test_changed_while_reading(self) -> None:
        """Who asks while an older content is being read gets the newer one."""
        file = self.open("one", self.threads)
        self.write("two")
        first = Deferred.fromCoroutine(file.fresh())
        self.threads.run_one()
        self.assertEqual("two", self.successResultOf(first))
        self.write("three")
        second = Deferred.fromCoroutine(file.fresh())
        self.threads.run_all()
        self.assertEqual("three", self.successResultOf(second))

    def test_cancelled(self) -> None:
        """Who stops waiting does not stop the reading."""
        file = self.open("one", self.threads)
        self.write("two")
        waiting = Deferred.fromCoroutine(file.fresh())
        waiting.cancel()
        self.failureResultOf(waiting)
        self.threads.run_all()
        self.assertEqual("two", file.current())


class CurrentTests(WatchedFileCase):
    """``WatchedFile.current``."""

    def test_within_a_second(self) -> None:
        """Within a second nobody looks at the file again."""
        file = self.open("one")
        self.write("two")
        self.clock.advance(0.9)
        self.assertEqual("one", file.current())

    def test_after_a_second(self) -> None:
        """After a second a new content is read, beside the question."""
        file = self.open("one", self.threads)
        self.write("two")
        self.clock.advance(1)
        self.assertEqual("one", file.current())
        self.threads.run_all()
        self.assertEqual("two", file.current())

    def test_unchanged(self) -> None:
        """A file that does not change is not read again."""
        file = self.open("one", self.threads)
        self.clock.advance(1)
        file.current()
        self.assertEqual(0, self.threads.started)


class BrokenFileTests(WatchedFileCase):
    """Files that cannot be used."""

    def refused(self, path: str) -> BrokenFile:
        """Return the error that a file is refused with."""
        error: BrokenFile = self.assertRaises(
            BrokenFile, WatchedFile, path, parse, execute, self.clock
        )
        return error

    def test_first(self) -> None:
        """A file that is broken at first is refused, with its line."""
        path = self.write(BROKEN)
        error = self.refused(path)
        self.assertEqual(
            (path, 1, "is broken"), (error.path, error.line, error.problem)
        )
        self.assertEqual(f"{path}:1: is broken", str(error))

    def test_missing(self) -> None:
        """A file that is not there is refused."""
        self.assertIn("No such file", self.refused("/nowhere/file").problem)

    def test_folder(self) -> None:
        """A folder is refused."""
        self.assertEqual("not a regular file", self.refused(str(self.folder)).problem)

    def test_pipe(self) -> None:
        """A named pipe is refused, and nobody waits for its writer."""
        path = str(self.folder / "pipe")
        os.mkfifo(path)
        self.assertEqual("not a regular file", self.refused(path).problem)

    def test_large(self) -> None:
        """A file is refused that is larger than any such file."""
        path = self.write(b"")
        os.truncate(path, LARGEST + 1)
        self.assertEqual(f"larger than {LARGEST} bytes", self.refused(path).problem)

    def test_stays(self) -> None:
        """When a file breaks, what it said before stays in force."""
        file = self.open("one")
        self.write(BROKEN)
        self.assertEqual("one", self.fresh(file))

    def test_gone(self) -> None:
        """When a file is gone, what it said before stays in force."""
        file = self.open("one")
        os.unlink(file.path)
        self.assertEqual("one", self.fresh(file))

    def test_logged_once(self) -> None:
        """A broken file is logged once, not at each question."""
        file = self.open("one")
        self.write(BROKEN)
        with capturedLogs() as logs:
            self.fresh(file)
            self.fresh(file)
            self.write(BROKEN)
            self.fresh(file)
        self.assertEqual([LogLevel.error], [event["log_level"] for event in logs])

    def test_gone_logged_once(self) -> None:
        """A file that is gone is logged once."""
        file = self.open("one")
        os.unlink(file.path)
        with capturedLogs() as logs:
            self.fresh(file)
            self.fresh(file)
        self.assertEqual(1, len(logs))

    def test_mended(self) -> None:
        """A file that is mended is in force again, and logged when it breaks again."""
        file = self.open("one")
        with capturedLogs() as logs:
            for content in (BROKEN, b"two", BROKEN):
                self.write(content)
                self.fresh(file)
        self.assertEqual("two", self.fresh(file))
        self.assertEqual(
            [LogLevel.error, LogLevel.info, LogLevel.error],
            [event["log_level"] for event in logs],
        )

    def test_back(self) -> None:
        """A file that is gone for a while is read when it is there again."""
        file = self.open("one")
        os.unlink(file.path)
        self.fresh(file)
        self.write("two")
        self.assertEqual("two", self.fresh(file))
