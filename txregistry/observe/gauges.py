"""Gauges: what is asked for when the metrics are shown, and not counted before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from http.client import responses
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class NotificationGauges(Collector):
    """How the endpoints of notifications stand."""

    def __init__(
        self, states: Callable[[], Deferred[Any]], clock: IReactorTime
    ) -> None:
        """Prepare.

        Args:
            states: Returns a ``txregistry.webhooks.notifications.EndpointState`` for
                each.
            clock: Gives time.
        """
        self._states = states
        self._clock = clock
        self._last: Sequence[Any] = ()

    async def gather(self) -> None:
        """See Gather."""
        self._last = await self._states()

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        prefix, label = "registry_notifications", ["endpoint"]
        events = CounterMetricFamily(
            f"{prefix}_events",
            "Events for an endpoint, by what became of them.",
            labels=["type", "endpoint"],
        )
        # The Go registry has this name for what is no counter; untyped it passes.
        pending = UnknownMetricFamily(
            f"{prefix}_pending_total", "Events that wait.", labels=label
        )
        oldest = GaugeMetricFamily(
            f"{prefix}_oldest_seconds", "Age of the oldest that waits.", labels=label
        )
        dead = GaugeMetricFamily(
            f"{prefix}_dead", "Events that an endpoint would not take.", labels=label
        )
        status = CounterMetricFamily(
            f"{prefix}_status", "Answers by status.", labels=["code", "endpoint"]
        )
        now = self._clock.seconds()
        for state in self._last:
            tally = state.tally
            total = tally.delivered + tally.waiting + tally.dead + tally.dropped
            for kind, count in (
                ("Events", total),
                ("Successes", tally.delivered),
                ("Failures", tally.failures),
                ("Errors", state.errors),
                ("Dropped", tally.dropped),
            ):
                events.add_metric([kind, tally.name], count)
            pending.add_metric([tally.name], tally.waiting)
            age = 0.0 if tally.oldest is None else max(now - tally.oldest, 0.0)
            oldest.add_metric([tally.name], age)
            dead.add_metric([tally.name], tally.dead)
            for code, count in state.statuses.items():
                text = f"{code} {responses.get(code, '')}".strip()
                status.add_metric([text, tally.name], count)
        yield from (events, pending, oldest, dead, status)


class ProcessGauges(Collector):
    """What the process knows of itself."""

    def __init__(
        self,
        version: str,
        reactor: Any,
        certificate_days: Callable[[], float] | None,
    ) -> None:
        """Prepare.

        Args:
            version: The registry's.
            reactor: Has the thread pool.
            certificate_days: Returns for how many days the certificate is good; None:
                there is none.
        """
        self._version = version
        self._reactor = reactor
        self._certificate_days = certificate_days

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        build = GaugeMetricFamily(
            "registry_build_info", "Always 1.", labels=["version"]
        )
        build.add_metric([self._version], 1)
        yield build
        threads = GaugeMetricFamily(
            "registry_threads",
            "Threads of the pool, and work that waits for one.",
            labels=["state"],
        )
        pool = self._reactor.getThreadPool()
        threads.add_metric(["working"], len(pool.working))
        threads.add_metric(["idle"], len(pool.waiters))
        threads.add_metric(["queued"], pool._queue.qsize())
        yield threads
        if self._certificate_days is not None:
            yield GaugeMetricFamily(
                "registry_tls_certificate_expiry_seconds",
                "For how long the certificate is still good; negative: no more.",
                self._certificate_days() * 86400,
            )


class HealthGauges(Collector):
    """Whether the registry can do its work."""

    def __init__(self, failures: Callable[[], Sized]) -> None:
        """Take what returns the checks that fail."""
        self._failures = failures

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        yield GaugeMetricFamily(
            "registry_health_checks_failing",
            "Checks of health that fail.",
            len(self._failures()),
        )
