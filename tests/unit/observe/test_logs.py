"""Tests of txregistry.observe.logs: lines for people."""

from __future__ import annotations

from io import StringIO

from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.logs import make_observer

LEVELS = ("debug", "info", "warn", "error", "critical")


class LogsTests(SynchronousTestCase):
    """What is written."""

    def written(self, level: str, namespace: str) -> list[str]:
        """Log a line of each severity; return which are written."""
        stream = StringIO()
        publisher = LogPublisher(make_observer(stream, level))
        log = Logger(namespace=namespace, observer=publisher)
        for each in LEVELS:
            log.emit(LogLevel.levelWithName(each), "this is {each}", each=each)
        return [line.rpartition(" ")[2] for line in stream.getvalue().splitlines()]

    def test_levels(self) -> None:
        """Our lines are written from the level on that is asked for."""
        for index, level in enumerate(LEVELS[:4]):
            written = self.written(level, "txregistry.web.site")
            self.assertEqual(list(LEVELS[index:]), written)

    def test_others(self) -> None:
        """Twisted's lines are written from warnings on, or later."""
        for namespace in ("twisted.internet", "log_legacy", "-"):
            for level in ("debug", "info", "warn"):
                written = self.written(level, namespace)
                self.assertEqual(["warn", "error", "critical"], written)
            self.assertEqual(["error", "critical"], self.written("error", namespace))
