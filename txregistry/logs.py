"""Logs: the application log and the access log, opened as the settings say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO

from attrs import evolve, field, frozen
from twisted.logger import ILogObserver, Logger

from txregistry.config import Settings
from txregistry.interfaces import IRequestWatcher
from txregistry.observe.accessformats import (
    AccessFormat,
    CombinedFormat,
    JSONAccessFormat,
    TerminalAccessFormat,
)
from txregistry.observe.accesslog import AccessLog
from txregistry.observe.applog import ApplicationLog
from txregistry.observe.formats import (
    Format,
    JSONFormat,
    LogstashFormat,
    TerminalFormat,
    TextFormat,
)
from txregistry.observe.outputs import (
    FileOutput,
    LoggerOutput,
    NoOutput,
    Output,
    Rotation,
    StreamOutput,
    resolved,
)

_log = Logger()


@frozen
class Places:
    """Where logs go, unless the settings say otherwise.

    Attributes:
        application: A stream, or a file's path, for the application log; None: there
            is none, as the process was started without a standard error.
        access: A stream for the access log; None: it goes where the other one goes.
        is_ours: Whether the application log is ours to write; if not, it is somebody
            else's, whatever the settings say.
        are_shared: Whether other processes write to the same streams.
    """

    application: IO[str] | str | None
    access: IO[str] | None = None
    is_ours: bool = True
    are_shared: bool = False


@frozen
class Logs:
    """The logs.

    Attributes:
        observers: Write the application log.
        watchers: Write the access log.
        outputs: Where they go.
        places: Where they go if the settings name no files; None: nobody has said.
    """

    observers: Sequence[ILogObserver] = ()
    watchers: Sequence[IRequestWatcher] = ()
    outputs: Sequence[Output] = field(default=())
    places: Places | None = None

    @property
    def files(self) -> list[FileOutput]:
        """Those of the outputs that are files."""
        return [each for each in self.outputs if isinstance(each, FileOutput)]

    def reopen(self) -> None:
        """Go on in new files, where somebody else has put the old ones aside."""
        for output in self.outputs:
            try:
                output.reopen()
            except OSError as error:
                _log.error(
                    "cannot reopen {output}: {problem}; going on in the old one",
                    output=output.name,
                    problem=error.strerror,
                )


def open_logs(
    settings: Settings, places: Places, handed: Mapping[str, int] | None = None
) -> Logs:
    """Open the logs.

    Args:
        settings: The configuration.
        places: Where they go if it names no files.
        handed: The descriptors of files that are open already, by their paths; for
            those that we may not open ourselves. None: there are none.

    Raises:
        ConfigError: A file cannot be written.
    """
    if settings.http.workers.number > 1:
        places = evolve(places, are_shared=True)
    files = _Files(settings, places.are_shared, handed or {})
    application = _application_output(settings, places, files)
    outputs, observers = [application], []
    if places.is_ours:
        write, log = _format(settings, application), settings.log
        observers.append(
            ApplicationLog(application, write, log.level, log.reportcaller)
        )
    if settings.log.accesslog.disabled:
        return Logs(observers, [], outputs, places)
    access = application
    if settings.log.accesslog.file:
        access = files.open("log.accesslog.file", settings.log.accesslog.file)
    elif places.access is not None:
        access = StreamOutput(places.access, "the standard output", places.are_shared)
    if access is not application:
        outputs.append(access)
    watcher = AccessLog(access, _access_format(settings, access))
    return Logs(observers, [watcher], outputs, places)


def _application_output(settings: Settings, places: Places, files: _Files) -> Output:
    if not places.is_ours:
        return LoggerOutput()
    if settings.log.file:
        return files.open("log.file", settings.log.file)
    if isinstance(places.application, str):
        return files.open("", places.application)
    if places.application is None:
        return NoOutput()
    return StreamOutput(places.application, "the standard error", places.are_shared)


class _Files:
    """Files, each of them opened once."""

    def __init__(
        self, settings: Settings, are_shared: bool, handed: Mapping[str, int]
    ) -> None:
        self._settings = settings
        self._are_shared = are_shared
        self._handed = handed
        self._open: dict[str, FileOutput] = {}

    def open(self, key: str, path: str) -> Output:
        try:
            file = resolved(path)
            if file not in self._open:
                self._open[file] = self._make(path, file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            problem = f"{os.path.abspath(path)} cannot be written: {reason}"
            raise self._settings.error(key, problem) from None
        return self._open[file]

    def _make(self, path: str, file: str) -> FileOutput:
        rotate = self._settings.log.rotate
        rotation = Rotation(rotate.size, rotate.keep)
        try:
            return FileOutput(path, rotation, self._are_shared)
        except PermissionError:
            if file not in self._handed:
                raise
            return FileOutput(path, rotation, self._are_shared, self._handed[file])


def _format(settings: Settings, output: Output) -> Format:
    log = settings.log
    if log.formatter == "json":
        return JSONFormat(log.fields)
    if log.formatter == "logstash":
        return LogstashFormat(log.fields)
    if output.is_terminal:
        return TerminalFormat(_has_colours())
    return TextFormat(log.fields)


def _access_format(settings: Settings, output: Output) -> AccessFormat:
    log = settings.log
    if log.accesslog.format is None and log.formatter == "text" and output.is_terminal:
        return TerminalAccessFormat(_has_colours())
    form = log.accesslog.format or ("combined" if log.formatter == "text" else "json")
    return CombinedFormat() if form == "combined" else JSONAccessFormat(log.fields)


def _has_colours() -> bool:
    """Say whether a terminal may be sent colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
