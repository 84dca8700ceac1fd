"""Tests of the metrics: what is counted, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.lookups import Lookups
from txregistry.observe.cache_metrics import CONTENT, LOGINS, CacheMetrics
from txregistry.observe.gauges import HealthGauges, NotificationGauges, ProcessGauges
from txregistry.observe.lag import LagWatch
from txregistry.observe.metrics import Metrics, MetricsPages
from txregistry.observe.request_metrics import (
    ContentMetrics,
    RequestMetrics,
    StorageMetrics,
)
from txregistry.observing import Observing
from txregistry.oci.digest import Digest
from txregistry.oci.events import Activity, blob_activity
from txregistry.oci.names import Name, Tag
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.witness import CountingWitness, SilentWitness
from txregistry.webhooks.ledger import Tally
from txregistry.webhooks.notifications import EndpointState

DIGEST = Digest.of(b"")
PULL = Exchange(
    id="an id",
    began=0.0,
    seconds=0.02,
    address="192.0.2.7",
    user=None,
    method="GET",
    uri="/v2/a/manifests/b",
    protocol="HTTP/1.1",
    referer=None,
    agent=None,
    route="manifest",
    repository="a",
    reference="b",
    status=200,
    received=0,
    sent=500,
)


def _is_compared(line: str) -> bool:
    """Say whether a metric's line is about requests that have ended."""
    prefixes = ("registry_http_in_flight", "process_", "#")
    return not line.startswith(prefixes)


class MetricsCase(SynchronousTestCase):
    """Metrics, and what they show."""

    def setUp(self) -> None:
        """Make the instruments."""
        self.clock = Clock()
        self.metrics = Metrics(self.clock)

    def value(self, name: str, **labels: str) -> float | None:
        """Return what a metric shows; None: nothing with these labels."""
        text = self.successResultOf(Deferred.fromCoroutine(self.metrics.text()))
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return None


class RequestTests(MetricsCase):
    """Requests."""

    def setUp(self) -> None:
        """Watch requests."""
        super().setUp()
        self.watcher = RequestMetrics(self.metrics)

    def end(self, **changes: Any) -> None:
        """Begin and end a request that is a pull of a manifest but for some changes."""
        exchange = evolve(PULL, **changes)
        if exchange.route:
            self.watcher.began(exchange.route, exchange.method)
        self.watcher.ended(exchange)

    def outcome(self, **changes: Any) -> dict[str, float]:
        """End a request; return which outcomes of uploads are counted then."""
        self.metrics = Metrics(self.clock)
        self.watcher = RequestMetrics(self.metrics)
        self.end(**changes)
        outcomes = ("started", "completed", "cancelled", "failed", "abandoned")
        found = {
            each: self.value("registry_uploads_total", outcome=each)
            for each in outcomes
        }
        return {name: count for name, count in found.items() if count is not None}

    def test_interface(self) -> None:
        """It is what a site tells of requests."""
        verifyObject(IRequestWatcher, self.watcher)

    def test_counted(self) -> None:
        """They are counted by handler, code and method, as the Go registry does."""
        self.end()
        self.end()
        self.end(status=404)
        name = "registry_http_requests_total"
        good = {"handler": "manifest", "code": "200", "method": "get"}
        self.assertEqual(2.0, self.value(name, **good))
        self.assertEqual(1.0, self.value(name, **good | {"code": "404"}))

    def test_alike(self) -> None:
        """Requests that are alike count as each of them would."""
        likes = (
            evolve(PULL, user="alice", received=3),
            evolve(PULL, sent=1024, status=404, method="BREW"),
            evolve(PULL, status=401, route=""),
            evolve(PULL, status=202, route="blob_upload", method="POST"),
        )
        hits = [Hit("an id", 0.0, seconds, "a") for seconds in (0.004, 0.005, 0.03, 99)]
        shown = []
        for together in (False, True):
            metrics = Metrics(self.clock)
            watcher = RequestMetrics(metrics)
            for like in likes:
                if together:
                    watcher.ended_alike(like, hits)
                    watcher.ended_alike(like, [])
                    continue
                for hit in hits:
                    watcher.began(like.route, like.method)
                    watcher.ended(evolve(like, **hit._asdict()))
            text = self.successResultOf(Deferred.fromCoroutine(metrics.text()))
            lines = text.decode().splitlines()
            # Only what has begun is in flight, and its gauge made.
            shown.append([each for each in lines if _is_compared(each)])
        self.assertEqual(*shown)
        self.assertIn(
            'registry_http_requests_total{code="404",handler="manifest",method="other"}'
            " 4.0",
            shown[1],
        )

    def test_timed(self) -> None:
        """Their times fall into buckets."""
        self.end()
        name = "registry_http_request_duration_seconds_bucket"
        labels = {"handler": "manifest", "method": "get"}
        self.assertEqual(0.0, self.value(name, le="0.01", **labels))
        self.assertEqual(1.0, self.value(name, le="0.025", **labels))

    def test_bytes(self) -> None:
        """What came in and went out is summed up."""
        self.end(received=7)
        self.end(received=8)
        of = {"handler": "manifest"}
        self.assertEqual(15.0, self.value("registry_http_request_size_bytes_sum", **of))
        self.assertEqual(
            1000.0, self.value("registry_http_response_size_bytes_sum", **of)
        )

    def test_in_flight(self) -> None:
        """Those that run are a gauge."""
        name = "registry_http_in_flight_requests"
        self.watcher.began("blob", "GET")
        self.assertEqual(1.0, self.value(name, handler="blob"))
        self.watcher.ended(evolve(PULL, route="blob"))
        self.assertEqual(0.0, self.value(name, handler="blob"))

    def test_in_flight_at_once(self) -> None:
        """One that has ended before others are counted is not among those that run."""
        read = self.metrics.collectors.get_sample_value
        for _ in range(3):
            self.watcher.began("blob", "GET")
            self.watcher.ended(evolve(PULL, route="blob"))
        self.watcher.began("blob", "GET")
        name, labels = "registry_http_in_flight_requests", {"handler": "blob"}
        self.assertIsNone(read(name, labels))
        self.metrics.settle()
        self.assertEqual(1.0, read(name, labels))

    def test_no_route(self) -> None:
        """Those for nothing that there is are counted together."""
        self.end(route="", status=404, method="BREW")
        labels = {"handler": "none", "code": "404", "method": "other"}
        self.assertEqual(1.0, self.value("registry_http_requests_total", **labels))

    def test_uploads(self) -> None:
        """Uploads are counted by what came of them."""
        chunk, start = "blob_upload_chunk", "blob_upload"
        for route, method, status, expected in (
            (start, "POST", 202, "started"),
            (start, "POST", 201, "completed"),
            (start, "POST", 400, "failed"),
            (start, "POST", 499, "abandoned"),
            (chunk, "PUT", 201, "completed"),
            (chunk, "PUT", 400, "failed"),
            (chunk, "PATCH", 416, "failed"),
            (chunk, "PATCH", 499, "abandoned"),
            (chunk, "DELETE", 204, "cancelled"),
        ):
            found = self.outcome(route=route, method=method, status=status)
            self.assertEqual({expected: 1.0}, found, (route, method, status))

    def test_no_outcome(self) -> None:
        """What is neither begin nor end of one is not counted."""
        for method, status in (("PATCH", 202), ("GET", 204), ("DELETE", 404)):
            found = self.outcome(
                route="blob_upload_chunk", method=method, status=status
            )
            self.assertEqual({}, found)

    def test_logins(self) -> None:
        """What came of asking who somebody is, is counted."""
        self.end(user="alice")
        for status in (401, 403, 429):
            self.end(status=status)
        self.end()
        for outcome in ("granted", "unauthorized", "denied", "throttled"):
            name = "registry_auth_requests_total"
            self.assertEqual(1.0, self.value(name, outcome=outcome))

    def test_told_late(self) -> None:
        """What is told of late is told of before the metrics are shown."""
        watcher = RequestMetrics(self.metrics)
        hit = Hit("an id", 0.0, 0.02, "192.0.2.7")
        observing = Observing(metrics=self.metrics)
        observing.add_teller(lambda: watcher.ended_alike(PULL, [hit]))
        Observing().add_teller(lambda: self.fail("nobody is to be told"))
        labels = {"handler": "manifest", "code": "200", "method": "get"}
        self.assertEqual(1.0, self.value("registry_http_requests_total", **labels))


class ContentTests(MetricsCase):
    """What was done to content."""

    def test_kinds(self) -> None:
        """Blobs, manifests and tags are told apart, and nothing by repository."""
        count = ContentMetrics(self.metrics).count
        registry = MemoryRegistry(witness=CountingWitness(SilentWitness(), count))
        digest = registry.push_image("a", "latest")
        registry.request("GET", f"/v2/a/manifests/{digest}")
        registry.request("DELETE", "/v2/a/manifests/latest")
        name = "registry_content_total"
        self.assertEqual(2.0, self.value(name, kind="blob", action="push"))
        self.assertEqual(1.0, self.value(name, kind="manifest", action="push"))
        self.assertEqual(1.0, self.value(name, kind="tag", action="delete"))
        name = "registry_repository_content_total"
        self.assertIsNone(self.value(name, repository="a", action="push"))

    def test_cap(self) -> None:
        """By repository it is counted up to a number of them, the rest together."""
        count = ContentMetrics(self.metrics, 2).count
        for each in ("a", "b", "c", "d", "a"):
            count(blob_activity("push", Name(each), DIGEST, 0))
        name = "registry_repository_content_total"
        for each, expected in (("a", 2.0), ("b", 1.0), ("others", 2.0), ("c", None)):
            found = self.value(name, repository=each, action="push")
            self.assertEqual(expected, found, each)

    def test_tells_on(self) -> None:
        """Who counts hands on what was done."""
        told: list[object] = []

        class Listening(SilentWitness):
            """Notes what it hears."""

            def of(self, _request: object) -> Any:
                """See Witness."""
                return self.note

            def note(self, activities: Sequence[object]) -> Deferred[None]:
                """Note what was done."""
                told.extend(activities)
                return succeed(None)

        activity = Activity("delete", Name("a"), None, Tag("b"))
        count = ContentMetrics(self.metrics).count
        tell = CountingWitness(Listening(), count).of(None)
        self.successResultOf(tell([activity]))
        self.assertEqual([activity], told)


class CacheTests(MetricsCase):
    """Caches."""

    def test_lookups(self) -> None:
        """Hits and misses are counted, once."""
        lookups = Lookups(hits=3, misses=1)
        CacheMetrics(self.metrics, {LOGINS: lookups})
        name = "registry_cache_lookups_total"
        for _ in range(2):
            self.assertEqual(3.0, self.value(name, cache="logins", outcome="hit"))
            self.assertEqual(1.0, self.value(name, cache="logins", outcome="miss"))
        lookups.hits += 2
        self.assertEqual(5.0, self.value(name, cache="logins", outcome="hit"))
        self.assertIsNone(self.value("registry_storage_cache_total", type="Hit"))

    def test_go_names(self) -> None:
        """What is kept of the store counts by the names of both Go registries, too."""
        CacheMetrics(self.metrics, {CONTENT: Lookups(hits=3, misses=1)})
        name = "registry_storage_cache"
        self.assertEqual(4.0, self.value(f"{name}_total", type="Request"))
        self.assertEqual(3.0, self.value(f"{name}_total", type="Hit"))
        self.assertEqual(1.0, self.value(f"{name}_total", type="Miss"))
        self.assertEqual(4.0, self.value(f"{name}_requests_total"))
        self.assertEqual(3.0, self.value(f"{name}_hits_total"))


class StorageTests(MetricsCase):
    """The storage driver."""

    def test_times(self) -> None:
        """What it does is timed by driver and action, as the Go registry does."""
        done = StorageMetrics(self.metrics, "filesystem").done
        done("Stat", 0.5, False)
        done("Stat", 1.5, True)
        of = {"driver": "filesystem", "action": "Stat"}
        name = "registry_storage_action_seconds"
        self.assertEqual(2.0, self.value(f"{name}_count", **of))
        self.assertEqual(2.0, self.value(f"{name}_sum", **of))
        self.assertEqual(1.0, self.value("registry_storage_errors_total", **of))

    def test_not_timed(self) -> None:
        """What is told without a time is an error, and not among the times."""
        StorageMetrics(self.metrics, "filesystem").done("Write", None, True)
        of = {"driver": "filesystem", "action": "Write"}
        self.assertIsNone(self.value("registry_storage_action_seconds_count", **of))
        self.assertEqual(1.0, self.value("registry_storage_errors_total", **of))


class NotificationTests(MetricsCase):
    """Notifications."""

    def setUp(self) -> None:
        """Show an endpoint."""
        super().setUp()
        tally = Tally("ci", 3, 90.0, 1, 10, 5, 2)
        states = [EndpointState(tally, {204: 10, 500: 4}, 1)]
        clock = Clock()
        clock.advance(100.0)
        gauges = NotificationGauges(lambda: succeed(states), clock)
        self.metrics.gathering(gauges.gather)
        self.metrics.collectors.register(gauges)

    def test_go_names(self) -> None:
        """The Go registry's names say what they say there."""
        prefix = "registry_notifications"
        for kind, count in (
            ("Events", 16.0),
            ("Successes", 10.0),
            ("Failures", 5.0),
            ("Errors", 1.0),
            ("Dropped", 2.0),
        ):
            name = f"{prefix}_events_total"
            self.assertEqual(count, self.value(name, type=kind, endpoint="ci"))
        self.assertEqual(3.0, self.value(f"{prefix}_pending_total", endpoint="ci"))
        name = f"{prefix}_status_total"
        self.assertEqual(10.0, self.value(name, code="204 No Content", endpoint="ci"))

    def test_ours(self) -> None:
        """Ours say for how long the oldest has waited, and what is refused."""
        prefix = "registry_notifications"
        self.assertEqual(10.0, self.value(f"{prefix}_oldest_seconds", endpoint="ci"))
        self.assertEqual(1.0, self.value(f"{prefix}_dead", endpoint="ci"))


class Pool:
    """A thread pool with one thread at work."""

    working = [1]
    waiters: list[int] = []

    def __init__(self) -> None:
        """Make it; what waits for a thread are two."""
        self._queue = self

    def qsize(self) -> int:
        """Say how much work waits."""
        return 2


class ProcessTests(MetricsCase):
    """The process."""

    def test_shown(self) -> None:
        """Version, threads and the certificate are shown."""

        class Reactor(Clock):
            """A clock with threads."""

            def getThreadPool(self) -> Pool:  # noqa: N802 - Twisted's
                """See IReactorThreads."""
                return Pool()

        gauges = ProcessGauges("1.2", Reactor(), lambda: 2.0)
        self.metrics.collectors.register(gauges)
        self.assertEqual(1.0, self.value("registry_build_info", version="1.2"))
        self.assertEqual(1.0, self.value("registry_threads", state="working"))
        self.assertEqual(2.0, self.value("registry_threads", state="queued"))
        name = "registry_tls_certificate_expiry_seconds"
        self.assertEqual(2 * 86400.0, self.value(name))

    def test_health(self) -> None:
        """How many checks fail is shown."""
        self.metrics.collectors.register(HealthGauges(lambda: {"a": "broken"}))
        self.assertEqual(1.0, self.value("registry_health_checks_failing"))

    def test_lag(self) -> None:
        """How late the reactor is, is measured until it is to end."""
        clock, seen = Clock(), list[float]()
        watch = LagWatch(seen.append, clock)
        watch.stop()
        watch.start()
        clock.advance(0.25)
        clock.advance(0.75)
        self.assertEqual([0.0, 0.5], seen)
        watch.stop()
        self.assertEqual([], clock.getDelayedCalls())

    def test_lag_goes_on(self) -> None:
        """What fails at a look does not keep the next one from coming."""
        clock = Clock()

        def fail(_lag: float) -> None:
            raise OSError

        watch = LagWatch(fail, clock)
        watch.start()
        self.assertRaises(OSError, clock.advance, 0.25)
        self.assertEqual([0.5], [each.getTime() for each in clock.getDelayedCalls()])

    def test_stopping(self) -> None:
        """What was noted down before the end is counted."""
        RequestMetrics(self.metrics).ended(PULL)
        observing = Observing(metrics=self.metrics)
        self.successResultOf(Deferred.fromCoroutine(observing.stop()))
        labels = {"handler": "manifest", "code": "200", "method": "get"}
        name = "registry_http_requests_total"
        read = self.metrics.collectors.get_sample_value
        self.assertEqual(1.0, read(name, labels))


class PageTests(MetricsCase):
    """The page."""

    def test_page(self) -> None:
        """It is in Prometheus's text format, at the path that it is to have."""
        (page,) = MetricsPages(self.metrics, "/m").pages()
        shown: Any = page.show({})
        content = self.successResultOf(Deferred.fromCoroutine(shown))
        self.assertEqual("/m", page.path)
        self.assertEqual("text/plain; version=0.0.4; charset=utf-8", content.media_type)
        self.assertIn(b"# TYPE registry_http_requests_total counter", content.body)

    def test_no_created(self) -> None:
        """When a metric was made is not a metric of its own."""
        RequestMetrics(self.metrics).ended(PULL)
        text = self.successResultOf(Deferred.fromCoroutine(self.metrics.text()))
        self.assertNotIn(b"_created", text)
