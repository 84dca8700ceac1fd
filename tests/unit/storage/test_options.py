"""Options of drivers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces import InvalidOption
from txregistry.storage.options import refuse_unknown


class RefuseUnknownTests(SynchronousTestCase):
    """Options that a driver does not have."""

    def test_known(self) -> None:
        """Known options are let through, in any number."""
        refuse_unknown({}, {"a"})
        refuse_unknown({"a": 1}, {"a", "b"})

    def test_unknown(self) -> None:
        """An unknown option is named, with those that there are."""
        error = self.assertRaises(InvalidOption, refuse_unknown, {"c": 1}, {"b", "a"})
        self.assertEqual("c", error.key)
        self.assertEqual("c: unknown option; known are: a, b", str(error))

    def test_none_known(self) -> None:
        """Where there are no options at all, the error says so."""
        error = self.assertRaises(InvalidOption, refuse_unknown, {"c": 1}, ())
        self.assertEqual("unknown option; there are none", error.problem)
