"""Exchanges: what is told of a request when it has ended."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from txregistry.interfaces import Exchange

_USERINFO: Final = re.compile(rb"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")
_SECRETS: Final = frozenset(
    {
        *(b"_state", b"token", b"access_token", b"refresh_token"),
        *(b"password", b"secret", b"signature", b"sig"),
    }
)


def exchange_of(request: Any) -> Exchange:
    """Return what is known of a request, which may have been none at all."""
    identity, parts = request.identity, request.parts
    header = request.requestHeaders.getRawHeaders
    referer, agent = header(b"referer"), header(b"user-agent")
    now = request.channel.site.seconds()
    began = now if request.began is None else request.began
    body = request.body
    return Exchange(
        id=request.id,
        began=began,
        seconds=max(now - began, 0.0),
        address=request.getClientAddress().host,
        user=None if identity is None else identity.name,
        method=request.method.decode("latin-1"),
        uri=masked(request.uri).decode("latin-1"),
        protocol=request.clientproto.decode("latin-1"),
        referer=masked(referer[0]).decode("latin-1") if referer else None,
        agent=agent[0].decode("latin-1") if agent else None,
        route=request.route,
        repository=parts.get("name"),
        reference=_reference(parts),
        status=request.code,
        received=0 if body is None else body.received,
        sent=request.sentLength,
    )


def _reference(parts: dict[str, str]) -> str | None:
    found = parts.get("tag_or_digest") or parts.get("digest")
    return found or parts.get("session_id")


def masked(uri: bytes) -> bytes:
    """Return a target or a URL without what its reader could use.

    That is the state of somebody's upload, and what people put into URLs although it
    has no place there: names with passwords, tokens.
    """
    if not uri.startswith(b"/"):
        uri = _USERINFO.sub(rb"\1***@", uri)
    if b"?" not in uri:
        return uri
    path, mark, query = uri.partition(b"?")
    return path + mark + b"".join(map(_shown, re.split(b"([&;])", query)))


def _shown(parameter: bytes) -> bytes:
    name = unquote_to_bytes(parameter.partition(b"=")[0])
    return name + b"=***" if name.lower() in _SECRETS else parameter
