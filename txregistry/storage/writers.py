"""Writers: which calls to a writer are in order, the same for all drivers."""

from __future__ import annotations

from twisted.internet.interfaces import IProducer

from txregistry.interfaces import StorageError


class WriterState:
    """The half of an IFileWriter that does not depend on where bytes go.

    Sources push (see ``txregistry.streams``), so a pull producer is refused.
    """

    def __init__(self, path: str, driver: str) -> None:
        """Take the file's path and the driver's name, for errors."""
        self._name = f"{driver}: the writer of {path}"
        self._ended = False
        self._broken = False
        self._producer: IProducer | None = None

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer.

        Raises:
            RuntimeError: Another one is registered.
            ValueError: It does not push.
        """
        if self._producer is not None:
            raise RuntimeError(f"{self._name} has a producer already")
        if not streaming:
            raise ValueError(f"{self._name} takes push producers only")
        self._producer = producer

    def unregisterProducer(self) -> None:
        """See IConsumer."""
        self._producer = None

    def _require_usable(self) -> None:
        """Refuse a write or a commit that is out of order.

        Raises:
            StorageError: The writer has ended, or a write failed before.
        """
        if self._ended:
            raise StorageError(f"{self._name} has ended")
        if self._broken:
            raise StorageError(f"{self._name} failed before")

    def _end(self) -> bool:
        """End the writer; say whether it had not ended before."""
        first, self._ended = not self._ended, True
        return first
