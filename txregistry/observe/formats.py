"""Formats: entries of the application log as lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from txregistry.observe.entries import Entry
from txregistry.observe.escaping import indented, one_line
from txregistry.observe.paint import Paint
from txregistry.observe.stamps import Stamp, milliseconds, rfc3339, time_of_day

Format: TypeAlias = Callable[[Entry], str]
"""Makes a line, or what counts as one, with its end."""

_WORDS: Final = {
    "debug": ("DEBUG", "cyan"),
    "info": ("INFO ", "green"),
    "warning": ("WARN ", "yellow"),
    "error": ("ERROR", "red"),
    "critical": ("CRIT ", "red"),
}

# What needs no quotation marks; logrus, the Go registry's logger, thinks so, too.
_BARE: Final = re.compile(r"[A-Za-z0-9._/@^+-]+")


class TextFormat:
    """Lines of ``name=value``, as the Go registry's; tracebacks below, indented."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Take what each line has besides."""
        self._stamp = Stamp(rfc3339)
        self._more = "".join(f" {one_line(n)}={_value(v)}" for n, v in fields.items())

    def __call__(self, entry: Entry) -> str:
        """See Format."""
        time = self._stamp.of(entry.time) + milliseconds(entry.time)
        parts = [
            f'time="{time}" level={entry.level} msg={_quoted(entry.message)}',
            f"logger={entry.logger}",
        ]
        for name, value in (
            ("request_id", entry.request_id),
            ("trace_id", entry.trace_id),
            ("error", entry.error),
            ("caller", entry.caller),
        ):
            if value is not None:
                parts.append(f"{name}={_value(value)}")
        below = "" if entry.traceback is None else indented(entry.traceback)
        return " ".join(parts) + self._more + below + "\n"


class TerminalFormat:
    """Short lines in columns and colours, for somebody who looks on."""

    def __init__(self, coloured: bool) -> None:
        """Take whether there are colours."""
        self._stamp = Stamp(time_of_day)
        self._paint = Paint(coloured)

    def __call__(self, entry: Entry) -> str:
        """See Format."""
        paint = self._paint
        word, colour = _WORDS[entry.level]
        line = (
            f"{paint('dim', self._stamp.of(entry.time))} {paint(colour, word)} "
            f"{one_line(entry.message)}"
        )
        if entry.error is not None:
            line += f": {one_line(entry.error)}"
        details = [] if entry.request_id is None else [entry.request_id[:8]]
        if entry.caller is not None:
            details.append(entry.caller)
        if details:
            line += " " + paint("dim", one_line(" ".join(details)))
        below = "" if entry.traceback is None else indented(entry.traceback)
        return line + below + "\n"


class JSONFormat:
    """A JSON object a line."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Take what each line has besides."""
        self._stamp = Stamp(rfc3339)
        self._more = fields

    def __call__(self, entry: Entry) -> str:
        """See Format."""
        time = self._stamp.of(entry.time) + milliseconds(entry.time)
        line = self._frame(entry, time)
        for name, value in (
            ("request_id", entry.request_id),
            ("trace_id", entry.trace_id),
            ("error", entry.error),
            ("traceback", entry.traceback),
            ("caller", entry.caller),
        ):
            if value is not None:
                line[name] = value
        for fields in (entry.fields, self._more):
            for name, value in fields.items():
                line[f"fields.{name}" if name in line else name] = value
        return json.dumps(line, separators=(",", ":"), default=str) + "\n"

    def _frame(self, entry: Entry, time: str) -> dict[str, Any]:
        return {
            "time": time,
            "level": entry.level,
            "msg": entry.message,
            "logger": entry.logger,
        }


class LogstashFormat(JSONFormat):
    """A JSON object a line, with the names that Logstash knows."""

    def _frame(self, entry: Entry, time: str) -> dict[str, Any]:
        return {
            "@timestamp": time,
            "@version": "1",
            "level": entry.level,
            "message": entry.message,
            "logger": entry.logger,
        }


def _value(value: object) -> str:
    if not isinstance(value, str):
        value = json.dumps(value, default=str)
    return value if _BARE.fullmatch(value) else _quoted(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{one_line(escaped)}"'
