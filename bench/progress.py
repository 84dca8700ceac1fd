"""Progress: how far a run is, and how long it will take still. Pure."""

from __future__ import annotations

from statistics import fmean


class Progress:
    """How far rounds of the same steps are."""

    def __init__(self, steps: int, rounds: int, now: float) -> None:
        """Begin.

        Args:
            steps: How many steps a round has.
            rounds: How many rounds there are.
            now: What time it is, in seconds.
        """
        self._steps = steps
        self._rounds = rounds
        self._began = self._since = now
        self._done = 0
        self._took: dict[int, float] = {}  # by a step's place in the round

    def done(self, now: float) -> None:
        """Take note that a step is done."""
        self._took[self._done % self._steps] = now - self._since
        self._since = now
        self._done += 1

    def left(self) -> float | None:
        """Return how many seconds what is left will take.

        A step takes as long as in the round before, and in the first round as long as
        others did. None: nothing is done yet.
        """
        if not self._took:
            return None
        usual = fmean(self._took.values())
        coming = range(self._done, self._steps * self._rounds)
        return sum(self._took.get(step % self._steps, usual) for step in coming)

    def line(self, now: float) -> str:
        """Say it in few words, always of the same width up to a thousand minutes."""
        spent, left = (now - self._began) / 60, self.left()
        coming = "   ?" if left is None else f"{left / 60:4.0f}"
        number = min(self._done // self._steps + 1, self._rounds)
        return f"{spent:5.1f} min, {coming} to go, round {number} of {self._rounds}"
