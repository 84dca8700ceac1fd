"""Sources and sinks with which tests try others."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Final

from twisted.internet.interfaces import (
    IConsumer,
    IProducer,
    IPushProducer,
    IReactorTime,
)
from zope.interface import implementer

from txregistry.storage.sources import RangeSource

_PERIOD: Final = 1_000_003  # bytes; a prime, so that no chunk looks like another


class Pattern:
    """Content of any length that is known at every position and fits in no rhythm.

    Attributes:
        length: Its length in bytes.
    """

    def __init__(self, length: int, seed: int = 0) -> None:
        """Take the length in bytes; another seed makes another content."""
        self.length = length
        self._block = Random(seed).randbytes(_PERIOD)

    def piece(self, position: int, size: int) -> bytes:
        """Return up to so many bytes from a position on; none at the end."""
        start = position % _PERIOD
        return self._block[start : start + min(size, self.length - position)]

    def content(self, offset: int = 0, length: int | None = None) -> bytes:
        """Return all of it, or a range."""
        end = self.length if length is None else min(self.length, offset + length)
        pieces = list[bytes]()
        while offset < end:
            pieces.append(self.piece(offset, end - offset))
            offset += len(pieces[-1])
        return b"".join(pieces)

    def digest(self) -> str:
        """Return its SHA-256, in hex."""
        running = hashlib.sha256()
        position = 0
        while piece := self.piece(position, _PERIOD):
            running.update(piece)
            position += len(piece)
        return running.hexdigest()

    def source(self, clock: IReactorTime) -> RangeSource:
        """Return a source of it."""
        return RangeSource(clock, 0, self.length, self.piece, lambda: None)


@implementer(IConsumer)
class Digesting:
    """A sink that keeps a hash and a length of what it is given.

    Attributes:
        size: How many bytes came.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.size = 0
        self._running = hashlib.sha256()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""

    def unregisterProducer(self) -> None:
        """See IConsumer."""

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        self.size += len(data)
        self._running.update(data)

    def digest(self) -> str:
        """Return the SHA-256 of what came, in hex."""
        return self._running.hexdigest()


class Holding(Digesting):
    """A sink that pauses its source at each piece, until it is told to go on.

    Attributes:
        overrun: How many bytes came although the source was paused.
    """

    def __init__(self, source: IPushProducer) -> None:
        """Take the source."""
        super().__init__()
        self.overrun = 0
        self._source = source
        self._paused = False

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        super().write(data)
        if self._paused:
            self.overrun += len(data)
        self._paused = True
        self._source.pauseProducing()

    def go_on(self) -> None:
        """Resume the source."""
        self._paused = False
        self._source.resumeProducing()


class SinkBroke(Exception):
    """What ``Breaking`` raises."""


@implementer(IConsumer)
class Breaking:
    """A sink that fails at the first piece."""

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""

    def unregisterProducer(self) -> None:
        """See IConsumer."""

    def write(self, data: bytes) -> None:
        """See IConsumer.

        Raises:
            SinkBroke: Always.
        """
        raise SinkBroke
