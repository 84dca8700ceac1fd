"""Logs: lines for people, on a stream."""

from __future__ import annotations

from typing import IO, Final

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    textFileLogObserver,
)

_LEVELS: Final = {
    "debug": LogLevel.debug,
    "info": LogLevel.info,
    "warn": LogLevel.warn,
    "error": LogLevel.error,
}


def make_observer(stream: IO[str], level: str) -> ILogObserver:
    """Make an observer that writes lines.

    Args:
        stream: Where to.
        level: The least severe level that is written: ``debug``, ``info``, ``warn`` or
            ``error``. Twisted's own lines below ``warn`` are left out.
    """
    predicate = LogLevelFilterPredicate(defaultLogLevel=_LEVELS[level])
    quiet = max(LogLevel.warn, _LEVELS[level])
    for namespace in ("twisted", "log_legacy", "-"):
        predicate.setLogLevelForNamespace(namespace, quiet)
    return FilteringLogObserver(textFileLogObserver(stream), [predicate])
