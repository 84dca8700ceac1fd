"""Profiling: where the reactor's thread spends its time, for some seconds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from txregistry.observe.debug import Content, Page

_DEFAULT: Final = 10.0  # seconds
_LONGEST: Final = 300.0
_ROWS: Final = 100


class ProfilePages:
    """A profile of the CPU, on demand."""

    def __init__(self, clock: IReactorTime) -> None:
        """Take what gives time."""
        self._clock = clock
        self._running = False

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        title = "profile of the CPU for ?seconds=N (slows it down)"
        return [Page("/debug/profile", self._show, title)]

    async def _show(self, parameters: dict[str, str]) -> Content:
        try:
            seconds = float(parameters.get("seconds", _DEFAULT))
        except ValueError:
            return Content(b"seconds must be a number\n", status=400)
        if not 0 < seconds <= _LONGEST:
            text = f"seconds must be from 0 to {_LONGEST:g}\n"
            return Content(text.encode(), status=400)
        if self._running:
            return Content(b"a profile is being made already\n", status=409)
        return Content(await self._profile(seconds))

    async def _profile(self, seconds: float) -> bytes:
        # Not before somebody asks, who is in no hurry.
        import cProfile
        import pstats

        profile = cProfile.Profile()
        self._running = True
        profile.enable()
        try:
            await deferLater(self._clock, seconds)
        finally:
            profile.disable()
            self._running = False
        text = io.StringIO()
        stats = pstats.Stats(profile, stream=text)
        stats.sort_stats("cumulative").print_stats(_ROWS)
        stats.sort_stats("tottime").print_stats(_ROWS)
        return text.getvalue().encode()
