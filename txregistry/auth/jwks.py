"""JWK sets: files with keys (RFC 7517, 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, OctKey

from txregistry.auth.keyids import fingerprint, public_key, thumbprint

_SHORTEST_SECRET: Final = 32
_KNOWN: Final = frozenset(
    [("EC", "P-256"), ("EC", "P-384"), ("EC", "P-521"), ("OKP", "Ed25519")]
)
_PRIVATE: Final = frozenset(["d", "p", "q", "dp", "dq", "qi", "oth", "key_ops"])


class BadKeySet(Exception):
    """A JWK set cannot be used. The text says why."""


def read_jwks(content: bytes) -> dict[str, Key]:
    """Read a JWK set.

    Keys that are not for signatures, and kinds that we do not know, are passed over.

    Returns:
        At least one key, by its ids: that of the set, and the two that follow from a
        public key.

    Raises:
        BadKeySet: It is none, or holds no key to sign tokens with.
    """
    try:
        members = json.loads(content)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        members = None
    if not isinstance(members, list):
        raise BadKeySet("is not a JWK set")
    named: dict[str, Key] = {}
    derived: dict[str, Key] = {}
    for number, member in enumerate(members, 1):
        if _is_for_signing(member):
            _add(member, f"key {number}", named, derived)
    if not derived and not named:
        raise BadKeySet("has no key that could sign tokens")
    return {**derived, **named}


def _is_for_signing(member: object) -> bool:
    if not isinstance(member, dict):
        raise BadKeySet("is not a JWK set")
    if member.get("use", "sig") != "sig":
        return False
    kind, curve = str(member.get("kty")), str(member.get("crv"))
    return kind in ("RSA", "oct") or (kind, curve) in _KNOWN


def _add(
    member: dict[str, Any], which: str, named: dict[str, Key], derived: dict[str, Key]
) -> None:
    """Read a key into those named by the set, and those named by what they are."""
    kid = member.get("kid")
    try:
        key = JWKRegistry.import_key(_without_private_half(member))
    except (JoseError, ValueError, TypeError, LookupError):
        raise BadKeySet(f"{which} cannot be read") from None
    public = public_key(key)
    if public is not None:
        derived.update({thumbprint(public): key, fingerprint(public): key})
    elif not kid:
        raise BadKeySet(f"{which} is a secret without a kid")
    elif isinstance(key, OctKey) and len(key.raw_value) < _SHORTEST_SECRET:
        raise BadKeySet(f"{which} is shorter than {_SHORTEST_SECRET} bytes")
    if kid and named.setdefault(kid, key) is not key:
        raise BadKeySet(f"{which} has the kid of another one")


def _without_private_half(member: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not for verifying."""
    if member["kty"] == "oct":
        return {name: value for name, value in member.items() if name != "key_ops"}
    return {name: value for name, value in member.items() if name not in _PRIVATE}
