"""Access formats: what came of a request, as a line.

Made for each request, so these are as cheap as they can be: strings put together, and
moments of one second rendered once.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, Final, TypeAlias

from txregistry.interfaces import Exchange, Hit
from txregistry.observe.escaping import is_quotable, one_line, quotable, word
from txregistry.observe.paint import Paint
from txregistry.observe.stamps import (
    Stamp,
    combined,
    milliseconds,
    rfc3339,
    time_of_day,
)

Line: TypeAlias = Callable[[Any], str]
"""Makes a line of a request that is like others: of its Hit, or of all that it is."""


class AccessFormat(ABC):
    """Makes a line of a request, with its end."""

    def __call__(self, exchange: Exchange) -> str:
        """Return a request's line."""
        return self.line_of(exchange)(exchange)

    @abstractmethod
    def line_of(self, exchange: Exchange) -> Line:
        """Return what makes the lines of all requests that are like one.

        What it is given has all that a Hit has.
        """


_COLOURS: Final = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}  # by hundreds
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


class CombinedFormat(AccessFormat):
    """Apache's and NCSA's combined format."""

    def __init__(self) -> None:
        """Prepare."""
        self._stamp = Stamp(combined)

    def line_of(self, exchange: Exchange) -> Line:
        """See AccessFormat."""
        stamp, user = self._stamp.of, word(exchange.user) if exchange.user else "-"
        method, uri, protocol = exchange.method, exchange.uri, exchange.protocol
        referer, agent = exchange.referer or "-", exchange.agent or "-"
        if not is_quotable(f"{method}{uri}{protocol}{referer}{agent}"):
            method, uri, protocol = quotable(method), quotable(uri), quotable(protocol)
            referer, agent = quotable(referer), quotable(agent)
        rest = (
            f'"{method} {uri} {protocol}" {exchange.status} {exchange.sent} '
            f'"{referer}" "{agent}"\n'
        )

        def line(hit: Hit) -> str:
            return f"{hit.address} - {user} [{stamp(hit.began)}] {rest}"

        return line


class JSONAccessFormat(AccessFormat):
    """A JSON object a line, with all that is known."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Take what each line has besides."""
        self._stamp = Stamp(rfc3339)
        besides = {_besides(name): value for name, value in fields.items()}
        shown = json.dumps(besides, separators=(",", ":"), default=str)
        self._more = f",{shown[1:-1]}" if besides else ""

    def line_of(self, exchange: Exchange) -> Line:
        """See AccessFormat."""
        stamp, quote = self._stamp.of, encode_basestring_ascii
        user, repository = exchange.user, exchange.repository
        reference, referer = exchange.reference, exchange.referer
        agent = exchange.agent
        middle = (
            f'"user":{"null" if user is None else quote(user)},'
            f'"method":{quote(exchange.method)},"uri":{quote(exchange.uri)},'
            f'"protocol":{quote(exchange.protocol)},"route":{quote(exchange.route)},'
            f'"repository":{"null" if repository is None else quote(repository)},'
            f'"reference":{"null" if reference is None else quote(reference)},'
            f'"status":{exchange.status},"bytes_in":{exchange.received},'
            f'"bytes_out":{exchange.sent},"duration":'
        )
        rest = (
            f',"referer":{"null" if referer is None else quote(referer)},'
            f'"user_agent":{"null" if agent is None else quote(agent)}'
            f"{self._more}}}\n"
        )

        def line(hit: Hit) -> str:
            began = hit.began
            return (
                f'{{"time":"{stamp(began)}{milliseconds(began)}",'
                f'"logger":"access","request_id":{quote(hit.id)},'
                f'"remote":{quote(hit.address)},{middle}{hit.seconds:.6f}{rest}'
            )

        return line


class TerminalAccessFormat(AccessFormat):
    """Short lines in columns and colours, for somebody who looks on."""

    def __init__(self, coloured: bool) -> None:
        """Take whether there are colours."""
        self._stamp = Stamp(time_of_day)
        self._paint = Paint(coloured)

    def line_of(self, exchange: Exchange) -> Line:
        """See AccessFormat."""
        paint, status, size = self._paint, exchange.status, _size(exchange)
        user = "" if exchange.user is None else f"{one_line(exchange.user)} "
        middle = (
            f"{paint(_COLOURS.get(status // 100, 'dim'), f'{status:<5}')} "
            f"{quotable(exchange.method):6} {quotable(exchange.uri)}"
        )

        def line(hit: Hit) -> str:
            took = f"{hit.seconds * 1000:.0f} ms {size} {user}{hit.id[:8]}"
            return (
                f"{paint('dim', self._stamp.of(hit.began))} {middle} "
                f"{paint('dim', took)}\n"
            )

        return line


_NAMES: Final = frozenset(
    {
        *("time", "logger", "request_id", "remote", "user", "method", "uri"),
        *("protocol", "route", "repository", "reference", "status", "bytes_in"),
        *("bytes_out", "duration", "referer", "user_agent"),
    }
)


def _besides(name: str) -> str:
    return f"fields.{name}" if name in _NAMES else name


def _size(exchange: Exchange) -> str:
    size = float(max(exchange.received, exchange.sent))
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
