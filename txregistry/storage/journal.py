"""The journal: changes that are durable with one write to the disk, for all at once.

A change is written down first, in a file that is there and has its length, so that the
file system has nothing to do but that write; then the files are made as they are to be,
and their turn to be durable comes with the next checkpoint. What a crash of the machine
takes until then, the journal makes again at the next start.

What comes meanwhile waits, and is written down together afterwards: many who push at a
time wait for one write. A thread does it, or the clerk, where it is about small files.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.storage.clerk import Clerk, ClerkGone
from txregistry.storage.journal_files import JournalFiles, NoJournal
from txregistry.storage.works import Outcomes, Work, make_together
from txregistry.threads import InThread

_log = Logger()

# From the first change after a checkpoint until the next one, in seconds.
INTERVAL: Final = 5.0

MOST: Final = 64  # works that are written down together

_LAST: Final = 3  # checkpoints at the end; another process may go on


class Journal:
    """Changes of a folder, by one process."""

    def __init__(
        self,
        files: JournalFiles,
        in_thread: InThread,
        clock: IReactorTime,
        is_wanted: bool = True,
        clerk: Clerk | None = None,
    ) -> None:
        """Prepare.

        Args:
            files: The journal's files.
            in_thread: Threads.
            clock: Time.
            is_wanted: Whether changes are to be made with it; if not, what one holds
                is made again at the start, and that is all.
            clerk: Makes small files in a process of its own; None: threads do.
        """
        self._clerk = clerk
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
        self._has_clerk_made = False
        self._has_started = False  # so that it will be stopped
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
        self._has_started = True
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
        if self._clerk is not None:
            await self._clerk.stop()

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
        making = self._begin([work for work, _ in group])
        making.addBoth(self._end, [made for _, made in group])

    def _begin(self, works: Sequence[Work]) -> Deferred[Outcomes]:
        making = self._hand_over(works)
        if making is None:
            # There may be no thread, and others come after these.
            work = partial(make_together, self._files, works)
            return maybeDeferred(self._in_thread, work)
        return making.addCallbacks(self._note, self._make_anew, errbackArgs=(works,))

    def _hand_over(self, works: Sequence[Work]) -> Deferred[Outcomes] | None:
        """Have the clerk make works, if it is there and they are what it can make."""
        clerk = self._clerk
        # Not before we have the journal open ourselves: a checkpoint hears only then
        # of what could not be written.
        if clerk is None or not (self._has_started and self._files.are_open):
            return None
        given = []
        for work in works:
            files = work.files
            if files is None:
                return None
            given.append(files)
        return clerk.make(given)

    def _note(self, outcomes: Outcomes) -> Outcomes:
        if not all(isinstance(each, NoJournal) for each in outcomes):
            self._has_clerk_made = True
        return outcomes

    def _make_anew(self, failure: Failure, works: Sequence[Work]) -> Deferred[Outcomes]:
        # What was written down was made, or whoever has the next turn makes it; to
        # make it once more changes nothing.
        failure.trap(ClerkGone)
        return self._in_thread(partial(make_together, self._files, works))

    def _end(
        self, outcomes: Outcomes | Failure, made: Sequence[Deferred[None]]
    ) -> None:
        self._is_busy, self._has_made = False, True
        self._plan_checkpoint()
        self._go_on()
        if isinstance(outcomes, Failure):
            outcomes = [outcomes.value] * len(made)
        for each, outcome in zip(made, outcomes, strict=True):
            if outcome is None:
                each.callback(None)
                continue
            if getattr(outcome, "lasts", False):
                self._away_until = self._clock.seconds() + INTERVAL
            each.errback(outcome)
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
        anyway, self._has_clerk_made = self._has_clerk_made, False
        self._has_made, has_failed = False, False
        try:
            checkpoint = partial(self._files.checkpoint, anyway)
            is_clean = await self._in_thread(checkpoint)
        except Exception as error:  # whatever it is, the records are there still
            is_clean, has_failed = False, True
            if not (isinstance(error, NoJournal) and error.lasts):
                self._has_clerk_made |= anyway
            _log.critical("the journal stays, and is needed: {error}", error=error)
        self._checking = self._next = None
        if self._has_made or not is_clean:
            self._plan_checkpoint()
        elif self._clerk is not None:
            self._clerk.rest()
        return not (is_clean or has_failed)
