"""Gathering: what has to be asked for before the metrics are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.deferreds import shielded

_log = Logger()

_PATIENCE: Final = 2.0  # seconds

Gather = Callable[[], Awaitable[None]]
"""Brings up to date, before the metrics are shown, what has to be asked for."""


class Gatherer:
    """Gathers, and puts up with it that nothing comes of it: the last values stay."""

    def __init__(self, gather: Gather, clock: IReactorTime) -> None:
        """Take what gathers, and time."""
        self._gather = gather
        self._clock = clock
        self._is_running = False
        self._works = True

    async def run(self) -> None:
        """Gather, for two seconds at the most; not while it still hangs."""
        if self._is_running:
            return
        running = Deferred.fromCoroutine(self._run())
        try:
            await shielded(running).addTimeout(_PATIENCE, self._clock)
        except CancelledError:
            raise  # the client has left
        except Exception as error:  # whatever it is, the others are to be shown
            if self._works:
                self._works = False
                text = "some metrics are not up to date: {error}"
                _log.error(text, error=repr(error))
        else:
            self._works = True

    async def _run(self) -> None:
        self._is_running = True
        try:
            await self._gather()
        finally:
            self._is_running = False
