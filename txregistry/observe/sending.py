"""Sending: spans on their way to where they are collected."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.observe.exporters import CONSOLE, OTLP, Asked, UnusableVariable
from txregistry.observe.tracing import Tracer
from txregistry.threads import InThread

_log = Logger()

_NAME: Final = "txregistry"
_PATIENCE: Final = 5.0  # seconds, for the last spans to be sent
_IMPATIENCE: Final = 1.0  # seconds, when the ones before could not be
_LIBRARY: Final = "opentelemetry"
_LONGEST_PROBLEM: Final = 400

_FromThread = Callable[..., object]


class Sending:
    """Sends spans from a thread, out of a bounded queue: what is too much is lost.

    Attributes:
        tracer: Makes the spans.
    """

    def __init__(
        self,
        exporters: Sequence[SpanExporter],
        version: str,
        clock: IReactorTime,
        from_thread: _FromThread,
        in_thread: InThread,
    ) -> None:
        """Prepare; ``start`` begins.

        Args:
            exporters: Where spans go.
            version: Ours.
            clock: Gives time.
            from_thread: Runs something in the reactor's thread.
            in_thread: Runs the sending of the last spans, which may take longer than
                anybody waits for it.
        """
        self._notes = _Notes()
        self._exporters = [
            _Watched(each, self._notes, from_thread) for each in exporters
        ]
        self._provider = _make_provider(version)
        self._clock = clock
        self._from_thread = from_thread
        self._in_thread = in_thread
        self.tracer = Tracer(self._provider.get_tracer(_NAME, version))

    def start(self) -> None:
        """Begin to send; not earlier than in the process that serves."""
        self._notes.open(lambda text: self._from_thread(_log_note, text))
        for exporter in self._exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))

    def stop(self) -> Deferred[None]:
        """Send what is left, for some seconds at the most."""
        sending = self._in_thread(self._provider.shutdown)
        fails = any(each.lost for each in self._exporters)
        patience = _IMPATIENCE if fails else _PATIENCE
        sending.addTimeout(patience, self._clock)
        sending.addCallback(lambda _: self._notes.close())
        return sending.addErrback(_give_up, patience)


def make_sending(
    asked: Asked,
    version: str,
    clock: IReactorTime,
    from_thread: _FromThread,
    in_thread: InThread,
) -> Sending:
    """Make what sends spans where the environment says, which OpenTelemetry reads.

    Args:
        asked: What it asks for.
        version: See ``Sending``, as for the others.
        clock: Gives time.
        from_thread: Runs something in the reactor's thread.
        in_thread: Runs what blocks.

    Raises:
        UnusableVariable: A variable says what cannot be done.
        ImportError: A library that is asked for is not installed.
    """
    notes = _Notes()
    notes.open(_log_warning)
    try:
        exporters = [_MAKERS[name]() for name in asked.exporters]
        return Sending(exporters, version, clock, from_thread, in_thread)
    except ValueError as error:
        raise UnusableVariable("OTEL_*", str(error)) from error
    finally:
        notes.close()


def _make_otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


_MAKERS: Final[Mapping[str, Callable[[], SpanExporter]]] = {
    OTLP: _make_otlp,
    CONSOLE: ConsoleSpanExporter,
}


def _make_provider(version: str) -> TracerProvider:
    ours = {"service.name": _NAME, "service.version": version}
    given = OTELResourceDetector().detect().attributes
    resource = Resource.create({**ours, **given})
    # Its own way to stop is to block the process at its end, however long.
    return TracerProvider(resource=resource, shutdown_on_exit=False)


def _give_up(failure: Failure, patience: float) -> None:
    if failure.check(TimeoutError):
        text = "tracing: the last spans are lost: not sent within {seconds:g} s"
        _log.warn(text, seconds=patience)
    else:
        _log.failure("tracing: cannot stop", failure)


class _Watched(SpanExporter):
    """An exporter about which a line is logged when it begins to fail, and to work.

    Attributes:
        lost: How many spans could not be sent since any could.
    """

    def __init__(
        self, exporter: SpanExporter, notes: _Notes, from_thread: _FromThread
    ) -> None:
        self._exporter = exporter
        self._notes = notes
        self._from_thread = from_thread
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See SpanExporter. Runs in a thread."""
        self._notes.first = ""
        try:
            result = self._exporter.export(spans)
            problem = self._notes.first
        except Exception as error:  # exporters fail as they like
            result, problem = SpanExportResult.FAILURE, str(error)
        if result is SpanExportResult.SUCCESS:
            if self.lost:
                self._from_thread(_log_success, self.lost)
            self.lost = 0
        else:
            if not self.lost:
                self._from_thread(_log_failure, problem or "no reason given")
            self.lost += len(spans)
        return result

    def shutdown(self) -> None:
        """See SpanExporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """See SpanExporter."""
        return self._exporter.force_flush(timeout_millis)


def _log_failure(problem: str) -> None:
    line = " ".join(problem.split())[:_LONGEST_PROBLEM]
    _log.warn("tracing: spans are lost, they cannot be sent: {problem}", problem=line)


def _log_success(lost: int) -> None:
    _log.info("tracing: spans are sent again; {lost} were lost", lost=lost)


class _Notes(logging.Handler):
    """What the library logs: it would go to stderr, line after line, while it fails.

    Attributes:
        first: The first thing of note that it has said since somebody emptied this:
            later ones sum up what it has tried.
    """

    first = ""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._tell: Callable[[str], object]

    def open(self, tell: Callable[[str], object]) -> None:
        """Begin to take it, and hand it on, in whatever thread it is said."""
        self._tell = tell
        logger = logging.getLogger(_LIBRARY)
        logger.addHandler(self)
        logger.propagate = False

    def close(self) -> None:
        """End it."""
        logger = logging.getLogger(_LIBRARY)
        logger.removeHandler(self)
        logger.propagate = True
        super().close()

    def emit(self, record: Any) -> None:
        """See Handler. Runs in any thread."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text} {record.exc_info[1]}"
        self.first = self.first or text
        self._tell(text)


def _log_warning(text: str) -> None:
    _log.warn("tracing: {text}", text=text)


def _log_note(text: str) -> None:
    _log.debug("tracing: {text}", text=text)
