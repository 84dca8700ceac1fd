"""Tallies: what is observed, noted down first, and many together shown in a metric."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from prometheus_client import Histogram


class HistogramTally:
    """Notes values, and puts them into a histogram when that is asked for.

    A histogram's own ``observe`` looks at its buckets one by one under a lock or two:
    at tens of thousands of values a second that is most of what they cost.
    """

    __slots__ = ("_bounds", "_counts", "_histogram", "_noted", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        """Take the histogram, that of given labels if it has any."""
        self._histogram = histogram
        self._bounds = histogram._upper_bounds
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        self._noted = False

    def note(self, value: float, times: int = 1) -> None:
        """Note a value that was observed once, or so many times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times
        self._noted = True

    def note_all(self, values: Sequence[float]) -> None:
        """Note many values: each bound is looked up among them, and not they among all.

        Most often the first bound or two are above all of them.
        """
        ordered, below = sorted(values), 0
        for index, bound in enumerate(self._bounds):
            if below == len(ordered):
                break
            upto = bisect_right(ordered, bound, below)
            self._counts[index] += upto - below
            below = upto
        self._sum += sum(values)
        self._noted = True

    def settle(self) -> None:
        """Show what was noted; the same as to observe each of the values."""
        if not self._noted:
            return
        self._noted = False
        # Not public, but alike in all versions: ``observe`` does just this.
        histogram = self._histogram
        for index, count in enumerate(self._counts):
            if count:
                histogram._buckets[index].inc(count)
                self._counts[index] = 0
        histogram._sum.inc(self._sum)
        self._sum = 0.0
