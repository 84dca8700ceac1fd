"""Tests of txregistry.registry.secret."""

from __future__ import annotations

from tests.unit.registry.case import StoreCase
from txregistry.registry.layout import SECRET
from txregistry.registry.secret import shared_secret


class SecretTests(StoreCase):
    """What all processes on a store share."""

    def test_made_once(self) -> None:
        """The first process makes it, the others find it."""
        first = self.run_now(shared_secret(self.driver, lambda: "sesame"))
        other = self.run_now(shared_secret(self.driver, lambda: "other"))
        self.assertEqual((b"sesame", b"sesame"), (first, other))
        self.assertEqual([SECRET], self.paths())

    def test_hard_to_guess(self) -> None:
        """It is made of 32 bytes of chance."""
        first = self.run_now(shared_secret(self.driver))
        self.setUp()
        other = self.run_now(shared_secret(self.driver))
        self.assertNotEqual(first, other)
        self.assertEqual((64, 64), (len(first), len(other)))
