"""Streams: moving bytes from a source to a sink with backpressure.

A source is an ``IBodyProducer`` (exact ``length``; pause, resume, stop), a sink is an
``IConsumer``: Twisted's own nouns. A leaf: imports Twisted and what
that stands on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen
from twisted.internet.interfaces import IConsumer, IProducer
from twisted.web.iweb import IBodyProducer
from zope.interface import Attribute, Interface, implementer

Piece: TypeAlias = bytes | memoryview
"""Bytes, or a writable view of some that change when whoever takes it returns."""

Watch: TypeAlias = Callable[[Piece], object]
"""Sees a piece that a sink gets."""


class IThreadSink(Interface):
    """A sink as a thread sees it that gives it pieces, while nobody else does.

    A source asks a consumer for it: ``IThreadSink(consumer, None)``; None: only the
    reactor's thread may write to that one.
    """

    watchers = Attribute(
        "What is to see each piece, in order, in one thread; beside the writing or "
        "behind it (Sequence[Watch])."
    )

    def write_pieces(pieces: Sequence[Piece]) -> None:  # noqa: N805 - zope's
        """Take pieces. Blocks; not for two threads at a time.

        Raises:
            Exception: What ``write`` of the consumer raises.
        """


async def pump(source: IBodyProducer, sink: IConsumer) -> None:
    """Move everything that a source has into a sink.

    Args:
        source: Where the bytes come from. If the caller is cancelled, it is stopped.
        sink: Where they go. It may pause the source. An exception that its ``write``
            raises stops the source and comes out here.

    Raises:
        Exception: Whatever the source or the sink failed with.
    """
    sink.registerProducer(source, True)
    try:
        await source.startProducing(sink)
    finally:
        sink.unregisterProducer()


@implementer(IConsumer)
class Tee:
    """A sink that shows to watchers each piece that another sink has got.

    It is an ``IThreadSink`` if the other one is.
    """

    def __init__(self, sink: IConsumer, watchers: Sequence[Watch]) -> None:
        """Take the sink and the watchers (a hash's ``update``, a counter …)."""
        self._sink = sink
        self._watchers = watchers

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""
        self._sink.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See IConsumer."""
        self._sink.unregisterProducer()

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        self._sink.write(data)
        for watch in self._watchers:
            watch(data)

    def __conform__(self, interface: object) -> object:
        """See zope.interface: say what it is besides."""
        if interface is not IThreadSink:
            return None
        sink = IThreadSink(self._sink, None)
        if sink is None:
            return None
        return _ThreadTee(sink.write_pieces, [*sink.watchers, *self._watchers])


@implementer(IThreadSink)
@frozen
class _ThreadTee:
    """A Tee as threads see it."""

    write_pieces: Callable[[Sequence[Piece]], None]
    watchers: Sequence[Watch]


@implementer(IConsumer)
class Collector:
    """A sink that keeps a small content in memory."""

    def __init__(self, limit: int) -> None:
        """Take the most bytes that it may hold."""
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def content(self) -> bytes:
        """Return what came so far."""
        return b"".join(self._pieces)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer. It never pauses: what it holds is bounded."""

    def unregisterProducer(self) -> None:
        """See IConsumer."""

    def write(self, data: bytes) -> None:
        """See IConsumer.

        Raises:
            TooLong: There is more than the limit.
        """
        self._size += len(data)
        if self._size > self._limit:
            raise TooLong(self._limit)
        self._pieces.append(data)


class TooLong(Exception):
    """A source held more than a sink takes.

    Attributes:
        limit: The most that it takes, in bytes.
    """

    def __init__(self, limit: int) -> None:
        """Name the limit, in bytes."""
        super().__init__(f"more than {limit} bytes")
        self.limit = limit
