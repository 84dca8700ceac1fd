"""Brief: short work on a disk, done where it costs least.

Making a file, a folder or a name takes microseconds as long as the disk is at ease, and
handing that to a thread takes more. When it has once taken long, threads do it for a
while, so that the reactor goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from twisted.internet.interfaces import IReactorTime

from txregistry.threads import InThread, to_the_end

LONG: Final = 0.01  # seconds
WHILE: Final = 1.0  # seconds

_T = TypeVar("_T")


class Brief:
    """Does short work."""

    def __init__(self, clock: IReactorTime, in_thread: InThread) -> None:
        """Take time, and threads."""
        self._clock = clock
        self._in_thread = in_thread
        self._until = 0.0

    async def do(self, work: Callable[[], _T]) -> _T:
        """Do it to its end.

        Raises:
            Exception: What it fails with.
        """
        began = self._clock.seconds()
        if began < self._until:
            return await to_the_end(self._in_thread(work))
        try:
            return work()
        finally:
            now = self._clock.seconds()
            if now - began > LONG:
                self._until = now + WHILE
