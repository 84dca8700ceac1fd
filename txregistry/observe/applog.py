"""Application log: what the registry says of itself."""

from __future__ import annotations

from typing import Final

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from txregistry.observe.entries import entry_of
from txregistry.observe.formats import Format
from txregistry.observe.outputs import Output

_RANKS: Final = {
    LogLevel.debug: 0,
    LogLevel.info: 1,
    LogLevel.warn: 2,
    LogLevel.error: 3,
    LogLevel.critical: 4,
}
_LEVELS: Final = {"debug": 0, "info": 1, "warn": 2, "error": 3}

# Whose lines are of no interest below warnings: Twisted's.
_QUIET: Final = frozenset({"twisted", "log_legacy", "-"})


@implementer(ILogObserver)
class ApplicationLog:
    """Writes events of Twisted's loggers."""

    def __init__(
        self, output: Output, write: Format, level: str, reports_caller: bool = False
    ) -> None:
        """Prepare.

        Args:
            output: Where to.
            write: Makes the lines.
            level: The least severe level that is written: ``debug``, ``info``,
                ``warn`` or ``error``. Twisted's own lines below ``warn`` are left out.
            reports_caller: Whether to say which line of the code says it.
        """
        self._output = output
        self._write = write
        self._rank = _LEVELS[level]
        self._quiet_rank = max(_LEVELS["warn"], self._rank)
        self._reports_caller = reports_caller

    def __call__(self, event: LogEvent) -> None:
        """See ILogObserver."""
        rank = _RANKS.get(event.get("log_level", LogLevel.info), 1)
        if rank < self._rank:
            return
        package = event.get("log_namespace", "-").partition(".")[0]
        if package in _QUIET and rank < self._quiet_rank:
            return
        self._output.write(self._write(entry_of(event, self._reports_caller)))
