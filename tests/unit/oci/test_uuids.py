"""Tests of txregistry.oci.uuids."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.uuids import random_uuid


class RandomTests(SynchronousTestCase):
    """Random UUIDs."""

    def test_form(self) -> None:
        """They are of version 4, and written as UUIDs are."""
        for _ in range(100):
            text = random_uuid()
            parsed = UUID(text)
            self.assertEqual(text, str(parsed))
            self.assertEqual((4, RFC_4122), (parsed.version, parsed.variant))

    def test_different(self) -> None:
        """No two are the same."""
        self.assertEqual(100, len({random_uuid() for _ in range(100)}))
