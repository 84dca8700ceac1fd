"""Tests of durations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.durations import (
    format_duration,
    from_nanoseconds,
    parse_duration,
)

NANOSECONDS = st.integers(-(2**63) + 1, 2**63 - 1)


class DurationTests(SynchronousTestCase):
    """``parse_duration`` and ``format_duration``."""

    def test_read(self) -> None:
        """Go's syntax is read, with every unit, fractions and a sign."""
        for text, seconds in (
            ("0", 0.0),
            ("0s", 0.0),
            ("10s", 10.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            (".5s", 0.5),
            ("5.s", 5.0),
            ("300ms", 0.3),
            ("7us", 7e-6),
            ("7\u00b5s", 7e-6),
            ("7\u03bcs", 7e-6),
            ("9ns", 9e-9),
            ("-2s", -2.0),
            ("+2s", 2.0),
            ("1h1m1s1ms1us1ns", 3661.001001001),
            ("2562047h", 2562047 * 3600.0),
        ):
            self.assertEqual(seconds, parse_duration(text), text)

    def test_refused(self) -> None:
        """What Go does not take, or could not count, is refused."""
        for text in (
            *("", " ", "s", "1", "-", "+-1s", "1 s", "1d", ".s", "1s ", "1S", "--1s"),
            *("1.2.3s", "\u0661s", "1e3s", "2562048h", "9" * 50 + "s", "1s" * 200),
        ):
            self.assertRaises(ValueError, parse_duration, text)

    @given(st.integers(-(10**15), 10**15))
    def test_round_trip(self, count: int) -> None:
        """What is written reads back as the same number of seconds."""
        duration = from_nanoseconds(count)
        self.assertEqual(duration, parse_duration(format_duration(duration)))

    @given(st.text("0123456789.hmsnuµ-+ ", max_size=30) | st.text(max_size=20))
    def test_any_text(self, text: str) -> None:
        """Any text is a number of seconds or a ValueError."""
        try:
            duration = parse_duration(text)
        except ValueError:
            return
        self.assertIsInstance(duration, float)

    def test_largest_unit(self) -> None:
        """A duration is written in the largest unit that fits."""
        for seconds, text in (
            (0.0, "0s"),
            (30.0, "30s"),
            (90.0, "90s"),
            (3600.0, "1h"),
            (0.25, "250ms"),
            (-60.0, "-1m"),
            (3e-9, "3ns"),
        ):
            self.assertEqual(text, format_duration(seconds))
