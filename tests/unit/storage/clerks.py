"""Clerks that are no processes of their own."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed

from txregistry.storage.clerk import ClerkGone
from txregistry.storage.clerk_process import answer, answered, ask
from txregistry.storage.disk import Disk
from txregistry.storage.journal_files import JournalFiles
from txregistry.storage.records import Written
from txregistry.storage.works import Outcomes


class InlineClerk:
    """Does at once what a clerk's process does. See Clerk.

    Attributes:
        made: How many works it was given.
        dies: When it ends next: before it has made what it is given, or after that;
            None: not.
        is_there: Whether it takes anything.
        has_stopped: Whether it was told to.
    """

    def __init__(self, disk: Disk, files: JournalFiles) -> None:
        """Take the folder, and the journal's files as another process has them."""
        self.made = 0
        self.dies: str | None = None
        self.is_there = True
        self.has_stopped = False
        self.files = files
        self._disk = disk

    def make(self, works: Sequence[Sequence[Written]]) -> Deferred[Outcomes] | None:
        """See Clerk."""
        if not self.is_there:
            return None
        dies, self.dies = self.dies, None
        self.made += len(works)
        if dies == "before":
            return fail(ClerkGone())
        reply = answer(ask(works), self.files, self._disk)
        if dies == "after":
            self.files.close()
            return fail(ClerkGone())
        return succeed(answered(reply))

    def rest(self) -> None:
        """See Clerk."""
        answer(ask([]), self.files, self._disk)

    def stop(self) -> Deferred[None]:
        """See Clerk."""
        self.has_stopped = True
        self.files.close()
        return succeed(None)
