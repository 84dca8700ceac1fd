"""Tests of scalars."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.scalars import resolve


class ScalarTests(SynchronousTestCase):
    """``resolve``."""

    def test_types(self) -> None:
        """Nulls, booleans and numbers are taken for what YAML takes them for."""
        for texts, value in (
            (("", "~", "null", "Null", "NULL"), None),
            (("true", "True", "TRUE", "yes", "On"), True),
            (("false", "no", "NO", "off"), False),
            (("5", "+5", "0x5", "0b101", "0o5"), 5),
            (("1_000", "1000"), 1000),
            (("-7",), -7),
            (("0.5", ".5", "5.0e-1"), 0.5),
        ):
            for text in texts:
                self.assertEqual((text, type(value)), (text, type(resolve(text))))
                self.assertEqual(value, resolve(text), text)

    def test_text(self) -> None:
        """Everything else is text, also what only YAML 1.1 takes for a number."""
        for text in (
            *("x", "y", "n", "tRue", "1:30", "0123", "08", "1e3", ".", "-", "+", "1 2"),
            *("0x", "0b_", "0o9", ".inf", ".nan", "1.0e999", "2001-01-01", "\u0661"),
            *("9" * 30, "0." + "1" * 80, "=", "<<"),
        ):
            self.assertEqual(text, resolve(text))

    @given(st.integers(-(2**63), 2**64 - 1))
    def test_integers(self, number: int) -> None:
        """Every number of 64 bits is read."""
        self.assertEqual(number, resolve(str(number)))

    @given(st.text("0123456789_xob+-.eE", max_size=90))
    def test_any_text(self, text: str) -> None:
        """Any text has a value."""
        resolve(text)
