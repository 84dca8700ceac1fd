"""Upload gauges: how many upload sessions there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.registry.sessions import Census

_log = Logger()

INTERVAL: Final = 60.0  # seconds from one step of the census to the next


class UploadGauges(Collector):
    """How many sessions there are, by a census that goes on while somebody asks.

    Who asks gets what is known, and waits for nothing.
    """

    def __init__(self, census: Census, clock: IReactorTime) -> None:
        """Take what counts, and time."""
        self._census = census
        self._clock = clock
        self._next = 0.0
        self._running: Deferred[None] | None = None
        self._works = True

    async def gather(self) -> None:
        """See Gather."""
        now = self._clock.seconds()
        if self._running is None and now >= self._next:
            self._next = now + INTERVAL
            running = self._running = Deferred.fromCoroutine(self._census.step())
            running.addBoth(self._end)

    def stop(self) -> None:
        """Go on no more."""
        if self._running is not None:
            self._running.cancel()

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        sessions = GaugeMetricFamily(
            "registry_upload_sessions",
            "Upload sessions in the store that have begun and not ended; abandoned:"
            " nothing was written for an hour.",
            labels=["state"],
        )
        count = self._census.count
        if count is not None:
            sessions.add_metric(["active"], count.active)
            sessions.add_metric(["abandoned"], count.abandoned)
        yield sessions

    def _end(self, result: Any) -> None:
        self._running = None
        if result is None:
            self._works = True
        elif not result.check(CancelledError) and self._works:
            self._works = False
            text = "upload sessions cannot be counted: {error}"
            _log.error(text, error=repr(result.value))
