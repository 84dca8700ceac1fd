"""Steps: single changes on a disk, of which a batch is made.

They are brief, and fail with OSError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Protocol

from txregistry.interfaces import Change, Note, Publish, Put, Remove, Vanish
from txregistry.storage.disk import Disk, open_to_read
from txregistry.storage.drafts import Draft
from txregistry.storage.puts import PutStep
from txregistry.storage.records import Entry, Gone, Moved


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
