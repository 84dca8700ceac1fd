"""Tests of txregistry.auth.remembering."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.remembering import Remembered


class RememberedTests(SynchronousTestCase):
    """``Remembered``."""

    def setUp(self) -> None:
        """Make a memory of 60 seconds and three credentials."""
        self.clock = Clock()
        self.remembered = Remembered(self.clock, 60, 3)

    def test_unknown(self) -> None:
        """What was never found good is not remembered."""
        self.assertNotIn(self.remembered.mark(b"a"), self.remembered)

    def test_lifetime(self) -> None:
        """Credentials are remembered for their time and no longer."""
        mark = self.remembered.mark(b"a")
        self.remembered.add(mark)
        self.clock.advance(59.9)
        self.assertIn(mark, self.remembered)
        self.clock.advance(0.1)
        self.assertNotIn(mark, self.remembered)

    def test_use(self) -> None:
        """To use credentials does not make them last longer; to verify them does."""
        mark = self.remembered.mark(b"a")
        self.remembered.add(mark)
        self.clock.advance(50)
        self.assertIn(mark, self.remembered)
        self.remembered.add(mark)
        self.clock.advance(50)
        self.assertIn(mark, self.remembered)

    def test_most(self) -> None:
        """When there are too many, the oldest are forgotten."""
        marks = [self.remembered.mark(b"%d" % number) for number in range(4)]
        for mark in marks[:3]:
            self.remembered.add(mark)
        self.remembered.add(marks[0])
        self.remembered.add(marks[3])
        self.assertEqual(
            [True, False, True, True], [mark in self.remembered for mark in marks]
        )

    def test_never(self) -> None:
        """With no lifetime nothing is remembered."""
        remembered = Remembered(self.clock, 0)
        mark = remembered.mark(b"a")
        remembered.add(mark)
        self.assertNotIn(mark, remembered)

    def test_mark(self) -> None:
        """A mark is the same for the same parts, and for no others."""
        mark = self.remembered.mark
        self.assertEqual(mark(b"a", b"b"), mark(b"a", b"b"))
        others = {mark(b"ab"), mark(b"a", b"b"), mark(b"", b"ab"), mark(b"1:a1:b")}
        self.assertEqual(4, len(others))

    def test_key(self) -> None:
        """Another process has other marks."""
        other = Remembered(self.clock)
        self.assertNotEqual(other.mark(b"a"), self.remembered.mark(b"a"))
