"""Batches: several changes on a disk, which wait for it together.

First all is written beside its place and synced, and the folders with it; then each
thing takes its place, durably, before the next one does, or several at once if they are
to be. So the order is that of the changes, and most of the waiting is done once.

Steps are brief, and fail with OSError. Threads make them, because a disk can hang, or
be frozen while somebody copies it, and who only reads must not notice; but not what
need not be durable, which would take longer to hand over. What waits for the disk is
left to ``Syncs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain

from txregistry.storage.disk import Disk
from txregistry.storage.journal import Journal
from txregistry.storage.journal_files import NoJournal
from txregistry.storage.puts import PutStep
from txregistry.storage.records import Entry, Written
from txregistry.storage.steps import MoveStep, PublishStep, Step
from txregistry.storage.syncs import Syncs
from txregistry.storage.works import CannotWrite, take_effect
from txregistry.threads import InThread


class Batch:
    """Changes that are made in their order."""

    def __init__(
        self,
        disk: Disk,
        groups: Sequence[Sequence[Step]],
        translated: Callable[[str, bool], AbstractContextManager[None]],
        syncs: Syncs,
        in_thread: InThread,
        journal: Journal | None = None,
    ) -> None:
        """Prepare.

        Args:
            disk: What they are made on.
            groups: The changes; those of a group together.
            translated: Turns OSErrors about a path, where something is to be written
                or not, into others.
            syncs: Makes files and folders durable.
            in_thread: Does the rest.
            journal: Makes them durable, where there can be one; None: there is none.
        """
        self._journal = journal
        self._disk = disk
        self._groups = groups
        self._translated = translated
        self._syncs = syncs
        self._in_thread = in_thread

    async def run(self) -> None:
        """Make the changes. Must not be cancelled: threads and syncs go on.

        Raises:
            Exception: What an OSError was turned into.
        """
        steps = list(chain.from_iterable(self._groups))
        try:
            if all(step.is_light for step in steps):
                self.take_effect(steps)
            elif not await self._keep(steps):
                await self._in_thread(partial(self.prepare, steps))
                await self._make(steps)
        finally:
            if any(step.leaves for step in steps):
                await self._in_thread(partial(_end, steps))
            else:
                _end(steps)

    async def _make(self, steps: Sequence[Step]) -> None:
        await self._sync(steps, names=False)
        for group in self._groups:
            await self._in_thread(partial(self.take_effect, group))
            await self._sync(group, names=True)

    async def _keep(self, steps: Sequence[Step]) -> bool:
        """Make the changes with a journal; say whether that is how to make them."""
        journal = self._journal
        if journal is None or journal.is_away or not any(map(_is_kept, steps)):
            return False
        moving = [each for each in steps if isinstance(each, PublishStep | MoveStep)]
        if moving:
            # What the journal moves must be there at any time.
            await self._sync_sources(moving)
        try:
            with self._translated(steps[0].path, True):
                await journal.make(_Kept(self, steps))
        except CannotWrite as cannot:
            with self._translated(cannot.path, True):
                raise cannot.error from cannot
        except NoJournal:
            puts = [each for each in steps if isinstance(each, PutStep)]
            await self._in_thread(partial(_end, puts))  # they are prepared anew
            return False
        return True

    async def _sync_sources(self, moving: Sequence[PublishStep | MoveStep]) -> None:
        files = [each for step in moving for each in step.descriptors]
        folders = [step.source_folder for step in moving]
        with (
            self._translated(moving[0].path, True),
            self._disk.settling(folders) as parents,
        ):
            await self._syncs(files, [*folders, *parents])

    def prepare(self, steps: Sequence[Step]) -> None:
        """Prepare steps, in any thread."""
        for step in steps:
            with self._translated(step.path, step.writes):
                step.prepare()

    def take_effect(self, group: Sequence[Step]) -> None:
        """Have steps take effect in their order, in any thread."""
        for step in group:
            with self._translated(step.path, step.writes):
                take_effect(step)

    async def _sync(self, steps: Sequence[Step], *, names: bool) -> None:
        """Make files durable, or the names in their folders; and the folders' own."""
        folders = list(dict.fromkeys(_folders_of(steps)))
        files = [] if names else [each for step in steps for each in step.descriptors]
        if not files and not folders:
            return
        with (
            self._translated(steps[0].path, True),
            self._disk.settling(folders) as parents,
        ):
            synced = dict.fromkeys((*folders, *parents)) if names else parents
            if files or synced:
                await self._syncs(files, list(synced))


class _Kept:
    """A batch that a journal keeps. See Work."""

    def __init__(self, batch: Batch, steps: Sequence[Step]) -> None:
        """Take the batch and all its steps."""
        self._batch = batch
        self._steps = steps

    @property
    def files(self) -> Sequence[Written] | None:
        """See Work."""
        puts = [each for each in self._steps if isinstance(each, PutStep)]
        return None if len(puts) < len(self._steps) else [each.entry for each in puts]

    def prepare(self) -> Sequence[Entry]:
        """See Work."""
        self._batch.prepare(self._steps)
        for step in self._steps:
            if isinstance(step, PutStep):
                step.close()  # nobody syncs it
        entries = (step.entry for step in self._steps)
        return [entry for entry in entries if entry is not None]

    def take_effect(self) -> None:
        """See Work."""
        self._batch.take_effect(self._steps)


def _folders_of(steps: Sequence[Step]) -> Iterator[str]:
    return (step.folder for step in steps if step.folder is not None)


def _is_kept(step: Step) -> bool:
    return step.entry is not None


def _end(steps: Sequence[Step]) -> None:
    for step in steps:
        step.end()
