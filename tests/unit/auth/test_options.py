"""Tests of txregistry.auth.options."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.options import Options
from txregistry.interfaces import InvalidOption


class OptionsTests(SynchronousTestCase):
    """``Options``."""

    def refused(self, read: Callable[[Options], object], value: object) -> str:
        """Return the problem with a value of the option ``a``."""
        error = self.assertRaises(InvalidOption, read, Options({"a": value}))
        self.assertEqual("a", error.key)
        return str(error.problem)

    def test_text(self) -> None:
        """A text is what it is; if it is not given, its default."""
        self.assertEqual("x", Options({"a": "x"}).text("a"))
        self.assertEqual("y", Options({}).text("a", "y"))
        self.assertEqual("y", Options({"a": None}).text("a", "y"))

    def test_no_text(self) -> None:
        """Anything else is refused."""
        for value in ("", 5, ["x"], True, "x\0"):
            problem = self.refused(lambda options: options.text("a"), value)
            self.assertEqual("has to be a text", problem)
        problem = self.refused(lambda options: options.text("a"), None)
        self.assertEqual("is missing", problem)

    def test_text_or_none(self) -> None:
        """A text may be none, but not empty."""
        self.assertEqual("x", Options({"a": "x"}).text_or_none("a"))
        self.assertIsNone(Options({}).text_or_none("a"))
        self.refused(lambda options: options.text_or_none("a"), "")

    def test_flag(self) -> None:
        """A truth value may come as a word, from the environment."""
        values = (True, "true", "Yes", False, "FALSE", "no")
        read = [Options({"a": value}).flag("a", True) for value in values]
        self.assertEqual([True, True, True, False, False, False], read)
        self.assertFalse(Options({}).flag("a", False))

    def test_no_flag(self) -> None:
        """Anything else is none."""
        values: list[object] = ["", "maybe", 1, []]
        for value in values:
            self.refused(lambda options: options.flag("a", True), value)

    def test_seconds(self) -> None:
        """Seconds are a number, or a text of one."""
        read = [Options({"a": value}).seconds("a", 1) for value in (0, 2.5, "7", None)]
        self.assertEqual([0, 2.5, 7, 1], read)

    def test_no_seconds(self) -> None:
        """Anything else is none."""
        values: list[object] = [-1, "x", "inf", "nan", True, [], 10**400]
        for value in values:
            self.refused(lambda options: options.seconds("a", 1), value)

    def test_others(self) -> None:
        """What nobody reads is refused, and what there is is named."""
        options = Options({"a": "x", "b": "y"})
        options.text("a")
        options.text_or_none("c")
        error = self.assertRaises(InvalidOption, options.refuse_others)
        self.assertEqual("b: unknown option; known are: a, c", str(error))
        options.text("b")
        options.refuse_others()
