"""The journal: changes that are durable with one write to the disk, for all at once.

A change is written down first, in a file that is there and has its length, so that the
file system has nothing to do but that write; then the files are made as they are to be,
and their turn to be durable comes with the next checkpoint. What a crash of the machine
takes until then, the journal makes again at the next start.

What comes while a thread is at it waits, and is written down together afterwards: many
who push at a time wait for one write.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.storage.journal_files import JournalFiles
from txregistry.storage.records import Entry
from txregistry.threads import InThread

_log = Logger()

# From the first change after a checkpoint until the next one, in seconds.
INTERVAL: Final = 5.0

MOST: Final = 64  # works that are written down together

_LAST: Final = 3  # checkpoints at the end; another process may go on


class Work(Protocol):
    """Changes of one batch, in another thread."""

    def prepare(self) -> Sequence[Entry]:
        """Make ready what nobody sees yet; return what is to be written down.

        Raises:
            Exception: The changes cannot be made.
        """

    def take_effect(self) -> None:
        """Make the changes.

        Raises:
            Exception: One could not be made.
        """


class Journal:
    """Changes of a folder, by one process."""

    def __init__(
        self,
        files: JournalFiles,
        in_thread: InThread,
        clock: IReactorTime,
        is_wanted: bool = True,
    ) -> None:
        """Prepare.

        Args:
            files: The journal's files.
            in_thread: Threads.
            clock: Time.
            is_wanted: Whether changes are to be made with it; if not, what one holds
                is made again at the start, and that is all.
        """
        self._is_wanted = is_wanted
        self._files = files
        self._in_thread = in_thread
        self._clock = clock
        self._waiting: deque[tuple[Work, Deferred[None]]] = deque()
        self._is_busy = False
        self._next: IDelayedCall | None = None
        self._checking: Deferred[bool] | None = None
        self._idle: list[Deferred[None]] = []
        self._away_until = 0.0
        self._has_made = False
        self._has_stopped = False

    @property
    def is_away(self) -> bool:
        """Whether changes are to be made without it now."""
        return not self._is_wanted or self._clock.seconds() < self._away_until

    async def start(self) -> None:
        """Make again what was made before a crash. Nobody uses the folder yet.

        Raises:
            OSError: It does not work.
        """
        try:
            redone = await self._in_thread(self._files.recover)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            _log.warn("the journal is not looked at: the file system is read-only")
            return
        if redone:
            _log.info(
                "the journal: made again what a crash had undone, {redone} changes",
                redone=redone,
            )

    async def stop(self) -> None:
        """Leave a folder that needs no journal."""
        if self._is_busy:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        self._has_stopped = True
        if self._next is not None and self._next.active():
            self._next.cancel()
        if self._checking is not None:
            await self._checking
        for _ in range(_LAST):
            if not await self._check():
                break
        self._files.close()

    def make(self, work: Work) -> Deferred[None]:
        """Make changes durably.

        Args:
            work: The changes.

        Returns:
            Fires when they are made; never cancelled. Fails as ``work`` does, or with
            ``OSError`` or ``NoJournal``: then nothing was made.
        """
        made: Deferred[None] = Deferred()
        self._waiting.append((work, made))
        self._go_on()
        return made

    def _go_on(self) -> None:
        if self._is_busy or not self._waiting:
            return
        self._is_busy = True
        number = min(len(self._waiting), MOST)
        group = [self._waiting.popleft() for _ in range(number)]
        making = self._in_thread(partial(self._make, [work for work, _ in group]))
        making.addBoth(self._end, [made for _, made in group])

    def _make(self, works: Sequence[Work]) -> list[Failure | None]:
        """Make changes, in a thread; return what each failed with, or None."""
        outcomes: list[Failure | None] = []
        entries: list[Entry] = []
        for work in works:
            try:
                entries += work.prepare()
            except Exception:  # whatever it is, it is that work's
                outcomes.append(Failure())
            else:
                outcomes.append(None)
        good = [number for number, failed in enumerate(outcomes) if failed is None]
        if not good:
            return outcomes
        try:
            with self._files.turn():
                self._files.append(entries)
                for number in good:
                    try:
                        works[number].take_effect()
                    except Exception:
                        outcomes[number] = Failure()
        except Exception:
            failure = Failure()
            for number in good:
                outcomes[number] = outcomes[number] or failure
        return outcomes

    def _end(
        self, outcomes: list[Failure | None] | Failure, made: Sequence[Deferred[None]]
    ) -> None:
        self._is_busy, self._has_made = False, True
        self._plan_checkpoint()
        self._go_on()
        if isinstance(outcomes, Failure):
            outcomes = [outcomes] * len(made)
        for each, outcome in zip(made, outcomes, strict=True):
            if outcome is not None and getattr(outcome.value, "lasts", False):
                self._away_until = self._clock.seconds() + INTERVAL
            each.callback(outcome)
        if not self._is_busy:
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)

    def _plan_checkpoint(self) -> None:
        if self._next is None and not self._has_stopped:
            self._next = self._clock.callLater(INTERVAL, self._begin_checkpoint)

    def _begin_checkpoint(self) -> None:
        self._checking = Deferred.fromCoroutine(self._check())

    async def _check(self) -> bool:
        """Make a checkpoint; say whether to make another one."""
        self._has_made, has_failed = False, False
        try:
            is_clean = await self._in_thread(self._files.checkpoint)
        except Exception as error:  # whatever it is, the records are there still
            is_clean, has_failed = False, True
            _log.critical("the journal stays, and is needed: {error}", error=error)
        self._checking = self._next = None
        if self._has_made or not is_clean:
            self._plan_checkpoint()
        return not (is_clean or has_failed)
