"""Tests of txregistry.observe.tallies."""

from __future__ import annotations

from random import Random

from prometheus_client import CollectorRegistry, Histogram
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.tallies import HistogramTally

BOUNDS = (0.5, 1.0, 2.5)


class HistogramTallyTests(SynchronousTestCase):
    """Tallies against what a histogram itself would have observed."""

    def setUp(self) -> None:
        """Make a histogram that observes, and one with a tally."""
        self.collectors = CollectorRegistry()
        self.plain, tallied = (
            Histogram(name, "seconds", buckets=BOUNDS, registry=self.collectors)
            for name in ("plain", "tallied")
        )
        self.tally = HistogramTally(tallied)

    def compare(self) -> None:
        """Require that both say the same."""
        self.tally.settle()
        shown = [
            [
                (sample.name.removeprefix(family.name), sample.labels, sample.value)
                for sample in family.samples
            ]
            for family in self.collectors.collect()
        ]
        self.assertEqual(*shown)

    def test_one_by_one(self) -> None:
        """Values that are noted one by one; a bound is in the bucket below it."""
        for value in (0.25, 0.5, 1.0, 2.0, 2.5, 99.0, 0.5):
            self.plain.observe(value)
            self.tally.note(value)
        self.compare()

    def test_times(self) -> None:
        """A value that was observed so many times."""
        for _ in range(3):
            self.plain.observe(1.0)
        self.tally.note(1.0, 3)
        self.compare()

    def test_together(self) -> None:
        """Values that are noted together, however many and in whatever order."""
        draw = Random(1)
        for count in (1, 2, 0, 7, 100):
            values = [
                draw.choice((0.25, 0.5, 1.0, 1.5, 2.5, 99.0)) for _ in range(count)
            ]
            for value in values:
                self.plain.observe(value)
            self.tally.note_all(values)
            self.compare()

    def test_nothing(self) -> None:
        """Nothing is shown twice."""
        self.plain.observe(0.25)
        self.tally.note_all([0.25])
        self.compare()
        self.compare()
