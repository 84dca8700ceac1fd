"""The clerk: a process beside ours that writes small files down, and makes them.

A thread of ours would have to wait for our interpreter after each system call, of which
a small push takes some twenty; so many who push at a time are served twice as fast with
it. Without it, threads do the same.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.internet.process import reapAllProcesses
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.processes import NOT_FOR_OTHERS, start_module, usable
from txregistry.storage.clerk_process import CHANNEL, MOST, READY, answered, ask
from txregistry.storage.records import Written
from txregistry.storage.works import Outcomes

_log = Logger()

_MODULE: Final = "txregistry.storage.clerk_process"

# One that has ended is not replaced for so long (seconds).
_PAUSE: Final = 5.0

# What a service manager tells all processes is for us to say to it: it ends when we do.
_UNHEARD: Final = (*NOT_FOR_OTHERS, signal.SIGTERM)

_EACH: Final = 64  # bytes of a message that a file takes beside its path and content

# One that says nothing for so long hangs, and is killed (seconds). It may wait for its
# turn for half of that; and it ends at once when it is told to.
_PATIENCE: Final = 60.0
_PATIENCE_AT_THE_END: Final = 10.0

Kill = Callable[[], None]
"""Kills the process, if it has not ended."""

Start = Callable[[int], Kill]
"""Starts the process, which has the socket of that descriptor; raises OSError."""


class ClerkGone(Exception):
    """It has ended, and nobody knows what has become of what it was told."""


@implementer(IReadDescriptor)
class Clerk:
    """Makes small files in a process of its own, which begins when it is needed."""

    def __init__(self, reactor: Any, start: Start) -> None:
        """Prepare.

        Args:
            reactor: Tells of descriptors and of the time.
            start: Starts the process.
        """
        self._reactor = reactor
        self._start = start
        self._channel: socket.socket | None = None
        self._buffer = bytearray(MOST)
        self._is_ready = False
        self._has_stopped = False
        self._not_before = 0.0
        self._kill: Kill = _nobody
        self._watching: IDelayedCall | None = None
        self._number = 0  # of what was asked for last
        self._making: Deferred[Outcomes] | None = None
        self._ended: Deferred[None] | None = None

    def make(self, works: Sequence[Sequence[Written]]) -> Deferred[Outcomes] | None:
        """Make the small files of works, durably. Not for two at a time.

        Args:
            works: The files of each, in their order.

        Returns:
            What each work failed with, or None: it is made; fails with ``ClerkGone``;
            never cancelled. None: it is not there, or does not take so much at a time.
        """
        if not self._is_ready:
            self._begin()
            return None
        files = chain.from_iterable(works)
        size = sum(_EACH + len(each.path) + len(each.content) for each in files)
        if size > MOST or not self._send(ask(works)):
            return None
        self._making = Deferred()
        self._number += 1
        if self._watching is None:
            self._watch()
        return self._making

    def rest(self) -> None:
        """Have it close the journal's files, until there is something to make."""
        if self._is_ready:
            self._send(ask([]))

    def stop(self) -> Deferred[None]:
        """End it; nothing is being made. Fires when it has ended."""
        self._has_stopped = True
        if self._channel is None:
            return succeed(None)
        self._channel.shutdown(socket.SHUT_WR)
        self._stop_watching()
        later = self._reactor.callLater
        self._watching = later(_PATIENCE_AT_THE_END, self._give_up)
        self._ended = Deferred()
        return self._ended

    def doRead(self) -> None:
        """See IReadDescriptor."""
        assert self._channel is not None
        try:
            length = self._channel.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            length = 0
        message = bytes(self._buffer[:length])
        if not message:
            self._lose()
        elif message == READY:
            self._is_ready = True
        elif self._making is not None:
            try:
                outcomes = answered(message)
            except (EOFError, TypeError, ValueError):
                # Such as one's that is of a newer release, installed meanwhile.
                self._lose()
                return
            making, self._making = self._making, None
            making.callback(outcomes)

    def fileno(self) -> int:
        """See IFileDescriptor."""
        return -1 if self._channel is None else self._channel.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """See IFileDescriptor."""
        self._lose()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's
        """See ILoggingContext."""
        return "clerk"

    def _begin(self) -> None:
        if self._channel is not None or self._has_stopped:
            return
        if self._reactor.seconds() < self._not_before:
            return
        self._not_before = self._reactor.seconds() + _PAUSE
        try:
            self._channel = self._started()
        except OSError as error:
            _log.warn("no process for the journal: {error}", error=error)
        else:
            self._reactor.addReader(self)

    def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._kill = self._start(theirs.fileno())
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours

    def _send(self, message: bytes) -> bool:
        assert self._channel is not None
        try:
            self._channel.send(message)
        except OSError:  # it has ended, or takes less than it ought to
            return False
        return True

    def _watch(self) -> None:
        later = self._reactor.callLater
        self._watching = later(_PATIENCE, self._look, self._number)

    def _look(self, number: int) -> None:
        """See whether it still has to do with what it had to do with then."""
        self._watching = None
        if self._making is None:
            return
        if number == self._number:
            self._give_up()
        else:
            self._watch()

    def _give_up(self) -> None:
        self._watching = None
        _log.warn("the journal's process hangs, and is killed")
        self._kill()

    def _stop_watching(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()

    def _lose(self) -> None:
        """Give up the channel, which it has closed last of all, if it could."""
        if self._channel is None:
            return
        self._reactor.removeReader(self)
        self._stop_watching()
        self._channel.close()
        self._channel, self._is_ready = None, False
        if self._making is not None:  # and who knows whether it is made
            making, self._making = self._making, None
            making.errback(ClerkGone())
        if self._ended is not None:
            self._ended.callback(None)
        else:
            _log.warn("the journal's process has ended; threads do its work meanwhile")


def _nobody() -> None:
    """Kill nobody."""


def starts_clerk(reactor: Any, folder: str, environ: Mapping[str, str]) -> Start:
    """Return what starts a clerk's process.

    Args:
        reactor: Starts processes.
        folder: What its journal is of.
        environ: Our environment.
    """
    error = usable(2)

    def start(channel: int) -> Kill:
        descriptors = {CHANNEL: channel, 1: error, 2: error}
        # Its end is heard by its channel: not all of our processes hear of SIGCHLD.
        reapAllProcesses()
        process = start_module(
            reactor,
            ProcessProtocol(),
            _MODULE,
            [folder],
            descriptors,
            environ,
            _UNHEARD,
        )

        def kill() -> None:
            with suppress(ProcessExitedAlready):
                process.signalProcess("KILL")

        return kill

    return start
