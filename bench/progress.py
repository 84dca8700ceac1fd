"""Progress: how far a run is, and how long it will take still. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean


class Progress:
    """How far a run of steps is, most of which come again."""

    def __init__(self, steps: Sequence[str], now: float) -> None:
        """Begin.

        Args:
            steps: The names of all steps, in order.
            now: What time it is, in seconds.
        """
        self._steps = steps
        self._began = self._since = now
        self._done = 0
        self._took: dict[str, float] = {}

    def done(self, now: float) -> None:
        """Take note that a step is done."""
        self._took[self._steps[self._done]] = now - self._since
        self._since = now
        self._done += 1

    def left(self) -> float | None:
        """Return how many seconds what is left will take.

        A step takes as long as the last time, and the first time as long as others did.
        None: nothing is done yet.
        """
        if not self._took:
            return None
        usual = fmean(self._took.values())
        return sum(self._took.get(step, usual) for step in self._steps[self._done :])

    def line(self, now: float) -> str:
        """Say it in few words, always of the same width up to a thousand minutes."""
        spent, left = (now - self._began) / 60, self.left()
        coming = "   ?" if left is None else f"{left / 60:4.0f}"
        return f"{spent:5.1f} min, {coming} to go"
