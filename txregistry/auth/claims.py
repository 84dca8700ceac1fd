"""Claims: what a token says, once its signature holds (RFC 7519, 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from txregistry.auth.jws import BadToken
from txregistry.interfaces import Identity
from txregistry.oci.access import Access

LEEWAY: Final = 60
"""Seconds by which clocks may differ; the Go registry's."""

OWN_CLAIM: Final = "txregistry"
"""The claim in which our token service tells our registry more about the subject."""

_KINDS: Final = frozenset(["anonymous", "user", "token", "certificate"])
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@frozen
class Claims:
    """A token's claims.

    Attributes:
        issuer: Who has issued it.
        audience: What services it is for.
        not_before: From when it holds, in seconds since the epoch.
        not_after: Until when, in seconds since the epoch.
        subject: Whom it is for; None: nobody in particular.
        grants: What it lets its bearer do.
    """

    issuer: str
    audience: frozenset[str]
    not_before: int
    not_after: int
    subject: str | None
    grants: frozenset[Access]

    @classmethod
    def parse(cls, members: Mapping[str, Any]) -> Claims:
        """Read a token's payload.

        Raises:
            BadToken: A claim that has to be there is not, or one is of another type
                than it ought to be.
        """
        audience = members.get("aud")
        several = audience if isinstance(audience, list) else [audience]
        begin, subject = members.get("nbf"), members.get("sub")
        return cls(
            issuer=_text("iss", members.get("iss")),
            audience=frozenset(_text("aud", each) for each in several),
            not_before=0 if begin is None else _time("nbf", begin),
            not_after=_time("exp", members.get("exp")),
            subject=None if subject is None else _text("sub", subject) or None,
            grants=frozenset(_accesses(members.get("access"))),
        )

    def check(self, issuer: str, service: str, now: float) -> None:
        """Check that the token is from an issuer, for a service, and for this time.

        Raises:
            BadToken: It is not.
        """
        if self.issuer != issuer:
            raise BadToken("from another issuer")
        if service not in self.audience:
            raise BadToken("for another audience")
        if now > self.not_after + LEEWAY:
            raise BadToken("expired")
        if now < self.not_before - LEEWAY:
            raise BadToken("not valid yet")


def own_identity(claims: Claims, members: Mapping[str, Any]) -> Identity:
    """Say who the bearer of a token of our own token service is.

    Raises:
        BadToken: Our own claim is malformed.
    """
    own = members.get(OWN_CLAIM, {})
    kind = own.get("kind", "token") if isinstance(own, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadToken(f"{OWN_CLAIM} is malformed")
    groups = frozenset(_texts("groups", own.get("groups")))
    return Identity(claims.subject, kind, groups, claims.grants)


def own_claim(identity: Identity) -> dict[str, Any]:
    """Return the claim from which ``own_identity`` makes an identity again."""
    return {"kind": identity.kind, "groups": sorted(identity.groups)}


def access_claim(accesses: Iterable[Access]) -> list[dict[str, Any]]:
    """Return what a token says in ``access``, one element for each thing."""
    actions: dict[tuple[str, str], list[str]] = {}
    for access in accesses:
        actions.setdefault((access.kind, access.name), []).append(access.action)
    return [
        {"type": kind, "name": name, "actions": each}
        for (kind, name), each in actions.items()
    ]


def _accesses(value: object) -> Iterator[Access]:
    for each in _list("access", value):
        if not isinstance(each, dict):
            raise BadToken("access is malformed")
        # The class, in tokens of old, is for nothing.
        kind, name = _text("type", each.get("type")), _text("name", each.get("name"))
        for action in _texts("actions", each.get("actions")):
            yield Access(kind, name, action)


def _texts(name: str, value: object) -> list[str]:
    return [_text(name, each) for each in _list(name, value)]


def _list(name: str, value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadToken(f"{name} is malformed")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or _CONTROLS.search(value):
        raise BadToken(f"{name} is missing or malformed")
    return value


def _time(name: str, value: object) -> int:
    if type(value) is not int:
        raise BadToken(f"{name} is missing or malformed")
    return value
