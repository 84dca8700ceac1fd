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

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from itertools import chain
from typing import Any, Protocol

from txregistry.interfaces import Change, Note, Publish, Put, Remove, Vanish
from txregistry.storage.disk import Disk, open_to_read, persistently, write_all
from txregistry.storage.drafts import Draft
from txregistry.storage.journal import Journal
from txregistry.storage.journal_files import NoJournal
from txregistry.storage.records import Entry, Gone, Moved, Written
from txregistry.storage.syncs import Syncs
from txregistry.threads import InThread, to_the_end


class Step(Protocol):
    """One change.

    Attributes:
        path: What it is about, as drivers know it.
        folder: The folder that something is to be in durably; None: it needs none.
        writes: Whether something is to be there afterwards.
        descriptors: The open files that are to be durable before it takes effect.
        is_light: Whether it takes microseconds, and need not be durable.
    """

    @property
    def path(self) -> str:
        """See the class."""

    @property
    def folder(self) -> str | None:
        """See the class."""

    @property
    def writes(self) -> bool:
        """See the class."""

    @property
    def descriptors(self) -> Sequence[int]:
        """See the class."""

    @property
    def is_light(self) -> bool:
        """See the class."""

    @property
    def entry(self) -> Entry | None:
        """How a journal keeps it, when it is prepared; None: it need not be kept."""

    def prepare(self) -> None:
        """Make what is needed. Nobody sees that yet."""

    def take_effect(self) -> None:
        """Make the change; it is durable when the folder's names are.

        Raises:
            FileNotFoundError: Somebody has removed the folder meanwhile, or the file.
        """

    def take_effect_anew(self) -> None:
        """Make the change durably, after all that."""

    @property
    def leaves(self) -> bool:
        """Whether ``end`` has something to remove."""

    def end(self) -> None:
        """Give up what is held, and remove what is left of it."""


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
        """Make the changes. Must not be cancelled.

        Raises:
            Exception: What an OSError was turned into.
        """
        steps = list(chain.from_iterable(self._groups))
        try:
            if all(step.is_light for step in steps):
                self.take_effect(steps)
            elif not await self._keep(steps):
                await self._finish(partial(self.prepare, steps))
                await self._make(steps)
        finally:
            if any(step.leaves for step in steps):
                await self._finish(partial(_end, steps))
            else:
                _end(steps)

    async def _make(self, steps: Sequence[Step]) -> None:
        await self._sync(steps, names=False)
        for group in self._groups:
            await self._finish(partial(self.take_effect, group))
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
                await to_the_end(journal.make(_Kept(self, steps)))
        except NoJournal:
            await self._make(steps)
        return True

    async def _sync_sources(self, moving: Sequence[PublishStep | MoveStep]) -> None:
        files = [each for step in moving for each in step.descriptors]
        folders = [step.source_folder for step in moving]
        with (
            self._translated(moving[0].path, True),
            self._disk.settling(folders) as parents,
        ):
            await to_the_end(self._syncs(files, [*folders, *parents]))

    def prepare(self, steps: Sequence[Step]) -> None:
        """Prepare steps, in any thread."""
        for step in steps:
            with self._translated(step.path, step.writes):
                step.prepare()

    def take_effect(self, group: Sequence[Step]) -> None:
        """Have steps take effect in their order, in any thread."""
        for step in group:
            with self._translated(step.path, step.writes):
                try:
                    step.take_effect()
                except FileNotFoundError:
                    step.take_effect_anew()

    async def _finish(self, work: Callable[[], None]) -> None:
        await to_the_end(self._in_thread(work))

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
                await to_the_end(self._syncs(files, list(synced)))


class _Kept:
    """A batch that a journal keeps. See Work."""

    def __init__(self, batch: Batch, steps: Sequence[Step]) -> None:
        """Take the batch and all its steps."""
        self._batch = batch
        self._steps = steps

    def prepare(self) -> Sequence[Entry]:
        """See Work."""
        self._batch.prepare(self._steps)
        entries = (step.entry for step in self._steps)
        return [entry for entry in entries if entry is not None]

    def take_effect(self) -> None:
        """See Work."""
        self._batch.take_effect(self._steps)


def path_of(change: Change) -> str:
    """Return the path that something is to be at, or not to be, after a change."""
    return change.destination if isinstance(change, Publish) else change.path


def step_of(disk: Disk, change: Change, writers: ExitStack) -> Step:
    """Return how a change is made on a disk.

    Args:
        disk: The disk.
        change: The change.
        writers: Open until the changes are made; so long their writers are ending.

    Raises:
        StorageError: A writer has ended, or failed before.
    """
    if isinstance(change, Put):
        return PutStep(disk, change.path, change.content)
    if isinstance(change, Publish):
        writer: Any = change.writer  # this driver's: it has a draft
        path, draft = writers.enter_context(writer.ending())
        return PublishStep(disk, path, draft, disk.place(change.destination))
    place = disk.place(change.path)
    if isinstance(change, Note):
        return LightStep(change.path, True, partial(disk.note, place, change.content))
    if isinstance(change, Remove):
        return LightStep(change.path, False, partial(disk.drop, place), is_light=False)
    if isinstance(change, Vanish):
        return VanishStep(disk, change.path)
    return LightStep(change.path, True, partial(disk.begin, place))


class PutStep:
    """A small file is written whole, over what is there. See Step."""

    writes = True
    is_light = False

    def __init__(self, disk: Disk, path: str, content: bytes) -> None:
        """Take the disk, the driver's path, and the content."""
        self.path = path
        self.descriptors: Sequence[int] = ()
        self._disk = disk
        self._place = disk.place(path)
        self.folder = os.path.dirname(self._place)
        self._content = content
        self._temporary: str | None = None

    def prepare(self) -> None:
        """See Step."""
        descriptor = persistently(self._create)
        self.descriptors = (descriptor,)
        write_all(descriptor, self._content)

    def take_effect(self) -> None:
        """See Step."""
        assert self._temporary is not None
        self._disk.rename(self._temporary, self._place)
        self._temporary = None

    def take_effect_anew(self) -> None:
        """See Step."""
        self._disk.put(self._place, self._content)

    @property
    def entry(self) -> Entry:
        """See Step."""
        return Written(self.path, self._content)

    @property
    def leaves(self) -> bool:
        """See Step."""
        return self._temporary is not None

    def end(self) -> None:
        """See Step."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()
        if self._temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def _create(self) -> int:
        temporary = self._disk.temporary(self._place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            descriptor = os.open(temporary, flags, 0o666)
        except FileNotFoundError:
            self._disk.make_directory(self.folder)
            descriptor = os.open(temporary, flags, 0o666)
        self._temporary = temporary
        return descriptor


class PublishStep:
    """A draft is moved where it is to be. See Step."""

    writes = True
    is_light = False
    leaves = False

    def __init__(self, disk: Disk, path: str, draft: Draft, place: str) -> None:
        """Take the disk, the draft with its driver's path, and where it is to be."""
        self.path = path
        self.folder = os.path.dirname(place)
        self._disk = disk
        self._draft = draft
        self._place = place

    @property
    def descriptors(self) -> Sequence[int]:
        """See Step."""
        return (self._draft.descriptor,)

    @property
    def source_folder(self) -> str:
        """The folder in which the draft is for now."""
        return os.path.dirname(self._draft.written_at)

    @property
    def entry(self) -> Entry:
        """See Step."""
        path = self._disk.path(self._place)
        source = self._disk.path(self._draft.written_at)
        return Moved(path, source, os.fstat(self._draft.descriptor).st_ino)

    def prepare(self) -> None:
        """See Step."""
        self._disk.make_directory(self.folder)

    def take_effect(self) -> None:
        """See Step."""
        self._draft.arrive(self._place)

    def take_effect_anew(self) -> None:
        """See Step."""
        self._draft.arrive(self._place, durably=True)

    def end(self) -> None:
        """See Step. What was not published stays with its writer."""


class LightStep:
    """Something is done that may be lost with a crash. See Step."""

    folder = None
    descriptors = ()
    entry = None
    leaves = False

    def __init__(
        self, path: str, writes: bool, work: Callable[[], None], is_light: bool = True
    ) -> None:
        """Take the driver's path, whether something is there then, and the work."""
        self.path = path
        self.writes = writes
        self.is_light = is_light
        self._work = work

    def prepare(self) -> None:
        """See Step."""

    def take_effect(self) -> None:
        """See Step."""
        self._work()

    def take_effect_anew(self) -> None:
        """See Step."""
        self._work()

    def end(self) -> None:
        """See Step."""


class MoveStep:
    """A file takes another place. See Step."""

    writes = True
    is_light = False
    leaves = False

    def __init__(self, disk: Disk, path: str, source: str) -> None:
        """Take the disk, and the driver's paths of where it is to be and where it is.

        Raises:
            OSError: There is no such file.
        """
        self.path = path
        self._disk = disk
        self._place = disk.place(path)
        self._source = source
        descriptor, _ = open_to_read(disk.place(source))
        self.descriptors: Sequence[int] = (descriptor,)
        self.folder = os.path.dirname(self._place)
        self.source_folder = os.path.dirname(disk.place(source))

    @property
    def entry(self) -> Entry:
        """See Step."""
        return Moved(self.path, self._source, os.fstat(self.descriptors[0]).st_ino)

    def prepare(self) -> None:
        """See Step."""
        self._disk.make_directory(self.folder)

    def take_effect(self) -> None:
        """See Step."""
        self._disk.rename(self._disk.place(self._source), self._place)

    def take_effect_anew(self) -> None:
        """See Step."""
        self._disk.move(self._disk.place(self._source), self._place)

    def end(self) -> None:
        """See Step."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()


class DeleteStep:
    """A file, or a directory and all below it, is removed. See Step."""

    writes = False
    is_light = False
    descriptors = ()
    leaves = False

    def __init__(self, disk: Disk, path: str) -> None:
        """Take the disk and the driver's path."""
        self.path = path
        self.entry = Gone(path)
        self._disk = disk
        self._place = disk.place(path)
        self.folder = os.path.dirname(self._place)

    def prepare(self) -> None:
        """See Step."""
        os.lstat(self._place)

    def take_effect(self) -> None:
        """See Step."""
        self._disk.drop(self._place)

    def take_effect_anew(self) -> None:
        """See Step."""
        self.take_effect()

    def end(self) -> None:
        """See Step."""


class VanishStep:
    """A directory goes at once: aside, where no path leads to. See Step."""

    writes = False
    is_light = False
    descriptors = ()

    def __init__(self, disk: Disk, path: str) -> None:
        """Take the disk and the driver's path."""
        self.path = path
        self._disk = disk
        self._place = disk.place(path)
        self.folder = os.path.dirname(self._place)
        self._aside: str | None = None

    def prepare(self) -> None:
        """See Step."""

    def take_effect(self) -> None:
        """See Step."""
        aside = self._disk.temporary(self._place)
        self._disk.rename(self._place, aside)
        self._aside = aside

    def take_effect_anew(self) -> None:
        """See Step."""
        self.take_effect()

    @property
    def entry(self) -> Entry:
        """See Step."""
        return Gone(self.path)

    @property
    def leaves(self) -> bool:
        """See Step."""
        return self._aside is not None

    def end(self) -> None:
        """See Step."""
        if self._aside is not None:
            with suppress(OSError):  # it is gone already for everybody
                self._disk.drop(self._aside)


def _folders_of(steps: Sequence[Step]) -> Iterator[str]:
    return (step.folder for step in steps if step.folder is not None)


def _is_kept(step: Step) -> bool:
    return step.entry is not None


def _end(steps: Sequence[Step]) -> None:
    for step in steps:
        step.end()
