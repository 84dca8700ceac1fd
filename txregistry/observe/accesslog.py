"""Access log: a line for each request."""

from __future__ import annotations

from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces import Exchange, IRequestWatcher

_log = Logger(namespace="txregistry.access")


@implementer(IRequestWatcher)
class AccessLog:
    """Writes a line for each request, in the combined format."""

    def began(self, route: str, method: str) -> None:
        """See IRequestWatcher."""

    def ended(self, exchange: Exchange) -> None:
        """See IRequestWatcher."""
        _log.info(
            '{address} "{method} {uri} {protocol}" {status} {sent} "{agent}"',
            address=exchange.address,
            method=_shown(exchange.method),
            uri=_shown(exchange.uri),
            protocol=_shown(exchange.protocol),
            status=exchange.status,
            sent=exchange.sent,
            agent=_shown(exchange.agent or "-"),
        )


def _shown(text: str) -> str:
    """Return what a client sent so that it cannot pass for anything else in a log."""
    return "".join(
        char if " " <= char < "\x7f" and char not in '"\\' else f"\\x{ord(char):02x}"
        for char in text
    )
