"""Tests of txregistry.webhooks.retrying: when a delivery is tried again."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from txregistry.webhooks.retrying import LONGEST, Backoff


def backoff(
    threshold: int = 4, seconds: float = 8.0, longest: float = 60.0, chance: float = 0.0
) -> Backoff:
    """Return a backoff for which chance is fixed."""
    return Backoff(threshold, seconds, longest, lambda: chance)


class DelayTests(SynchronousTestCase):
    """The wait."""

    def test_schedule(self) -> None:
        """It doubles, is the backoff at the threshold, and no longer than it may be."""
        expected = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        delays = [backoff().delay(failures) for failures in range(1, 9)]
        self.assertEqual(expected, delays)

    def test_threshold_one(self) -> None:
        """With a threshold of 1 the first wait is the backoff."""
        self.assertEqual(8.0, backoff(threshold=1).delay(1))

    def test_chance(self) -> None:
        """Chance takes up to half of it away."""
        for chance, delay in ((0.0, 8.0), (0.5, 6.0), (1.0, 4.0)):
            self.assertEqual(delay, backoff(chance=chance).delay(4))

    def test_retry_after(self) -> None:
        """A receiver can make it longer, and not shorter."""
        for retry_after, delay in ((None, 8.0), (0.0, 8.0), (7.0, 8.0), (90.0, 90.0)):
            self.assertEqual(delay, backoff().delay(4, retry_after))

    def test_retry_after_chance(self) -> None:
        """What a receiver asks for is not left to chance."""
        self.assertEqual(90.0, backoff(chance=1.0).delay(4, 90.0))

    def test_retry_after_longest(self) -> None:
        """It cannot make it as long as it likes."""
        self.assertEqual(LONGEST, backoff().delay(1, 1e9))

    @generated
    @given(
        st.integers(1, 10**9),
        st.integers(1, 10**9),
        st.floats(0.001, 1e6),
        st.floats(0.001, 1e6),
    )
    def test_bounds(
        self, threshold: int, failures: int, seconds: float, longest: float
    ) -> None:
        """It is never longer than it may be, whatever the numbers."""
        waits = Backoff(threshold, seconds, longest, random.Random(0).random)
        delay = waits.delay(failures)
        self.assertTrue(0.0 <= delay <= longest)
