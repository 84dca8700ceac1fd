"""Tests of txregistry.workers.spawning."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from twisted.internet.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.workers.spawning import Channel, Spawner


class Ears:
    """Notes what it hears. See Hears."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.messages: list[dict[str, Any]] = []
        self.ends: list[str] = []

    def heard(self, message: dict[str, Any]) -> None:
        """See Hears."""
        self.messages.append(message)

    def ended(self, reason: str) -> None:
        """See Hears."""
        self.ends.append(reason)


class Transport:
    """The transport of a process; nobody reads what it takes once it is closed."""

    pid = 1234
    closed = False

    def __init__(self) -> None:
        """Begin with nothing."""
        self.written: list[tuple[int, bytes]] = []
        self.signals: list[str] = []

    def writeToChild(self, descriptor: int, data: bytes) -> None:  # noqa: N802
        """See IProcessTransport."""
        if self.closed:
            raise KeyError(descriptor)
        self.written.append((descriptor, data))

    def signalProcess(self, name: str) -> None:  # noqa: N802 - Twisted's
        """See IProcessTransport."""
        if self.closed:
            raise ProcessExitedAlready
        self.signals.append(name)


class ChannelTests(SynchronousTestCase):
    """The process of a worker."""

    def setUp(self) -> None:
        """Make one."""
        self.ears, self.transport = Ears(), Transport()
        self.channel = Channel(self.ears)
        made: Any = self.transport
        self.channel.makeConnection(made)

    def test_talk(self) -> None:
        """We talk in lines."""
        self.channel.send({"do": "stop"})
        self.assertEqual([(0, b'{"do":"stop"}\n')], self.transport.written)
        self.channel.childDataReceived(3, b'{"ready":')
        self.channel.childDataReceived(3, b"true}\n")
        self.assertEqual([{"ready": True}], self.ears.messages)
        self.assertEqual(1234, self.channel.pid)

    def test_gone(self) -> None:
        """What is for one that is about to end is lost."""
        self.channel.signal("TERM")
        self.transport.closed = True
        self.channel.send({"do": "stop"})
        self.channel.signal("KILL")
        self.assertEqual(["TERM"], self.transport.signals)

    def test_reasons(self) -> None:
        """How it has ended is said in a few words."""
        for error in (
            ProcessTerminated(exitCode=3),
            ProcessTerminated(signal=signal.SIGKILL),
            ProcessDone(0),
        ):
            self.channel.processEnded(Failure(error))
        expected = ["exit status 3", "killed by SIGKILL", "it was told to"]
        self.assertEqual(expected, self.ears.ends)


class SpawnerTests(SynchronousTestCase):
    """The start of a process."""

    def spawn(self, environ: dict[str, str]) -> None:
        """Start the process of worker 2."""
        reactor: Any = self
        self.spawned: tuple[Any, ...] = ()
        spawner = Spawner(reactor, 40, [41, 42], environ, lambda: [43], (1, 2))
        spawner(2, Ears())

    def spawnProcess(self, *arguments: Any, **named: Any) -> None:  # noqa: N802
        """See IReactorProcess."""
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self.spawned = (*arguments, named["childFDs"])

    def test_descriptors(self) -> None:
        """It has two pipes, the streams, its assignment, the sockets and log files."""
        self.spawn({})
        _, program, argv, _, descriptors = self.spawned
        self.assertEqual(sys.executable, program)
        self.assertEqual(["-m", "txregistry.worker", "2"], argv[-3:])
        expected = {0: "w", 1: 1, 2: 2, 3: "r", 4: 40, 5: 41, 6: 42, 7: 43}
        self.assertEqual(expected, descriptors)

    def test_environ(self) -> None:
        """It has our environment, but for what systemd has said to us."""
        self.spawn({"A": "b", "LISTEN_FDS": "1", "PYTHONPATH": "/x"})
        environ = self.spawned[3]
        self.assertEqual("b", environ["A"])
        self.assertNotIn("LISTEN_FDS", environ)
        self.assertTrue(environ["PYTHONPATH"].endswith("/x"))

    def test_signals(self) -> None:
        """What a terminal sends to all does not reach it, from its first moment on."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self.spawn({})
        self.assertIn(signal.SIGINT, self.blocked)
        self.assertIn(signal.SIGHUP, self.blocked)
        self.assertNotIn(signal.SIGTERM, self.blocked)
        self.assertEqual(before, signal.pthread_sigmask(signal.SIG_BLOCK, []))

    def test_streams(self) -> None:
        """Where we have no standard stream, it has one that leads nowhere."""
        self.patch(os, "fstat", self.no_stream)
        opened: list[str] = []

        def note(path: str, _flags: int) -> int:
            opened.append(path)
            return 77

        self.patch(os, "open", note)
        streams = Spawner(None, 40, [], {}).streams
        self.assertEqual((77, 77), streams)
        self.assertEqual(["/dev/null"] * 2, opened)

    def no_stream(self, _descriptor: int) -> None:
        """Say that there is no such descriptor."""
        raise OSError
