"""Tests of txregistry.observe.outputs: where lines go."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from io import StringIO
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.descriptors import WholeLines, writer_to
from txregistry.observe.outputs import (
    FileOutput,
    LoggerOutput,
    Output,
    Rotation,
    StreamOutput,
)


class StutteringOutput(Output):
    """An output that takes three bytes at a time, and fails when it is told to."""

    name = "a stutterer"

    def __init__(self) -> None:
        """Make one that works."""
        super().__init__()
        self.taken = b""
        self.room = 1000

    def _put(self, data: bytes) -> bytes:
        """See Output.

        Raises:
            OSError: There is no more room.
        """
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= 3
        self.taken += data[:3]
        return data[3:]


class OutputTests(SynchronousTestCase):
    """All outputs."""

    def test_whole(self) -> None:
        """A line is written whole, in however many pieces."""
        output = StutteringOutput()
        output.write("12345678\n")
        output.write("é\udcff\n")
        self.assertEqual(b"12345678\n" + "é\\udcff\n".encode(), output.taken)

    def test_lost(self) -> None:
        """What cannot be written is lost; that is said once, and how much it was."""
        output = StutteringOutput()
        output.room = 0
        with capturedLogs() as events:
            for _ in range(3):
                output.write("lost\n")
            output.room = 1000
            output.write("kept\n")
            output.write("more\n")
        self.assertEqual(b"kept\nmore\n", output.taken)
        self.assertEqual(
            [
                "cannot write to a stutterer: [Errno 28] No space left on device; "
                "lines are lost",
                "a stutterer can be written to again; 3 lines were lost",
            ],
            [formatEvent(event) for event in events],
        )

    def test_torn(self) -> None:
        """What follows half a line is a line of its own."""
        output = StutteringOutput()
        output.room = 3
        output.write("torn-apart\n")
        output.room = 1000
        output.write("whole\n")
        self.assertEqual(b"tor\nwhole\n", output.taken)

    def test_torn_for_long(self) -> None:
        """Also when lines between the two are lost."""
        output = StutteringOutput()
        output.room = 3
        output.write("torn-apart\n")
        output.write("lost\n")
        output.room = 1000
        output.write("whole\n")
        self.assertEqual(b"tor\nwhole\n", output.taken)


class WholeLinesTests(SynchronousTestCase):
    """Lines of several processes."""

    def setUp(self) -> None:
        """Take a pipe that locks are noted of."""
        self.locks: list[int] = []
        self.others = 0
        self.room = 100
        self.patch(fcntl, "lockf", self.lock)
        self.write = WholeLines(1, self.take)

    def lock(self, _descriptor: int, kind: int) -> None:
        """Lock it, unless another process does, for so many times."""
        if kind & fcntl.LOCK_EX and self.others:
            self.others -= 1
            raise BlockingIOError
        self.locks.append(kind & ~fcntl.LOCK_NB)

    def take(self, data: bytes) -> int:
        """Take as much as there is room for."""
        if not self.room:
            raise BlockingIOError(errno.EAGAIN, "no room")
        return min(len(data), self.room)

    def test_whole(self) -> None:
        """After a whole line others may write."""
        self.assertEqual(2, self.write(b"a\n"))
        self.assertEqual([fcntl.LOCK_EX, fcntl.LOCK_UN], self.locks)

    def test_half(self) -> None:
        """After half a line they may not, until it is whole."""
        self.room = 1
        self.assertEqual(1, self.write(b"abc\n"))
        self.room = 0
        self.assertRaises(BlockingIOError, self.write, b"bc\n")
        self.assertEqual([fcntl.LOCK_EX], self.locks)
        self.room = 9
        self.assertEqual(3, self.write(b"bc\n"))
        self.assertEqual([fcntl.LOCK_EX, fcntl.LOCK_UN], self.locks)

    def test_no_room(self) -> None:
        """Where nothing was written they may."""
        self.room = 0
        self.assertRaises(BlockingIOError, self.write, b"a\n")
        self.assertEqual([fcntl.LOCK_EX, fcntl.LOCK_UN], self.locks)

    def test_another(self) -> None:
        """While another one writes we wait for a moment, and no longer."""
        self.others = 3
        self.assertEqual(2, self.write(b"a\n"))
        self.others = 10_000
        self.assertRaises(BlockingIOError, self.write, b"a\n")
        self.assertGreater(self.others, 9_000)


class StreamTests(SynchronousTestCase):
    """Streams."""

    def test_string(self) -> None:
        """A stream need not be a file; nothing is kept back."""
        stream = StringIO()
        output = StreamOutput(stream, "a string")
        output.write("a\n")
        self.assertEqual(("a\n", False), (stream.getvalue(), output.is_terminal))
        output.reopen()

    def test_descriptor(self) -> None:
        """To one that is a file it is written without its buffer."""
        path = Path(self.mktemp())
        with path.open("w") as stream:
            StreamOutput(stream, "a file").write("a\n")
            self.assertEqual("a\n", path.read_text())

    def test_shared(self) -> None:
        """A line to a pipe that others write to is written while they wait."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        calls: list[int] = []
        self.patch(fcntl, "lockf", lambda _, kind: calls.append(kind))
        with os.fdopen(writing, "w") as stream:
            StreamOutput(stream, "a pipe", is_shared=True).write("a\n")
            self.assertEqual(b"a\n", os.read(reading, 10))
            self.assertEqual([fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN], calls)
            StreamOutput(stream, "a pipe").write("b\n")
        with Path(self.mktemp()).open("w") as file:
            StreamOutput(file, "a file", is_shared=True).write("c\n")
        with Path("/dev/null").open("w") as null:
            StreamOutput(null, "nothing", is_shared=True).write("d\n")
        StreamOutput(StringIO(), "a string", is_shared=True).write("e\n")
        self.assertEqual(2, len(calls))

    def test_terminal(self) -> None:
        """A terminal is known as one."""
        main, other = os.openpty()
        self.addCleanup(os.close, main)
        with os.fdopen(other, "w") as stream:
            self.assertTrue(StreamOutput(stream, "a terminal").is_terminal)

    def test_logger(self) -> None:
        """Twisted's logger gets a line as an event."""
        with capturedLogs() as events:
            LoggerOutput().write("a {b}\n")
        self.assertEqual(["a {b}"], [formatEvent(event) for event in events])


class PipeTests(SynchronousTestCase):
    """Pipes and sockets whose reader is slow, or gone."""

    def watch(self, reading: int, writing: int) -> StreamOutput:
        """Write to one end; another one reads when the test does."""
        self.reader = os.fdopen(reading, "rb")
        stream = os.fdopen(writing, "w")
        self.addCleanup(self.reader.close)
        self.addCleanup(stream.close)
        return StreamOutput(stream, "a pipe")

    def fill(self, output: StreamOutput, lines: int) -> list[str]:
        """Write lines of 4 KiB each; return what is said of it."""
        with capturedLogs() as events:
            for number in range(lines):
                output.write(f"{number:<4095}\n")
        return [formatEvent(event) for event in events]

    def read(self, lines: int) -> list[int]:
        """Read lines; return their numbers."""
        return [int(self.reader.readline()) for _ in range(lines)]

    def assertSlow(self, output: StreamOutput) -> None:  # noqa: N802 - as trial's
        """Check that what there is no room for waits, in its order."""
        self.assertEqual([], self.fill(output, 200))
        self.assertEqual(list(range(200)), self.read(200))

    def assertUnread(self, output: StreamOutput) -> None:  # noqa: N802 - as trial's
        """Check that too much is lost; when it is read again that is said."""
        expected = "cannot write to a pipe: nobody reads it; lines are lost"
        self.assertEqual([expected], self.fill(output, 700))
        kept = 700 - output._lost
        with capturedLogs() as events:
            self.assertEqual(list(range(kept)), self.read(kept))
            assert output._handing_on is not None
            output._handing_on.join(60)
        self.assertEqual(
            [f"a pipe can be written to again; {700 - kept} lines were lost"],
            [formatEvent(event) for event in events],
        )
        output.write("1234\n")
        self.assertEqual([1234], self.read(1))

    def test_slow(self) -> None:
        """What a reader has no room for waits for it, and holds nobody up."""
        self.assertSlow(self.watch(*os.pipe()))

    def test_unread(self) -> None:
        """What nobody reads is lost when it is too much, and holds nobody up."""
        self.assertUnread(self.watch(*os.pipe()))

    def test_others(self) -> None:
        """Whoever else has the pipe still waits for room."""
        reading, writing = os.pipe()
        self.assertSlow(self.watch(reading, writing))
        self.assertTrue(os.get_blocking(writing))

    def test_not_opened(self) -> None:
        """It is the same where the pipe cannot be opened again."""
        self.patch(writer_to.__globals__["os"], "open", _refuse)
        self.assertUnread(self.watch(*os.pipe()))

    def test_socket(self) -> None:
        """A socket, as the journal gives one, holds nobody up."""
        one, other = socket.socketpair()
        self.assertSlow(self.watch(one.detach(), other.detach()))

    def test_gone(self) -> None:
        """When the reader has gone all that waits is lost."""
        output = self.watch(*os.pipe())
        with capturedLogs() as events:
            self.fill(output, 100)
            self.reader.close()
            assert output._handing_on is not None
            output._handing_on.join(60)
            output.write("lost\n")
        self.assertIn("Broken pipe; lines are lost", formatEvent(events[0]))
        self.assertEqual(1, len(events))
        self.assertGreater(output._lost, 1)


def _refuse(*_arguments: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


class FileTests(SynchronousTestCase):
    """Files."""

    def setUp(self) -> None:
        """Take a folder."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "log"

    def open(self, size: int = 0, keep: int = 0) -> FileOutput:
        """Open the file."""
        output = FileOutput(str(self.path), Rotation(size, keep))
        self.addCleanup(output.close)
        return output

    def files(self) -> dict[str, str]:
        """Return what is in the folder."""
        return {path.name: path.read_text() for path in self.folder.iterdir()}

    def test_append(self) -> None:
        """Lines go behind those that are there."""
        self.path.write_text("before\n")
        self.open().write("after\n")
        self.assertEqual({"log": "before\nafter\n"}, self.files())

    def test_unwritable(self) -> None:
        """A file that cannot be opened is an error."""
        for path in (self.folder, self.folder / "none" / "log"):
            self.assertRaises(OSError, FileOutput, str(path))

    def test_rotate(self) -> None:
        """A file that is full is put aside, and so many are kept."""
        output = self.open(size=6, keep=2)
        for number in range(9):
            output.write(f"{number}\n")
        expected = {"log": "6\n7\n8\n", "log.1": "3\n4\n5\n", "log.2": "0\n1\n2\n"}
        self.assertEqual(expected, self.files())
        output.write("9\n")
        expected = {"log": "9\n", "log.1": "6\n7\n8\n", "log.2": "3\n4\n5\n"}
        self.assertEqual(expected, self.files())

    def test_keep_none(self) -> None:
        """Where none are kept the file begins anew."""
        output = self.open(size=2)
        for number in range(3):
            output.write(f"{number}\n")
        self.assertEqual({"log": "2\n"}, self.files())

    def test_full_at_start(self) -> None:
        """What was there before counts."""
        self.path.write_text("before\n")
        self.open(size=6, keep=1).write("after\n")
        self.assertEqual({"log": "after\n", "log.1": "before\n"}, self.files())

    def test_others(self) -> None:
        """Of several processes only one puts the file aside."""
        one, other = self.open(size=6, keep=3), self.open(size=6, keep=3)
        for number in range(4):
            one.write(f"{number}\n")
        other.write("4\n")
        other.write("5\n")
        self.assertEqual({"log": "3\n5\n", "log.1": "0\n1\n2\n4\n"}, self.files())

    def test_waits(self) -> None:
        """While one puts the file aside the others wait, and then do not do so, too."""
        one, other = self.open(size=2, keep=3), self.open(size=2, keep=3)
        one.write("1\n")
        other.write("2\n")
        before = FileOutput._is_ours

        def rotate_meanwhile(output: FileOutput) -> bool:
            with self.path.open() as again, self.assertRaises(BlockingIOError):
                fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return before(output)

        self.patch(FileOutput, "_is_ours", rotate_meanwhile)
        one.write("3\n")
        self.patch(FileOutput, "_is_ours", before)
        other.write("4\n")
        self.assertEqual({"log": "3\n4\n", "log.1": "1\n2\n"}, self.files())

    def test_follows(self) -> None:
        """One that writes little goes on where the others are, and in no new file."""
        one = FileOutput(str(self.path), Rotation(2, 1), is_shared=True)
        other = FileOutput(str(self.path), Rotation(2, 1), is_shared=True)
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        for number in range(4):
            one.write(f"{number}\n")
        other.write("4\n")
        self.assertEqual({"log": "4\n", "log.1": "3\n"}, self.files())
        last = FileOutput(str(self.path), is_shared=True)
        self.addCleanup(last.close)
        self.path.rename(self.folder / "by somebody else")
        last.write("5\n")
        self.assertNotIn("log", self.files())

    def test_handed(self) -> None:
        """It may have been opened by somebody else."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        output = FileOutput(str(self.path), descriptor=descriptor)
        self.addCleanup(output.close)
        output.write("a\n")
        self.assertEqual({"log": "a\n"}, self.files())

    def test_pipe(self) -> None:
        """A named pipe waits for no reader; one that comes gets what was written."""
        os.mkfifo(self.path)
        output = self.open(size=2, keep=1)
        output.write("1\n")
        output.write("2\n")
        with open(self.path) as reader:
            self.assertEqual(["1\n", "2\n"], [reader.readline(), reader.readline()])
        output.write("3\n")
        self.assertEqual(["log"], [path.name for path in self.folder.iterdir()])

    def test_mode(self) -> None:
        """A new file may be read by whoever might read the old one."""
        self.path.touch(mode=0o600)
        output = self.open(size=1, keep=1)
        output.write("1\n")
        output.write("2\n")
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)

    def test_cannot_rotate(self) -> None:
        """Where it cannot be put aside it grows."""
        (self.folder / "log.1" / "in the way").mkdir(parents=True)
        output = self.open(size=2, keep=1)
        for number in range(4):
            output.write(f"{number}\n")
        self.assertEqual("0\n1\n2\n3\n", self.path.read_text())

    def test_reopen(self) -> None:
        """When somebody else has put it aside it goes on in a new one."""
        output = self.open()
        output.write("1\n")
        self.path.rename(self.folder / "old")
        output.write("2\n")
        output.reopen()
        output.write("3\n")
        self.assertEqual({"old": "1\n2\n", "log": "3\n"}, self.files())

    def test_cannot_reopen(self) -> None:
        """A file that cannot be opened anew goes on as it was."""
        output = self.open()
        old = self.folder / "old"
        self.path.rename(old)
        self.path.mkdir()
        self.assertRaises(OSError, output.reopen)
        output.write("1\n")
        self.assertEqual("1\n", old.read_text())

    def test_device(self) -> None:
        """What is no file is written to, and never put aside."""
        output = FileOutput("/dev/null", Rotation(1, 1))
        self.addCleanup(output.close)
        for _ in range(3):
            output.write("x\n")
        self.assertFalse(output.is_terminal)

    def test_link(self) -> None:
        """Of a link the file is put aside, and the link stays."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        (self.folder / "between").symlink_to("elsewhere/file")
        self.path.symlink_to("between")
        output = self.open(size=2, keep=1)
        output.write("1\n")
        output.write("2\n")
        found = {path.name: path.read_text() for path in elsewhere.iterdir()}
        self.assertEqual({"file": "2\n", "file.1": "1\n"}, found)
        self.assertEqual("2\n", self.path.read_text())
        self.assertTrue(self.path.is_symlink())

    def test_endless_link(self) -> None:
        """A link to itself is no file."""
        self.path.symlink_to("log")
        self.assertRaises(OSError, FileOutput, str(self.path))

    def test_stream(self) -> None:
        """A stream that the process was given is never put aside, by whatever name."""
        given = self.folder / "given"
        with given.open("w") as stream:
            self.path.symlink_to(f"/proc/self/fd/{stream.fileno()}")
            output = self.open(size=2, keep=1)
            for number in range(3):
                output.write(f"{number}\n")
        self.assertEqual("0\n1\n2\n", given.read_text())
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(["given", "log"], names)
