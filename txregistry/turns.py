"""Turns: long work in the reactor's thread that lets others in. A leaf."""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

LONGEST_TURN: Final = 0.005  # seconds


class Turns:
    """The turns of one coroutine that loops over much.

    What it awaits has often happened already, a small file's reading above all, and
    then an ``await`` does not let go of the reactor.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """Begin the first turn; take what measures them and gives the others theirs."""
        self._clock = clock
        self._since = clock.seconds()

    async def yield_if_due(self) -> None:
        """Let the reactor do everything else, if the turn has been long enough."""
        if self._clock.seconds() - self._since >= LONGEST_TURN:
            await deferLater(self._clock, 0)
            self._since = self._clock.seconds()
