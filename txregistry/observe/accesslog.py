"""Access log: a line for each request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from zope.interface import implementer

from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.observe.accessformats import AccessFormat, Line
from txregistry.observe.outputs import Output

# What makes lines is kept for so many kinds of requests.
_MOST_LINES: Final = 4096


@implementer(IRequestWatcher)
class AccessLog:
    """Writes a line for each request.

    At once, straight to the output, so that no line is lost whatever becomes of the
    process; those that are alike when all have been told of, which is much cheaper.
    """

    def __init__(self, output: Output, write: AccessFormat) -> None:
        """Take where to, and what makes the lines."""
        self._output = output
        self._write = write
        self._waiting: list[str] = []
        self._lines: dict[int, tuple[Exchange, Line]] = {}

    def began(self, route: str, method: str) -> None:
        """See IRequestWatcher."""

    def ended(self, exchange: Exchange) -> None:
        """See IRequestWatcher."""
        self._output.write(self._write(exchange))

    def ended_alike(self, exchange: Exchange, hits: Sequence[Hit]) -> None:
        """See IRequestWatcher."""
        self._waiting += map(self._line_of(exchange), hits)

    def told(self) -> None:
        """See IRequestWatcher."""
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self._output.write("".join(lines))

    def _line_of(self, exchange: Exchange) -> Line:
        """Return what makes lines; it is the same for the same exchange as before."""
        known = self._lines.get(id(exchange))
        if known is not None and known[0] is exchange:
            return known[1]
        if len(self._lines) >= _MOST_LINES:
            self._lines.clear()
        line = self._write.line_of(exchange)
        self._lines[id(exchange)] = (exchange, line)
        return line
