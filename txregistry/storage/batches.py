"""Batches: several changes on a disk, which wait for it together.

First all is written beside its place and synced, and the folders with it; then each
thing takes its place, durably, before the next one does. So the order is that of the
changes, and most of the waiting is done once.

Everything here blocks, and fails with OSError, but for ``Batch.run``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from typing import Any, Protocol

from txregistry.interfaces import Change, Note, Publish, Put
from txregistry.storage.disk import Disk, persistently, write_all
from txregistry.storage.drafts import Draft


class Step(Protocol):
    """One change.

    Attributes:
        path: What it is about, as drivers know it.
        folder: The folder that something is to be in; None: it needs none.
        writes: Whether something is to be there afterwards.
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

    def prepare(self) -> None:
        """Make what is needed, and make contents durable. Nobody sees that yet."""

    def take_effect(self) -> None:
        """Make the change durably."""

    def end(self) -> None:
        """Give up what is held, and remove what has had no effect."""


class Batch:
    """Changes that are made in their order."""

    def __init__(
        self,
        disk: Disk,
        steps: Sequence[Step],
        translated: Callable[[str, bool], AbstractContextManager[None]],
    ) -> None:
        """Prepare.

        Args:
            disk: What they are made on.
            steps: The changes.
            translated: Turns OSErrors about a path, where something is to be written
                or not, into others.
        """
        self._disk = disk
        self._steps = steps
        self._translated = translated

    def run(self) -> None:
        """Make the changes.

        Raises:
            Exception: What an OSError was turned into.
        """
        try:
            for step in self._steps:
                with self._translated(step.path, step.writes):
                    step.prepare()
            self._settle()
            for step in self._steps:
                with self._translated(step.path, step.writes):
                    step.take_effect()
        finally:
            for step in self._steps:
                step.end()

    def _settle(self) -> None:
        folders = [step.folder for step in self._steps if step.folder is not None]
        if folders:
            with self._translated(self._steps[0].path, True):
                self._disk.settle(folders)


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
    if isinstance(change, Note):
        return NoteStep(disk, change.path, change.content)
    if isinstance(change, Publish):
        writer: Any = change.writer  # this driver's: it has a draft
        path, draft = writers.enter_context(writer.ending())
        return PublishStep(disk, path, draft, disk.place(change.destination))
    return RemoveStep(disk, change.path)


class PutStep:
    """A small file is written whole, over what is there. See Step."""

    writes = True

    def __init__(self, disk: Disk, path: str, content: bytes) -> None:
        """Take the disk, the driver's path, and the content."""
        self.path = path
        self.folder = os.path.dirname(disk.place(path))
        self._disk = disk
        self._place = disk.place(path)
        self._content = content
        self._temporary: str | None = None

    def prepare(self) -> None:
        """See Step."""
        descriptor = persistently(self._create)
        try:
            write_all(descriptor, self._content)
            self._disk.sync_file(descriptor)
        finally:
            os.close(descriptor)

    def take_effect(self) -> None:
        """See Step."""
        assert self._temporary is not None
        try:
            self._disk.rename(self._temporary, self._place)
            self._disk.sync(self.folder)
        except FileNotFoundError:
            # Somebody has removed the folder meanwhile.
            self._disk.put(self._place, self._content)
        self._temporary = None

    def end(self) -> None:
        """See Step."""
        if self._temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def _create(self) -> int:
        self._disk.make_directory(self.folder)
        temporary = self._disk.temporary(self._place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(temporary, flags, 0o666)
        self._temporary = temporary
        return descriptor


class PublishStep:
    """A draft is moved where it is to be. See Step."""

    writes = True

    def __init__(self, disk: Disk, path: str, draft: Draft, place: str) -> None:
        """Take the disk, the draft with its driver's path, and where it is to be."""
        self.path = path
        self.folder = os.path.dirname(place)
        self._disk = disk
        self._draft = draft
        self._place = place

    def prepare(self) -> None:
        """See Step."""
        self._disk.make_directory(self.folder)
        self._draft.sync()

    def take_effect(self) -> None:
        """See Step."""
        self._draft.arrive(self._place)

    def end(self) -> None:
        """See Step. What was not published stays with its writer."""


class NoteStep:
    """A file is written that only helps. See Step."""

    writes = True
    folder = None

    def __init__(self, disk: Disk, path: str, content: bytes) -> None:
        """Take the disk, the driver's path, and the content."""
        self.path = path
        self._note = partial(disk.note, disk.place(path), content)

    def prepare(self) -> None:
        """See Step."""

    def take_effect(self) -> None:
        """See Step."""
        self._note()

    def end(self) -> None:
        """See Step."""


class RemoveStep:
    """Something is removed, and may come back with a crash. See Step."""

    writes = False
    folder = None

    def __init__(self, disk: Disk, path: str) -> None:
        """Take the disk and the driver's path."""
        self.path = path
        self._drop = partial(disk.drop, disk.place(path))

    def prepare(self) -> None:
        """See Step."""

    def take_effect(self) -> None:
        """See Step."""
        self._drop()

    def end(self) -> None:
        """See Step."""
