"""Cache metrics: how often what is kept was asked for, and was there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from txregistry.lookups import Lookups

if TYPE_CHECKING:
    from txregistry.observe.metrics import Metrics

CONTENT: Final = "content"
LOGINS: Final = "logins"


class CacheMetrics:
    """Shows the lookups of caches, some of them by the Go registry's names, too.

    Those caches count as its does that keep what is in the store; others are ours.
    """

    def __init__(self, metrics: Metrics, caches: Mapping[str, Lookups]) -> None:
        """Take the instruments, and the lookups of each cache by its name."""
        self._metrics = metrics
        self._caches = caches
        metrics.settling(self._settle)

    def _settle(self) -> None:
        for name, lookups in self._caches.items():
            hits, misses = lookups.take()
            if hits:
                self._metrics.cached.labels(name, "hit").inc(hits)
            if misses:
                self._metrics.cached.labels(name, "miss").inc(misses)
            if name == CONTENT and (hits or misses):
                self._count_as_go(hits, misses)

    def _count_as_go(self, hits: int, misses: int) -> None:
        metrics = self._metrics
        for kind, count in (
            ("Request", hits + misses),
            ("Hit", hits),
            ("Miss", misses),
        ):
            metrics.store_cached.labels(kind).inc(count)
        metrics.store_cache_requests.inc(hits + misses)
        metrics.store_cache_hits.inc(hits)
