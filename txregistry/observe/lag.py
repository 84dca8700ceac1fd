"""Lag: by how much the reactor is late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_BETWEEN_LOOKS: Final = 0.25  # seconds


class LagWatch:
    """Asks the reactor to call it at a time, again and again, and sees when it does."""

    def __init__(self, observe: Callable[[float], None], clock: IReactorTime) -> None:
        """Take what is told by how many seconds a call was late, and the reactor."""
        self._observe = observe
        self._clock = clock
        self._due = 0.0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin."""
        self._due = self._clock.seconds() + _BETWEEN_LOOKS
        self._call = self._clock.callLater(_BETWEEN_LOOKS, self._look)

    def stop(self) -> None:
        """End."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _look(self) -> None:
        late = max(self._clock.seconds() - self._due, 0.0)
        self.start()  # first, so that it goes on whatever comes of telling
        self._observe(late)
