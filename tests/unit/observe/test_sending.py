"""Tests of how spans are sent, and what is logged when they cannot be."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from unittest.mock import patch

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from twisted.internet.defer import Deferred, execute
from twisted.internet.defer import fail as fail_with
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.exporters import CONSOLE, OTLP, Asked, UnusableVariable
from txregistry.observe.sending import Sending, make_sending
from txregistry.threads import InThread

Answer = Callable[[], SpanExportResult]

_T = TypeVar("_T")


def take() -> SpanExportResult:
    """Take spans."""
    return SpanExportResult.SUCCESS


def refuse() -> SpanExportResult:
    """Say in the library's log why not."""
    logger = logging.getLogger("opentelemetry.exporter.test")
    logger.error("Failed to export,\nreason: %s", "nobody is there")
    return SpanExportResult.FAILURE


def refuse_silently() -> SpanExportResult:
    """Do not say why."""
    return SpanExportResult.FAILURE


def fail() -> SpanExportResult:
    """Do not keep to what exporters promise."""
    raise ConnectionError("connection refused")


class Collector(SpanExporter):
    """Takes spans as a test says.

    Attributes:
        spans: Those that came.
        closed: Whether there are to be no more.
    """

    def __init__(self, answer: Answer) -> None:
        """Take what to do with spans."""
        self.spans: list[ReadableSpan] = []
        self.closed = False
        self.answer = answer

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter."""
        self.spans += spans
        return self.answer()

    def shutdown(self) -> None:
        """See SpanExporter."""
        self.closed = True


def _broken(_work: Callable[[], _T], /) -> Deferred[_T]:
    return fail_with(RuntimeError("no thread"))


class SendingCase(SynchronousTestCase):
    """Something that sends spans.

    Attributes:
        clock: The time.
        collector: Where they go.
    """

    def setUp(self) -> None:
        """Make it; keep the log."""
        self.clock = Clock()
        self.collector = Collector(take)
        self.logged = self.enterContext(capturedLogs())
        self.later: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def sending(self, in_thread: InThread = execute) -> Sending:
        """Make it."""
        made = Sending([self.collector], "1.2", self.clock, self.call, in_thread)
        self.addCleanup(made._notes.close)
        self.addCleanup(made._provider.shutdown)
        return made

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Note what is to be called in the reactor's thread."""
        self.later.append((function, arguments))

    def lines(self, level: LogLevel = LogLevel.info) -> list[str]:
        """Return the lines of the log from a level up, threads' too."""
        later, self.later = self.later, []
        for function, arguments in later:
            function(*arguments)
        return [formatEvent(e) for e in self.logged if e["log_level"] >= level]


class SendingTests(SendingCase):
    """Spans on their way."""

    def test_stop(self) -> None:
        """What is left at the end is sent."""
        sending = self.sending()
        sending.start()
        sending.tracer.post("hook", "a", 1, []).end(200, "")
        self.successResultOf(sending.stop())
        (span,) = self.collector.spans
        self.assertEqual("POST hook", span.name)
        self.assertTrue(self.collector.closed)
        self.assertEqual([], self.lines())

    def test_never_started(self) -> None:
        """What never began can be stopped."""
        self.successResultOf(self.sending().stop())
        self.assertFalse(self.collector.closed)

    def test_resource(self) -> None:
        """Spans say that they are ours, and of which version."""
        sending = self.sending()
        sending.start()
        sending.tracer.post("hook", "a", 1, []).end(200, "")
        self.successResultOf(sending.stop())
        attributes = self.collector.spans[0].resource.attributes
        found = attributes["service.name"], attributes["service.version"]
        self.assertEqual(("txregistry", "1.2"), found)

    def test_named(self) -> None:
        """Whoever runs it can give it another name."""
        named = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,deployment=b"}
        self.enterContext(patch.dict(os.environ, named))
        sending = self.sending()
        sending.start()
        sending.tracer.post("hook", "a", 1, []).end(200, "")
        self.successResultOf(sending.stop())
        attributes = self.collector.spans[0].resource.attributes
        found = attributes["service.name"], attributes["deployment"]
        self.assertEqual(("a", "b"), found)

    def test_slow(self) -> None:
        """Nobody waits for the last spans for longer than some seconds."""
        sending = self.sending(lambda work: Deferred())
        sending.start()
        stopping = sending.stop()
        self.clock.advance(4.9)
        self.assertNoResult(stopping)
        self.clock.advance(0.1)
        self.successResultOf(stopping)
        self.assertIn("the last spans are lost", self.lines()[0])

    def test_failing(self) -> None:
        """When spans could not be sent before, nobody waits long for the last."""
        sending = self.sending(lambda work: Deferred())
        sending.start()
        self.collector.answer = fail
        sending.tracer.post("hook", "a", 1, []).end(200, "")
        provider: Any = sending._provider
        provider.force_flush()
        stopping = sending.stop()
        self.clock.advance(1.0)
        self.successResultOf(stopping)
        self.assertIn("not sent within 1 s", "".join(self.lines()))

    def test_stop_fails(self) -> None:
        """What goes wrong at the end is logged, and the end goes on."""
        sending = self.sending(_broken)
        self.successResultOf(sending.stop())
        self.assertEqual(["tracing: cannot stop"], self.lines())
        self.flushLoggedErrors(RuntimeError)


class FailingTests(SendingCase):
    """What is logged when spans cannot be sent."""

    def send(self, *answers: Answer) -> list[str]:
        """Send a span for each answer; return the lines of the log."""
        sending = self.sending()
        sending.start()
        provider: Any = sending._provider
        for answer in answers:
            self.collector.answer = answer
            sending.tracer.post("hook", "a", 1, []).end(200, "")
            provider.force_flush()
        self.successResultOf(sending.stop())
        return self.lines()

    def test_once(self) -> None:
        """It is one line that says why, however often it happens."""
        expected = (
            "tracing: spans are lost, they cannot be sent: Failed to export,"
            " reason: nobody is there"
        )
        self.assertEqual([expected], self.send(refuse, refuse, refuse))

    def test_raising(self) -> None:
        """An exporter that raises is one that fails."""
        (line,) = self.send(fail, fail)
        self.assertTrue(line.endswith("cannot be sent: connection refused"), line)

    def test_silent(self) -> None:
        """An exporter that does not say why is logged, too."""
        (line,) = self.send(refuse_silently)
        self.assertTrue(line.endswith("no reason given"), line)

    def test_again(self) -> None:
        """When spans are taken again there is a line with how many were lost."""
        lines = self.send(fail, fail, take, take)
        self.assertEqual("tracing: spans are sent again; 2 were lost", lines[1])
        self.assertEqual(2, len(lines))

    def test_library(self) -> None:
        """What the library says goes to our log, for those who look closely."""
        self.send(refuse)
        self.assertIn("tracing: Failed to export", self.lines(LogLevel.debug)[0])

    def test_library_afterwards(self) -> None:
        """At the end the library's log is as it was."""
        logger = logging.getLogger("opentelemetry")
        before = logger.propagate, list(logger.handlers)
        self.send(take)
        self.assertEqual(before, (logger.propagate, logger.handlers))


class MakingTests(SendingCase):
    """What the environment asks for."""

    def make(self, *exporters: str, **environ: str) -> Sending:
        """Make what sends spans."""
        self.enterContext(patch.dict(os.environ, environ))
        asked = Asked("OTEL_TRACES_EXPORTER", exporters)
        return make_sending(asked, "1.2", self.clock, self.call, execute)

    def test_exporters(self) -> None:
        """There is an exporter for each that is named."""
        sending = self.make(OTLP, CONSOLE)
        made = [each._exporter for each in sending._exporters]
        self.assertIsInstance(made[0], OTLPSpanExporter)
        self.assertEqual(2, len(made))

    def test_unusable(self) -> None:
        """A variable that OpenTelemetry cannot use is refused, or there is a line.

        Its versions differ in that.
        """
        try:
            self.make(OTLP, OTEL_EXPORTER_OTLP_COMPRESSION="rot13")
        except UnusableVariable as error:
            said = error.problem
        else:
            (said,) = self.lines()
        self.assertIn("rot13", said)

    def test_warning(self) -> None:
        """A variable that OpenTelemetry passes over is in our log."""
        self.make(CONSOLE, OTEL_TRACES_SAMPLER="loaded_dice")
        (line,) = self.lines()
        self.assertTrue(line.startswith("tracing: Couldn't recognize sampler"), line)
