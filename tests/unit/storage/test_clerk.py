"""The clerk, as the process sees it that has it."""

from __future__ import annotations

import marshal
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.storage.clerk import Clerk, ClerkGone, starts_clerk
from txregistry.storage.clerk_process import MOST, READY, ask
from txregistry.storage.records import Written
from txregistry.storage.works import Outcomes

WORKS = [[Written("/a", b"content")]]
MADE = b"[\1\0\0\0N"  # marshal's [None]


class ClerkCase(SynchronousTestCase):
    """A clerk whose process the test plays.

    Attributes:
        sockets: Those of the processes that were started.
        problem: What the next start fails with.
    """

    def setUp(self) -> None:
        """Make the clerk."""
        self.clock = Clock()
        self.clock.advance(100)
        self.killed = 0
        self.readers: list[Any] = []
        self.sockets: list[socket.socket] = []
        self.problem: OSError | None = None
        reactor: Any = self
        self.clerk = Clerk(reactor, self.start)
        self.events: list[LogEvent] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def tearDown(self) -> None:
        """See that it has left nothing."""
        for each in self.sockets:
            each.close()
        for reader in self.readers[:]:
            reader.doRead()
        self.assertEqual([], self.readers)
        self.assertEqual(-1, self.clerk.fileno())
        self.assertEqual([], self.clock.getDelayedCalls())

    def start(self, channel: int) -> Callable[[], None]:
        """Start the process."""
        if self.problem is not None:
            raise self.problem
        self.sockets.append(socket.socket(fileno=os.dup(channel)))
        return self.kill

    def kill(self) -> None:
        """Note that it was killed."""
        self.killed += 1

    def callLater(self, *arguments: Any) -> Any:
        """See IReactorTime."""
        return self.clock.callLater(*arguments)

    def seconds(self) -> float:
        """See IReactorTime."""
        return self.clock.seconds()

    def addReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.readers.remove(reader)

    def end(self) -> None:
        """Let the process end."""
        self.sockets[-1].close()
        (reader,) = self.readers
        reader.doRead()

    def say(self, message: bytes) -> None:
        """Let the process say something."""
        self.sockets[-1].send(message)
        (reader,) = self.readers
        reader.doRead()

    def be_ready(self) -> None:
        """Have a process that is ready."""
        self.assertIsNone(self.clerk.make(WORKS))
        self.say(READY)

    def make(self) -> Deferred[Outcomes]:
        """Have it make something."""
        making = self.clerk.make(WORKS)
        assert making is not None
        return making

    def warnings(self) -> int:
        """Return how many warnings were logged."""
        levels = [event["log_level"] for event in self.events]
        return levels.count(LogLevel.warn)


class MakeTests(ClerkCase):
    """What it is given, and what it takes."""

    def test_begin(self) -> None:
        """It begins when it is first needed, and takes nothing before it is ready."""
        self.assertEqual([], self.sockets)
        for _ in range(3):
            self.assertIsNone(self.clerk.make(WORKS))
        self.assertEqual(1, len(self.sockets))
        self.say(READY)
        making = self.make()
        self.assertEqual(ask(WORKS), self.sockets[0].recv(MOST))
        self.assertNoResult(making)
        self.say(MADE)
        self.assertEqual([None], self.successResultOf(making))
        self.assertEqual(1, len(self.sockets))

    def test_long(self) -> None:
        """It takes as much at a time as a message can be, and no more."""
        self.be_ready()
        self.assertIsNone(self.clerk.make([[Written("/a", bytes(MOST))]]))
        long = [[Written("/a", bytes(1000))]] * (MOST // 1100)
        self.assertIsNotNone(self.clerk.make(long))
        self.assertEqual(ask(long), self.sockets[0].recv(MOST))
        self.say(MADE)

    def test_does_not_listen(self) -> None:
        """Of one that takes nothing off its socket, nobody waits for anything."""
        self.be_ready()
        large = [[Written("/a", bytes(MOST // 2))]]
        for _ in range(100):
            making = self.clerk.make(large)
            if making is None:
                break
            making.addErrback(lambda failure: failure.trap(ClerkGone))
        else:
            self.fail("it goes on and on")

    def test_rest(self) -> None:
        """It is told to rest if it is there."""
        self.clerk.rest()
        self.assertIsNone(self.clerk.make(WORKS))
        self.clerk.rest()
        self.say(READY)
        self.clerk.rest()
        self.assertEqual(ask([]), self.sockets[0].recv(MOST))


class EndTests(ClerkCase):
    """How it ends."""

    def test_gone(self) -> None:
        """What it was asked for when it ended has failed, and another one begins."""
        self.be_ready()
        making = self.make()
        self.end()
        self.failureResultOf(making, ClerkGone)
        self.assertEqual(1, self.warnings())
        self.assertIsNone(self.clerk.make(WORKS))
        self.assertEqual(1, len(self.sockets))
        self.clock.advance(5)
        self.be_ready()
        self.assertEqual(2, len(self.sockets))
        making = self.make()
        self.say(MADE)
        self.assertEqual([None], self.successResultOf(making))

    def test_reactor_drops(self) -> None:
        """So it is when the reactor does not want its socket any more."""
        self.be_ready()
        making = self.make()
        self.clerk.connectionLost(Failure(OSError()))
        self.failureResultOf(making, ClerkGone)

    def test_not_understood(self) -> None:
        """So it is when it says what means nothing: nobody waits for ever."""
        for message in (MADE[:-1], b"\0", marshal.dumps(3)):
            self.clock.advance(5)
            self.be_ready()
            making = self.make()
            self.say(message)
            self.failureResultOf(making, ClerkGone)
            self.assertEqual([], self.readers)

    def test_nothing_to_read(self) -> None:
        """To be woken for nothing is no end."""
        self.be_ready()
        self.clerk.doRead()
        making = self.make()
        self.say(MADE)
        self.assertEqual([None], self.successResultOf(making))

    def test_cannot_start(self) -> None:
        """Where it cannot be started that is said, and tried again after a while."""
        self.problem = OSError("no memory")
        for _ in range(2):
            self.assertIsNone(self.clerk.make(WORKS))
            self.assertEqual(1, self.warnings())
        self.problem = None
        self.assertIsNone(self.clerk.make(WORKS))
        self.assertEqual([], self.sockets)
        self.clock.advance(5)
        self.be_ready()

    def test_stop(self) -> None:
        """It is told that nothing is to come, and its end is waited for."""
        self.be_ready()
        stopping = self.clerk.stop()
        self.assertEqual(b"", self.sockets[0].recv(MOST))
        self.assertNoResult(stopping)
        self.end()
        self.successResultOf(stopping)
        self.assertEqual(0, self.warnings())

    def test_hangs(self) -> None:
        """One that says nothing for a long time is killed, and its end is heard."""
        self.be_ready()
        making = self.make()
        self.clock.advance(59)
        self.assertEqual(0, self.killed)
        self.clock.advance(1)
        self.assertEqual(1, self.killed)
        self.assertNoResult(making)
        self.end()
        self.failureResultOf(making, ClerkGone)

    def test_is_slow(self) -> None:
        """One that is busy all the time does not hang, nor does one that rests."""
        self.be_ready()
        for _ in range(5):
            self.clock.advance(1)
            making = self.make()
            self.clock.advance(58)
            self.say(MADE)
            self.assertEqual([None], self.successResultOf(making))
        self.clock.advance(60)
        self.assertEqual(0, self.killed)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_hangs(self) -> None:
        """One that does not end when it is told to is killed."""
        self.be_ready()
        stopping = self.clerk.stop()
        self.clock.advance(10)
        self.assertEqual(1, self.killed)
        self.end()
        self.successResultOf(stopping)

    def test_stop_before(self) -> None:
        """One that was never needed has ended, and does not begin any more."""
        self.successResultOf(self.clerk.stop())
        self.assertIsNone(self.clerk.make(WORKS))
        self.assertEqual([], self.sockets)

    def test_stop_after(self) -> None:
        """One that has ended by itself, or whose socket has, is not waited for."""
        self.be_ready()
        self.end()
        self.successResultOf(self.clerk.stop())


class StartTests(SynchronousTestCase):
    """The start of its process."""

    def spawnProcess(self, *arguments: Any, **named: Any) -> Any:  # noqa: N802
        """See IReactorProcess."""
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self.spawned = (*arguments, named["childFDs"])
        return self

    def signalProcess(self, name: str) -> None:  # noqa: N802 - Twisted's
        """See IProcessTransport."""
        self.signals.append(name)
        if len(self.signals) > 1:
            raise ProcessExitedAlready

    def test_start(self) -> None:
        """It has its socket and our standard error, and hears no signal but one."""
        reactor: Any = self
        self.signals: list[str] = []
        kill = starts_clerk(reactor, "/folder", {"A": "b"})(33)
        _, program, argv, environ, descriptors = self.spawned
        self.assertEqual(sys.executable, program)
        module = "txregistry.storage.clerk_process"
        self.assertEqual(["-m", module, "/folder"], argv[-3:])
        self.assertEqual("b", environ["A"])
        self.assertEqual({0: 33, 1: 2, 2: 2}, descriptors)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.assertIn(each, self.blocked)
        for _ in range(2):
            kill()
        self.assertEqual(["KILL", "KILL"], self.signals)
