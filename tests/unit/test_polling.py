"""Tests of txregistry.polling, on a reactor of their own that never runs."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.polling import poll_directly


class _Pipe:
    """The reading end of a pipe.

    Attributes:
        came: What was read.
    """

    def __init__(self, calls: Any = None) -> None:
        """Make it; ``calls`` is called when there is something."""
        self.ends = os.pipe()
        self.came: list[bytes] = []
        self._calls = calls

    def fileno(self) -> int:
        """See IFileDescriptor."""
        return self.ends[0]

    def doRead(self) -> None:
        """See IReadDescriptor."""
        self.came.append(os.read(self.ends[0], 100))
        if self._calls is not None:
            self._calls()

    def connectionLost(self, reason: object) -> None:
        """See IFileDescriptor."""

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
        """What raises is logged, and does not end the loop."""

        def fail() -> None:
            raise ValueError("broken")

        pipe = self.pipe(fail)
        os.write(pipe.ends[1], b"hello")
        self.reactor.doIteration(0)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_others(self) -> None:
        """Other reactors stay as they are."""
        self.assertFalse(poll_directly(Clock()))
