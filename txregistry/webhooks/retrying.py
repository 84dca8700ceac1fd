"""Retrying: when a delivery that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

LONGEST: Final = 3600.0
"""Seconds that a receiver can make us wait by ``Retry-After``."""

_MOST_DOUBLINGS: Final = 64
_SHORTEST: Final = 1 / 1024  # of ``backoff``, whatever the threshold


@frozen
class Backoff:
    """How long to wait after failures.

    The wait doubles with each failure: it is short at first, ``backoff`` when
    ``threshold`` failures have come one after another, and ``longest`` at the most.
    Chance takes up to half of it away, so that many who failed together come apart.

    Attributes:
        threshold: After so many failures the wait is ``backoff``; 1 or more.
        backoff: Seconds.
        longest: Seconds.
        chance: Returns a number from 0 up to 1.
    """

    threshold: int
    backoff: float
    longest: float
    chance: Callable[[], float]

    def delay(self, failures: int, retry_after: float | None = None) -> float:
        """Return for how many seconds to wait.

        Args:
            failures: How many there have been one after another; 1 or more.
            retry_after: Seconds that the receiver asks for; None: it does not.
        """
        doublings = min(failures - self.threshold, _MOST_DOUBLINGS)
        wait = min(self.backoff * max(2.0**doublings, _SHORTEST), self.longest)
        wait *= 1 - self.chance() / 2
        return max(wait, min(retry_after or 0.0, LONGEST))
