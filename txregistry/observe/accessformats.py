"""Access formats: what came of a request, as a line.

Made for each request, so these are as cheap as they can be: strings put together, and
moments of one second rendered once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, Final, TypeAlias

from txregistry.interfaces import Exchange
from txregistry.observe.escaping import one_line, quotable, word
from txregistry.observe.paint import Paint
from txregistry.observe.stamps import (
    Stamp,
    combined,
    milliseconds,
    rfc3339,
    time_of_day,
)

AccessFormat: TypeAlias = Callable[[Exchange], str]
"""Makes a line, with its end."""

_COLOURS: Final = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}  # by hundreds
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


class CombinedFormat:
    """Apache's and NCSA's combined format."""

    def __init__(self) -> None:
        """Prepare."""
        self._stamp = Stamp(combined)

    def __call__(self, exchange: Exchange) -> str:
        """See AccessFormat."""
        user = exchange.user
        return (
            f"{exchange.address} - {word(user) if user else '-'} "
            f"[{self._stamp.of(exchange.began)}] "
            f'"{quotable(exchange.method)} {quotable(exchange.uri)} '
            f'{quotable(exchange.protocol)}" {exchange.status} {exchange.sent} '
            f'"{quotable(exchange.referer or "-")}" '
            f'"{quotable(exchange.agent or "-")}"\n'
        )


class JSONAccessFormat:
    """A JSON object a line, with all that is known."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Take what each line has besides."""
        self._stamp = Stamp(rfc3339)
        besides = {_besides(name): value for name, value in fields.items()}
        shown = json.dumps(besides, separators=(",", ":"), default=str)
        self._more = f",{shown[1:-1]}" if besides else ""

    def __call__(self, exchange: Exchange) -> str:
        """See AccessFormat."""
        began, quote = exchange.began, encode_basestring_ascii
        user, repository = exchange.user, exchange.repository
        reference, referer = exchange.reference, exchange.referer
        agent = exchange.agent
        return (
            f'{{"time":"{self._stamp.of(began)}{milliseconds(began)}",'
            f'"logger":"access","request_id":{quote(exchange.id)},'
            f'"remote":{quote(exchange.address)},'
            f'"user":{"null" if user is None else quote(user)},'
            f'"method":{quote(exchange.method)},"uri":{quote(exchange.uri)},'
            f'"protocol":{quote(exchange.protocol)},"route":{quote(exchange.route)},'
            f'"repository":{"null" if repository is None else quote(repository)},'
            f'"reference":{"null" if reference is None else quote(reference)},'
            f'"status":{exchange.status},"bytes_in":{exchange.received},'
            f'"bytes_out":{exchange.sent},"duration":{exchange.seconds:.6f},'
            f'"referer":{"null" if referer is None else quote(referer)},'
            f'"user_agent":{"null" if agent is None else quote(agent)}'
            f"{self._more}}}\n"
        )


class TerminalAccessFormat:
    """Short lines in columns and colours, for somebody who looks on."""

    def __init__(self, coloured: bool) -> None:
        """Take whether there are colours."""
        self._stamp = Stamp(time_of_day)
        self._paint = Paint(coloured)

    def __call__(self, exchange: Exchange) -> str:
        """See AccessFormat."""
        paint, status = self._paint, exchange.status
        details = [f"{exchange.seconds * 1000:.0f} ms", _size(exchange)]
        if exchange.user is not None:
            details.append(one_line(exchange.user))
        return (
            f"{paint('dim', self._stamp.of(exchange.began))} "
            f"{paint(_COLOURS.get(status // 100, 'dim'), f'{status:<5}')} "
            f"{quotable(exchange.method):6} {quotable(exchange.uri)} "
            f"{paint('dim', ' '.join([*details, exchange.id[:8]]))}\n"
        )


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
