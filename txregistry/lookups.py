"""Lookups: how often a cache was asked, and what came of it. A leaf."""

from __future__ import annotations

from attrs import define


@define
class Lookups:
    """Counts of one cache, which adds to them; who shows them takes them away.

    Attributes:
        hits: How often it had what it was asked for.
        misses: How often it had not.
    """

    hits: int = 0
    misses: int = 0

    def take(self) -> tuple[int, int]:
        """Return hits and misses since the last time."""
        counted = self.hits, self.misses
        self.hits = self.misses = 0
        return counted
