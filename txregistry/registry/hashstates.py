"""Hash states: how far the hash of an upload has come, kept between requests."""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IConsumer, IProducer
from zope.interface import implementer

from txregistry.interfaces import IStorageDriver, Note, PathNotFound
from txregistry.oci.digest import ALGORITHMS, CANONICAL
from txregistry.oci.hashing import ResumableHash
from txregistry.registry.changes import apply
from txregistry.registry.folders import children
from txregistry.registry.layout import UploadLayout
from txregistry.streams import pump

_LONGEST_OFFSET: Final = 20


class HashStates:
    """The states of an upload session's hash, in the Go registry's files and format.

    They may be missing or foreign; then the bytes are read again from where the last
    good one stands. Deleting them is always safe.
    """

    def __init__(self, driver: IStorageDriver, paths: UploadLayout) -> None:
        """Take the store, and the session's paths."""
        self._driver = driver
        self._paths = paths

    async def resume(self, offset: int, algorithm: str | None) -> ResumableHash:
        """Return the hash of the session's first bytes.

        Args:
            offset: How many bytes it has.
            algorithm: Which hash; None: the one that the session was begun for.
        """
        if algorithm is None:
            algorithm = await self._algorithm()
        if not offset:
            return ResumableHash(algorithm)
        running = await self._latest(algorithm, offset)
        if running.length < offset:
            source = await self._driver.open_reader(
                self._paths.data, running.length, offset - running.length
            )
            await pump(source, _HashSink(running))
        return running

    async def save(self, running: ResumableHash) -> None:
        """Keep a hash's state; one whose state cannot be had is not kept."""
        await apply(self._driver, self.saving(running))

    def saving(self, running: ResumableHash) -> list[Note]:
        """Return what keeps a hash's state, if it can be had."""
        state = running.state()
        if state is None:
            return []
        path = self._paths.hash_state(running.algorithm, running.length)
        return [Note(path, state)]

    async def _algorithm(self) -> str:
        for name in await children(self._driver, self._paths.hash_states):
            if name in ALGORITHMS and name != CANONICAL:
                return name
        return CANONICAL

    async def _latest(self, algorithm: str, offset: int) -> ResumableHash:
        names = await children(self._driver, f"{self._paths.hash_states}/{algorithm}")
        offsets = {int(name) for name in names if _is_offset(name)}
        for candidate in sorted(offsets, reverse=True):
            if 0 < candidate <= offset:
                restored = await self._restore(algorithm, candidate)
                if restored is not None:
                    return restored
        return ResumableHash(algorithm)

    async def _restore(self, algorithm: str, offset: int) -> ResumableHash | None:
        try:
            path = self._paths.hash_state(algorithm, offset)
            state = await self._driver.get_content(path)
            running = ResumableHash.restore(algorithm, state)
        except (PathNotFound, ValueError):
            return None
        return running if running.length == offset else None


def _is_offset(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= _LONGEST_OFFSET


@implementer(IConsumer)
class _HashSink:
    """A sink that only hashes."""

    def __init__(self, running: ResumableHash) -> None:
        self._running = running

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer."""

    def unregisterProducer(self) -> None:
        """See IConsumer."""

    def write(self, data: bytes) -> None:
        """See IConsumer."""
        self._running.update(data)
