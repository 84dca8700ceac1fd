"""Access log: a line for each request."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.observe.accessformats import AccessFormat
from txregistry.observe.outputs import Output


@implementer(IRequestWatcher)
class AccessLog:
    """Writes a line for each request.

    At once, straight to the output: that is cheaper than to come back later for a few
    lines together, unless there are more than three in a turn of the reactor; and no
    line is lost whatever becomes of the process.
    """

    def __init__(self, output: Output, write: AccessFormat) -> None:
        """Take where to, and what makes the lines."""
        self._output = output
        self._write = write

    def began(self, route: str, method: str) -> None:
        """See IRequestWatcher."""

    def ended(self, exchange: Exchange) -> None:
        """See IRequestWatcher."""
        self._output.write(self._write(exchange))

    def ended_alike(self, exchange: Exchange, hits: Sequence[Hit]) -> None:
        """See IRequestWatcher."""
        if hits:
            self._output.write(self._write.alike(exchange, hits))
