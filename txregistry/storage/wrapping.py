"""Wrapping: what drivers and writers have in common that do what others do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from attrs import evolve
from twisted.internet.interfaces import IProducer
from zope.interface import alsoProvides

from txregistry.interfaces import (
    Begin,
    Change,
    IBatchDriver,
    IFileWriter,
    IStorageDriver,
    Note,
    Publish,
    Put,
    Remove,
    Together,
    Vanish,
    groups_of,
)
from txregistry.streams import IThreadSink

_ACTIONS: Final[dict[type[Change], str]] = {
    Put: "PutContent",
    Note: "Note",
    Publish: "Commit",
    Remove: "Delete",
    Begin: "Note",
    Vanish: "Delete",
}


def adopt_batches(driver: IStorageDriver, inner: IStorageDriver) -> IBatchDriver | None:
    """Let a driver be an IBatchDriver if the one inside is.

    Args:
        driver: Has a method ``apply``.
        inner: What does the work.

    Returns:
        The one inside; None: it is none.
    """
    if not IBatchDriver.providedBy(inner):
        return None
    alsoProvides(driver, IBatchDriver)
    return IBatchDriver(inner)


def flat(changes: Sequence[Change | Together]) -> list[Change]:
    """Return changes one by one."""
    return list(chain.from_iterable(groups_of(changes)))


def action_of(changes: Sequence[Change | Together]) -> str:
    """Name what several changes are; the Go registry, whose names these are, has none.

    Those of one kind are called as one of them is, any others ``Batch``.
    """
    actions = {_ACTIONS[type(change)] for change in flat(changes)}
    return actions.pop() if len(actions) == 1 else "Batch"


def unwrapped(changes: Sequence[Change | Together]) -> list[Change | Together]:
    """Return changes as the driver inside knows them: with its own writers."""
    return [
        Together([_unwrapped(each) for each in change.changes])
        if isinstance(change, Together)
        else _unwrapped(change)
        for change in changes
    ]


def _unwrapped(change: Change) -> Change:
    if not isinstance(change, Publish):
        return change
    wrapped = getattr(change.writer, "wrapped", None)
    return change if wrapped is None else evolve(change, writer=wrapped)


class WrappingWriter:
    """Hands on to another writer what does not end anything."""

    def __init__(self, writer: IFileWriter) -> None:
        """Take the other writer."""
        self._writer = writer

    @property
    def wrapped(self) -> IFileWriter:
        """The other writer."""
        return self._writer

    @property
    def size(self) -> Any:
        """See IFileWriter."""
        return self._writer.size

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""
        self._writer.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See IConsumer."""
        self._writer.unregisterProducer()

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        self._writer.write(data)

    def __conform__(self, interface: object) -> object:
        """See zope.interface: threads may write to it as they may to the other."""
        if interface is not IThreadSink:
            return None
        sink = IThreadSink(self._writer, None)
        if sink is None:
            return None
        return self._in_threads(sink)

    def _in_threads(self, sink: IThreadSink) -> IThreadSink:
        """Return it as threads see it, given the other one as they see that."""
        return sink
