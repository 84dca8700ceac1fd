"""Exchanges: what is told of a request when it has ended."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from txregistry.interfaces import Exchange

# The status in the log of a request whose client did not wait for the answer's end:
# nginx's, and the Go registry's.
CLIENT_LEFT: Final = 499

_USERINFO: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")
_PARAMETER: Final = re.compile("[^&;]+")
_SECRETS: Final = frozenset(
    {
        *("_state", "token", "access_token", "refresh_token"),
        *("password", "secret", "signature", "sig"),
    }
)


def exchange_of(request: Any) -> Exchange:
    """Return what is known of a request, which may have been none at all."""
    identity, parts, body = request.identity, request.parts, request.body
    referer, agent = request.header("referer"), request.header("user-agent")
    now = request.channel.site.seconds()
    began = now if request.began is None else request.began
    uri = str(request.uri, "latin-1")
    if "?" in uri or not uri.startswith("/"):
        uri = masked(uri)
    return Exchange(
        id=request.id,
        began=began,
        seconds=now - began if now > began else 0.0,
        address=request.getClientAddress().host,
        user=None if identity is None else identity.name,
        method=str(request.method, "latin-1"),
        uri=uri,
        protocol=str(request.clientproto, "latin-1"),
        referer=masked(referer) if referer else referer,
        agent=agent,
        route=request.route,
        repository=parts.get("name") if parts else None,
        reference=_reference(parts) if parts else None,
        status=request.code,
        received=0 if body is None else body.received,
        sent=request.sentLength,
    )


def _reference(parts: dict[str, str]) -> str | None:
    found = parts.get("tag_or_digest") or parts.get("digest")
    return found or parts.get("session_id")


def masked(uri: str) -> str:
    """Return a target or a URL, in Latin-1, without what its reader could use.

    That is the state of somebody's upload, and what people put into URLs although it
    has no place there: names with passwords, tokens.
    """
    if not uri.startswith("/"):
        uri = _USERINFO.sub(r"\1***@", uri)
    if "?" not in uri:
        return uri
    path, mark, query = uri.partition("?")
    return path + mark + _PARAMETER.sub(_shown, query)


def _shown(parameter: re.Match[str]) -> str:
    name = parameter[0].partition("=")[0]
    if "%" in name:
        name = unquote_to_bytes(name).decode("latin-1")
    return name + "=***" if name.lower() in _SECRETS else parameter[0]
