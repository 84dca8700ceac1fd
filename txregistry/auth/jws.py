"""JWS: signed tokens in compact form, read strictly (RFC 7515, RFC 8725)."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NoReturn

from attrs import frozen
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

ALGORITHMS: Final = frozenset(
    [
        *("EdDSA", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512"),
        *("ES256", "ES384", "ES512", "PS256", "PS384", "PS512"),
    ]
)
"""All that there are, as in the Go registry 3; ``none`` is not among them."""

LONGEST: Final = 65536
"""Characters of a token; the headers of a request have less room, as a rule."""

_COMPACT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)


class BadToken(Exception):
    """A token is malformed, or its signature does not hold. The text says why."""


class _Registry(jws.JWSRegistry):
    """What joserfc is to take: it goes by our list alone, and warns of nothing."""

    def get_alg(self, name: str) -> Any:
        """See JWSRegistry. Names an algorithm of the list, or raises."""
        if name not in (self.allowed or ()) or name == "none":
            raise BadToken("alg is not allowed")
        return self.algorithms[name]

    def check_header(self, header: Mapping[str, Any]) -> None:
        """See JWSRegistry. SignedToken has looked at it already."""


@frozen
class SignedToken:
    """A token taken apart; nothing of it is true before ``verify``.

    Attributes:
        header: The members of its header; ``alg`` is a text.
        claims: The members of its payload.
    """

    header: dict[str, Any]
    claims: dict[str, Any]
    _signed: jws.CompactSignature

    @classmethod
    def parse(cls, text: str) -> SignedToken:
        """Take a token apart.

        Raises:
            BadToken: It is not a compact JWS of two JSON objects, names a member
                twice, or wants something understood that we do not (``crit``).
        """
        if len(text) > LONGEST:
            raise BadToken("too long")
        match = _COMPACT.fullmatch(text)
        if match is None:
            raise BadToken("not a compact JWS")
        first, second, third = match.groups()
        header, payload = _decode(first), _decode(second)
        _decode(third)
        members = _object(header)
        if not isinstance(members.get("alg"), str):
            raise BadToken("has no alg")
        if not members.keys().isdisjoint(("crit", "b64")):
            raise BadToken("has critical extensions")
        signed = jws.CompactSignature(members, payload)
        signed.segments["header"] = first.encode()
        signed.segments["payload"] = second.encode()
        signed.segments["signature"] = third.encode()
        return cls(members, _object(payload), signed)

    def verify(self, key: Key, algorithms: Collection[str]) -> None:
        """Check the signature.

        Args:
            key: The key that it is to be made with. It has to be of the kind that the
                token's algorithm takes: an HMAC wants a secret, and no public key.
            algorithms: Those allowed.

        Raises:
            BadToken: It does not hold.
        """
        registry = _Registry(algorithms=algorithms)
        try:
            holds = jws.validate_compact(self._signed, key, registry=registry)
        except (JoseError, ValueError) as error:
            raise BadToken(str(error)) from None
        if not holds:
            raise BadToken("the signature does not hold")


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: Key) -> str:
    """Sign claims.

    Args:
        header: What the token's header is to hold; ``alg`` is one of ``ALGORITHMS``.
        claims: What its payload is to hold.
        key: The key, with its private half.
    """
    payload = json.dumps(claims, separators=(",", ":"))
    registry = _Registry(algorithms=[header["alg"]])
    return jws.serialize_compact(dict(header), payload, key, registry=registry)


def _decode(text: str) -> bytes:
    """Decode a part. Only one text stands for each content.

    Raises:
        BadToken: It is not base64url.
    """
    spare = len(text) % 4
    # Of the last character of an odd length, some bits are for nothing.
    if spare == 1 or (spare and text[-1] not in _LAST[spare]):
        raise BadToken("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


_LAST: Final = {2: "AQgw", 3: "AEIMQUYcgkosw048"}


def _object(content: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        BadToken: It is none, or not as RFC 7515 wants it (unique member names).
    """
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        raise BadToken("not JSON") from None
    if not isinstance(value, dict):
        raise BadToken("not a JSON object")
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadToken("a member is named twice")
    return members


def _refuse(constant: str) -> NoReturn:
    raise BadToken(f"{constant} is not JSON")
