"""Forwarded headers: what a client called us, and who it is, as proxies report it.

See RFC 7239; ``X-Forwarded-*`` are older, and in wider use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final

# Lenient as the Go registry is: blanks are let stand around the signs.
_PAIR: Final = re.compile(
    r"""\s*([^\s"(),/:;<=>?@\[\]{}]+)\s*=\s*"""
    r"""(?:"((?:[^"\\]|\\.)*)"|([^\s"(),/:;<=>?@\[\]{}]+))\s*"""
)
_ESCAPE: Final = re.compile(r"\\(.)")

_SCHEMES: Final = frozenset({"http", "https"})
# RFC 3986 3.2.2: a name or IPv4 address, or an IPv6 address; a port.
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)


def origin(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the scheme and the host that a client used, where a proxy says so.

    The first proxy's word counts. What cannot stand in a URL counts as not said.
    Anybody can send these headers: only a registry that is reached through a proxy
    alone may believe them.

    Args:
        headers: The request's, under lower-case names.

    Returns:
        The scheme, ``http`` or ``https``; the host, perhaps with a port. None for
        what is not said.
    """
    forwarded = headers.get("forwarded", "")
    if forwarded:
        # The one in the standard: the others are not looked at, even if it is broken.
        pairs = _first_element(forwarded)
        return _scheme(pairs.get("proto", "")), _host(pairs.get("host", ""))
    return (
        _scheme(headers.get("x-forwarded-proto", "").partition(",")[0]),
        _host(headers.get("x-forwarded-host", "").partition(",")[0]),
    )


def client(reported: Sequence[str], peer: str, trusts: Callable[[str], bool]) -> str:
    """Return the address of a client behind proxies.

    It is the nearest one that is no proxy of ours: what stands before it anybody can
    have written. ``Forwarded`` is not looked at: few proxies replace what a client
    has put there.

    Args:
        reported: The values of ``X-Forwarded-For``.
        peer: The address that the connection comes from.
        trusts: Says of an address whether it is a proxy's of ours.
    """
    if not reported:
        return peer
    addresses = ",".join(reported).split(",")
    while addresses and trusts(peer):
        try:
            peer = str(ip_address(addresses.pop().strip()))
        except ValueError:
            break
    return peer


def _first_element(forwarded: str) -> dict[str, str]:
    """Read a ``Forwarded`` header's first element; empty when it is malformed."""
    pairs: dict[str, str] = {}
    at = 0
    while (pair := _PAIR.match(forwarded, at)) is not None:
        at = pair.end()
        name = pair[1].lower()
        if name in pairs:
            return {}
        pairs[name] = pair[3] if pair[2] is None else _ESCAPE.sub(r"\1", pair[2])
        if forwarded[at : at + 1] != ";":
            break
        at += 1
    return pairs if forwarded[at : at + 1] in ("", ",") else {}


def _scheme(text: str) -> str | None:
    """Return a scheme that we are reached by; None for anything else."""
    scheme = text.strip().lower()
    return scheme if scheme in _SCHEMES else None


def _host(text: str) -> str | None:
    """Return a host that can stand in a URL; None for anything else."""
    host = text.strip()
    return host if _HOST.fullmatch(host) else None
