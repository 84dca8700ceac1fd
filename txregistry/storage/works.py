"""Works: changes that are made together, with a journal. No Twisted; see ``clerk``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from txregistry.storage.disk import Disk
from txregistry.storage.journal_files import JournalFiles
from txregistry.storage.puts import PutStep
from txregistry.storage.records import Entry, Written

Outcomes: TypeAlias = list[BaseException | None]
"""What each work failed with; None: it is made."""


class Work(Protocol):
    """Changes of one batch, in another thread or process."""

    @property
    def files(self) -> Sequence[Written] | None:
        """All that it is, if it is nothing but small files; None: it is more."""

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


class CannotWrite(Exception):
    """A small file cannot be written.

    Attributes:
        path: The file, as drivers know it.
        error: Why.
    """

    def __init__(self, path: str, error: OSError) -> None:
        """Say so."""
        super().__init__(f"{path}: {error}")
        self.path = path
        self.error = error


class Files:
    """Small files that are written whole, in their order. See Work."""

    def __init__(self, disk: Disk, files: Sequence[Written]) -> None:
        """Take the disk, and the files."""
        self.files: Sequence[Written] = files
        self._steps = [PutStep(disk, each.path, each.content) for each in files]

    def prepare(self) -> Sequence[Entry]:
        """See Work."""
        for step in self._steps:
            try:
                step.prepare()
            except OSError as error:
                raise CannotWrite(step.path, error) from error
            finally:
                step.close()
        return self.files

    def take_effect(self) -> None:
        """See Work."""
        for step in self._steps:
            try:
                take_effect(step)
            except OSError as error:
                raise CannotWrite(step.path, error) from error

    def end(self) -> None:
        """Remove what is left of files that did not take effect."""
        for step in self._steps:
            step.end()


class _Effective(Protocol):
    def take_effect(self) -> None: ...

    def take_effect_anew(self) -> None: ...


def take_effect(step: _Effective) -> None:
    """Have a step take effect, though somebody removes its folder meanwhile."""
    try:
        step.take_effect()
    except FileNotFoundError:
        step.take_effect_anew()


def make_together(
    files: JournalFiles,
    works: Sequence[Work],
    require: Callable[[], None] = lambda: None,
) -> Outcomes:
    """Make changes durably, which are written down together. Blocks.

    Args:
        files: The journal's files.
        works: The changes.
        require: Raises, when it is their turn, what they fail with if they are not to
            be made any more.

    Returns:
        What each failed with; None: it is made.
    """
    outcomes: Outcomes = []
    entries: list[Entry] = []
    for work in works:
        try:
            entries += work.prepare()
        except Exception as error:  # whatever it is, it is that work's
            outcomes.append(error)
        else:
            outcomes.append(None)
    good = [number for number, failed in enumerate(outcomes) if failed is None]
    if not good:
        return outcomes
    try:
        with files.turn():
            require()
            files.append(entries)
            for number in good:
                try:
                    works[number].take_effect()
                except Exception as error:
                    outcomes[number] = error
    except Exception as error:
        for number in good:
            outcomes[number] = outcomes[number] or error
    return outcomes
