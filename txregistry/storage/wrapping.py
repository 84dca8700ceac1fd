"""Wrapping: what writers have in common that do what another one does."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer, IProducer

from txregistry.interfaces import IFileWriter
from txregistry.streams import IThreadSink


class WrappingWriter:
    """Hands on to another writer what does not end anything."""

    def __init__(self, writer: IFileWriter) -> None:
        """Take the other writer."""
        self._writer = writer

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
        consumer: IConsumer = self._writer
        sink = IThreadSink(consumer, None)
        return None if sink is None else self._in_threads(sink)

    def _in_threads(self, sink: IThreadSink) -> IThreadSink:
        """Return it as threads see it, given the other one as they see that."""
        return sink
