"""Tests of txregistry.polling, on a reactor of their own that never runs."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.polling import Round, poll_directly


class _Pipe:
    """The reading end of a pipe.

    Attributes:
        came: What was read.
        lost: What it was lost for.
    """

    def __init__(self, calls: Any = None) -> None:
        """Make it; ``calls`` is called when there is something."""
        self.ends = os.pipe()
        self.came: list[bytes] = []
        self.lost: list[Any] = []
        self._calls = calls

    def fileno(self) -> int:
        """See IFileDescriptor."""
        return self.ends[0]

    def doRead(self) -> Any:
        """See IReadDescriptor."""
        self.came.append(os.read(self.ends[0], 100))
        return None if self._calls is None else self._calls()

    def connectionLost(self, reason: Any) -> None:
        """See IFileDescriptor."""
        self.lost.append(reason.value)

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's
        """See ILoggingContext."""
        raise AssertionError("nobody asks")


class PollDirectlyTests(SynchronousTestCase):
    """Events of sockets."""

    def setUp(self) -> None:
        """Make a reactor."""
        self.reactor = EPollReactor()
        for reader in self.reactor.getReaders():
            self.reactor.removeReader(reader)
        self.addCleanup(self.reactor._poller.close)
        self.assertTrue(poll_directly(self.reactor))

    def pipe(self, calls: Any = None) -> _Pipe:
        """Return a pipe that the reactor reads."""
        pipe = _Pipe(calls)
        for end in pipe.ends:
            self.addCleanup(os.close, end)
        self.reactor.addReader(pipe)
        return pipe

    def test_reads(self) -> None:
        """What has come is read, without anybody asking for a log prefix."""
        pipe = self.pipe()
        os.write(pipe.ends[1], b"hello")
        self.reactor.doIteration(0)
        self.assertEqual([b"hello"], pipe.came)

    def test_nothing(self) -> None:
        """When nothing has come, nothing happens."""
        pipe = self.pipe()
        self.reactor.doIteration(0)
        self.assertEqual([], pipe.came)

    def test_removed(self) -> None:
        """What was removed by an event of the same turn is not called any more."""
        pipes: list[_Pipe] = []

        def remove() -> None:
            for pipe in pipes:
                self.reactor.removeReader(pipe)

        pipes += [self.pipe(remove), self.pipe(remove)]
        for pipe in pipes:
            os.write(pipe.ends[1], b"hello")
        self.reactor.doIteration(0)
        self.assertEqual(1, sum(len(pipe.came) for pipe in pipes))

    def test_breaks(self) -> None:
        """What raises is logged, lost and not read any more; the loop goes on."""
        problem = ValueError("broken")

        def fail() -> None:
            raise problem

        pipe = self.pipe(fail)
        os.write(pipe.ends[1], b"hello")
        self.reactor.doIteration(0)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertEqual([problem], pipe.lost)
        self.assertEqual([], self.reactor.getReaders())

    def test_ends(self) -> None:
        """What says that it has come to its end is lost, and not read any more."""
        pipe = self.pipe(lambda: CONNECTION_DONE)
        os.write(pipe.ends[1], b"hello")
        self.reactor.doIteration(0)
        self.assertEqual(([b"hello"], []), (pipe.came, self.reactor.getReaders()))
        self.assertIsInstance(pipe.lost[0], ConnectionDone)

    def test_breaks_at_its_end(self) -> None:
        """That its end is not taken well is logged, too."""
        pipe = self.pipe(lambda: CONNECTION_DONE)
        pipe.lost = None  # type: ignore[assignment]  # so that it breaks
        os.write(pipe.ends[1], b"hello")
        self.reactor.doIteration(0)
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))

    def test_hung_up(self) -> None:
        """What the other end has closed is lost once all was read."""
        pipe = self.pipe()
        other = os.dup(pipe.ends[1])
        os.write(other, b"hello")
        os.close(other)
        os.dup2(pipe.ends[0], pipe.ends[1])  # the last one that could write is gone
        self.reactor.doIteration(0)
        self.reactor.doIteration(0)
        self.assertEqual([b"hello"], pipe.came)
        self.assertIsInstance(pipe.lost[0], ConnectionDone)

    def test_rounds(self) -> None:
        """What is found ready at one time is a round, and has its number."""
        round_ = Round()
        poll_directly(self.reactor, round_)
        numbers: list[int] = []
        pipes = [self.pipe(lambda: numbers.append(round_.number)) for _ in range(2)]
        for _ in range(2):
            for pipe in pipes:
                os.write(pipe.ends[1], b"hello")
            self.reactor.doIteration(0)
            self.assertEqual(0, round_.number)
        first, second, third, fourth = numbers
        self.assertEqual((first, third), (second, fourth))
        self.assertLess(0, first)
        self.assertLess(first, third)

    def test_others(self) -> None:
        """Other reactors stay as they are."""
        self.assertFalse(poll_directly(Clock()))
