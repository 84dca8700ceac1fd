"""Entries: events of the application log, in the terms that its formats share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from types import FrameType
from typing import Any, Final

import twisted.logger
from attrs import field, frozen
from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure

from txregistry.current import request_id, trace_id

# Levels have the Go registry's names, where it has such a level.
LEVEL_NAMES: Final = {
    LogLevel.debug: "debug",
    LogLevel.info: "info",
    LogLevel.warn: "warning",
    LogLevel.error: "error",
    LogLevel.critical: "critical",
}

# Fields that an entry has a place for.
_OWN: Final = frozenset(["request_id", "trace_id"])

_OURSELVES: Final = (
    str(Path(twisted.logger.__file__).parent) + os.sep,
    str(Path(__file__).parent) + os.sep,
)


@frozen(kw_only=True)
class Entry:
    """What is written about an event.

    Attributes:
        time: When it was, in seconds since the epoch.
        level: How severe it is: a value of ``LEVEL_NAMES``.
        message: What happened, in a sentence.
        logger: Which module says so.
        request_id: The request that it happened for; None: none.
        trace_id: The trace that this is a part of; None: it is not traced.
        error: The exception that it is about, in a line; None: none.
        traceback: Where that was raised; None: it is not about an exception.
        caller: File and line that say so; None: nobody asked.
        fields: What the event has under a name: JSON values.
    """

    time: float
    level: str
    message: str
    logger: str
    request_id: str | None = None
    trace_id: str | None = None
    error: str | None = None
    traceback: str | None = None
    caller: str | None = None
    fields: Mapping[str, Any] = field(factory=dict)


def entry_of(event: LogEvent, reports_caller: bool = False) -> Entry:
    """Return what is to be written about an event.

    Args:
        event: The event, now being emitted: who works for which request is looked up.
        reports_caller: Whether to find out where it was emitted.
    """
    failure: Failure | None = event.get("log_failure")
    error = traceback = None
    if failure is not None:
        error = failure.getErrorMessage()
        error = f"{failure.type.__name__}: {error}" if failure.type else error
        traceback = failure.getTraceback()
    return Entry(
        time=event.get("log_time", 0.0),
        level=LEVEL_NAMES.get(event.get("log_level", LogLevel.info), "info"),
        message=formatEvent(event),
        logger=event.get("log_namespace", "-"),
        request_id=event.get("request_id") or request_id.get(),
        trace_id=event.get("trace_id") or trace_id.get(),
        error=error,
        traceback=traceback,
        caller=_caller() if reports_caller else None,
        fields=_fields(event),
    )


def _fields(event: LogEvent) -> dict[str, Any]:
    if "isError" in event:  # of twisted.python.log, and none of it is ours
        return {}
    return {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and name not in _OWN and is_json(value)
    }


def is_json(value: object) -> bool:
    """Say whether a value can be written as JSON that every reader takes."""
    if value is None or isinstance(value, str | bool | int):
        return True
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, list | tuple | dict):
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return False
        return True
    return False


def _caller() -> str | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_OURSELVES):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return None
