"""Tests of txregistry.observe.health."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.observe.health_doubles import Asked
from txregistry.observe.debug import Content
from txregistry.observe.health import Health, HealthPages, ScheduledCheck
from txregistry.observe.polling import Schedule


class HealthCase(SynchronousTestCase):
    """Two checks that are made every second; one of them may fail once."""

    def setUp(self) -> None:
        """Make them; start nothing."""
        self.clock = Clock()
        self.store, self.other = Asked("store"), Asked("other")
        checks = [
            ScheduledCheck(self.store, Schedule(1.0, 0.5)),
            ScheduledCheck(self.other, Schedule(1.0, 0.5, threshold=2)),
        ]
        self.health = Health(checks, self.clock)
        self.logged = self.enterContext(capturedLogs())

    def show(self, path: str) -> Content:
        """Return what a page shows."""
        (page,) = (p for p in HealthPages(self.health).pages() if p.path == path)
        content = page.show({})
        assert isinstance(content, Content)
        return content

    def lines(self) -> list[tuple[LogLevel, str | None]]:
        """Return the log, with its levels."""
        return [(event["log_level"], formatEvent(event)) for event in self.logged]


class SharedTests(HealthCase):
    """Health that several processes have in common."""

    def test_changed(self) -> None:
        """Who wants to know is told when other checks fail than before."""
        told: list[list[str]] = []
        self.health.changed = lambda: told.append(list(self.health.failures))
        self.health.start()
        for reason in ("full", "fuller", None):
            self.store.reason = reason
            self.clock.advance(1)
        self.assertEqual([["store"], []], told)

    def test_take(self) -> None:
        """What another process has found is believed."""
        self.health.take({"store": "full"})
        self.assertTrue(self.health.is_failing())
        self.health.take({})
        self.assertFalse(self.health.is_failing())

    def test_problems(self) -> None:
        """What else keeps the registry from serving is shown."""
        self.health.start()
        pages = HealthPages(self.health, lambda: ["no worker serves"]).pages()
        (page,) = (each for each in pages if each.path == "/readyz")
        content: Any = page.show({})
        self.assertEqual((503, b"no worker serves\n"), (content.status, content.body))


class FailingTests(HealthCase):
    """What fails."""

    def setUp(self) -> None:
        """Start."""
        super().setUp()
        self.health.start()

    def test_before(self) -> None:
        """Before a check was made nothing fails."""
        self.store.reason = "full"
        self.assertFalse(self.health.is_failing())

    def test_failing(self) -> None:
        """What fails is known by its name, with the latest reason."""
        for reason in ("full", "fuller"):
            self.store.reason = reason
            self.clock.advance(1)
            self.assertTrue(self.health.is_failing())
            self.assertEqual({"store": reason}, self.health.failures)

    def test_recovered(self) -> None:
        """What has recovered is no more among what fails."""
        self.store.reason = self.other.reason = "full"
        self.clock.pump([1, 1])
        self.assertEqual(["other", "store"], list(self.health.failures))
        self.store.reason = None
        self.clock.advance(1)
        self.assertEqual(["other"], list(self.health.failures))
        self.assertTrue(self.health.is_failing())
        self.other.reason = None
        self.clock.advance(1)
        self.assertFalse(self.health.is_failing())

    def test_logged(self) -> None:
        """There is one line when a check begins to fail and one when it recovers."""
        for reason in ("full", "fuller", None, None):
            self.store.reason = reason
            self.clock.advance(1)
        expected = [
            (LogLevel.error, "health check store fails: full"),
            (LogLevel.info, "health check store is good again"),
        ]
        self.assertEqual(expected, self.lines())

    def test_not_logged(self) -> None:
        """Failures that do not count are not logged."""
        for reason in ("full", None, "full", None):
            self.other.reason = reason
            self.clock.advance(1)
        self.assertEqual([], self.lines())


class StageTests(HealthCase):
    """Starting and stopping."""

    def test_not_started(self) -> None:
        """Nothing is checked before the store is open."""
        self.clock.advance(5)
        self.assertEqual(0, self.store.calls)

    def test_stopped(self) -> None:
        """Nothing is checked while the registry drains; what fails goes on to."""
        self.store.reason = "full"
        self.health.start()
        self.clock.advance(1)
        self.health.stop()
        self.clock.pump([1] * 5)
        self.assertEqual(1, self.store.calls)
        self.assertTrue(self.health.is_failing())
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stopped_at_start(self) -> None:
        """What is stopped before the store was open does not start after that."""
        self.health.stop()
        self.health.start()
        self.clock.advance(5)
        self.assertEqual(0, self.store.calls)
        self.assertEqual(503, self.show("/readyz").status)


class PageTests(HealthCase):
    """The pages."""

    def test_health(self) -> None:
        """/debug/health is the Go registry's: JSON, 200 or 503."""
        self.health.start()
        content = self.show("/debug/health")
        self.assertEqual((200, b"{}"), (content.status, content.body))
        self.assertEqual("application/json", content.media_type)
        self.store.reason = 'a "reason"'
        self.clock.advance(1)
        content = self.show("/debug/health")
        self.assertEqual(
            (503, "application/json"), (content.status, content.media_type)
        )
        self.assertEqual({"store": 'a "reason"'}, json.loads(content.body))

    def test_live(self) -> None:
        """/livez is 200 whatever happens."""
        self.store.reason = "full"
        self.assertEqual(200, self.show("/livez").status)
        self.health.start()
        self.clock.advance(1)
        self.assertEqual(200, self.show("/livez").status)
        self.health.stop()
        self.assertEqual(200, self.show("/livez").status)

    def test_ready(self) -> None:
        """/readyz is 200 from the opening of the store to the drain."""
        content = self.show("/readyz")
        self.assertEqual(503, content.status)
        self.assertEqual(b"starting: the store is not open yet\n", content.body)
        self.health.start()
        self.assertEqual(200, self.show("/readyz").status)
        self.health.stop()
        content = self.show("/readyz")
        self.assertEqual(503, content.status)
        self.assertEqual(b"draining: no further requests are wanted\n", content.body)

    def test_not_ready(self) -> None:
        """/readyz is 503 while a check fails, with a line for each reason."""
        self.health.start()
        self.store.reason = self.other.reason = "full"
        self.clock.pump([1, 1])
        content = self.show("/readyz")
        self.assertEqual(
            (503, b"other: full\nstore: full\n"), (content.status, content.body)
        )
        self.store.reason = self.other.reason = None
        self.clock.advance(1)
        self.assertEqual(200, self.show("/readyz").status)

    def test_no_checks(self) -> None:
        """Without a check a registry that is open is ready."""
        self.health = Health([], self.clock)
        self.health.start()
        self.assertEqual(200, self.show("/readyz").status)
        self.assertEqual(b"{}", self.show("/debug/health").body)
