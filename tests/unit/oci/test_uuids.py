"""Tests of txregistry.oci.uuids."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.uuids import RandomUUIDs


class RandomTests(SynchronousTestCase):
    """Random UUIDs."""

    def test_form(self) -> None:
        """They are of version 4, and written as UUIDs are."""
        draw = RandomUUIDs()
        for text in [draw() for _ in range(600)]:
            parsed = UUID(text)
            self.assertEqual(text, str(parsed))
            self.assertEqual((4, RFC_4122), (parsed.version, parsed.variant))

    def test_different(self) -> None:
        """No two are the same."""
        draw, other = RandomUUIDs(), RandomUUIDs()
        self.assertEqual(
            1200, len({each() for each in (draw, other) for _ in range(600)})
        )
