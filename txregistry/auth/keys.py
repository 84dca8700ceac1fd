"""Keys: those that an operator trusts tokens to be signed with."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen
from cryptography import x509
from joserfc.jwk import Key
from joserfc.jwk import thumbprint as thumbprint_of_members

from txregistry.auth.certificates import (
    Anchors,
    BadCertificate,
    read_certificate,
    read_certificates,
)
from txregistry.auth.jwks import BadKeySet, read_jwks
from txregistry.auth.jws import BadToken
from txregistry.auth.keyids import (
    PublicKey,
    fingerprint,
    key_of,
    public_jwk,
    public_key,
    thumbprint,
)
from txregistry.interfaces import InvalidOption

_LONGEST_CHAIN: Final = 8
_NEVER: Final = float("inf")
_THUMBED: Final = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}
"""What a key's thumbprint is made of, by its kind (RFC 7638, 3.2; RFC 8037, 2)."""


@frozen
class Signer:
    """The key that a token is to be signed with.

    Attributes:
        key: The key.
        ours: Whether it is our own token service's.
        not_after: Until when it is trusted, in seconds since the epoch.
    """

    key: Key = field(repr=False)
    ours: bool
    not_after: float


@frozen
class TrustedKeys:
    """Keys and certificates that an operator trusts.

    Attributes:
        ids: The keys by each of their ids.
        certificates: What chains of certificates are to lead to.
        own: The fingerprints of our own token service's keys.
    """

    ids: Mapping[str, Key] = field(factory=dict, repr=lambda ids: f"{sorted(ids)}")
    certificates: tuple[x509.Certificate, ...] = ()
    own: frozenset[str] = frozenset()
    _anchors: Anchors = field(init=False, repr=False, eq=False)

    @_anchors.default
    def _make_anchors(self) -> Anchors:
        return Anchors(self.certificates)

    def trusting(self, certificates: Iterable[x509.Certificate]) -> TrustedKeys:
        """Trust certificates and their keys besides."""
        more = tuple(certificates)
        keys = [key for each in more if (key := key_of(each)) is not None]
        ids = {**self.ids, **_ids_of(keys)}
        return evolve(self, ids=ids, certificates=self.certificates + more)

    def trusting_own(
        self, key: PublicKey, certificates: Iterable[x509.Certificate] = ()
    ) -> TrustedKeys:
        """Trust the key of our own token service besides, with its certificates."""
        more = self.trusting(certificates)
        ids = {**more.ids, **_ids_of([key])}
        return evolve(more, ids=ids, own=more.own | {fingerprint(key)})

    def signer(self, header: Mapping[str, Any], now: float) -> Signer:
        """Find the key that a token with this header is to be signed with.

        A chain of certificates (``x5c``) counts before a key (``jwk``), that before
        the id of one (``kid``); if the first one there does not hold, nothing does.

        Args:
            header: The token's header, of which nothing is true yet.
            now: The time, in seconds since the epoch.

        Raises:
            BadToken: It names no key that is trusted.
        """
        jwk = header.get("jwk")
        if _has_chain(header):
            return self._by_chain(header["x5c"], now)
        if jwk is None:
            return self._by_ids([header.get("kid")])
        if not isinstance(jwk, dict):
            raise BadToken("jwk is not a key")
        if _has_chain(jwk):
            return self._by_chain(jwk["x5c"], now)
        # Whatever the jwk says, the key that we trust is the one that we have.
        return self._by_ids([jwk.get("kid"), _claimed_thumbprint(jwk)])

    def _by_chain(self, x5c: object, now: float) -> Signer:
        try:
            leaf = self._anchors.verify(_chain(x5c), now)
        except BadCertificate as error:
            raise BadToken(f"x5c: {error}") from None
        key = key_of(leaf.certificate)
        if key is None:
            raise BadToken("x5c: a key of another kind")
        return Signer(public_jwk(key), fingerprint(key) in self.own, leaf.not_after)

    def _by_ids(self, ids: Iterable[object]) -> Signer:
        for each in ids:
            if isinstance(each, str) and each in self.ids:
                key = self.ids[each]
                public = public_key(key)
                ours = public is not None and fingerprint(public) in self.own
                return Signer(key, ours, _NEVER)
        raise BadToken("signed with a key that is not trusted")


def load_trusted_keys(
    rootcertbundle: str | None = None, jwks: str | None = None
) -> TrustedKeys:
    """Read the files that an operator names.

    Args:
        rootcertbundle: A PEM file with certificates; None: there is none.
        jwks: A file with a JWK set; None: there is none.

    Raises:
        InvalidOption: One cannot be used; the text names the file.
    """
    keys = TrustedKeys()
    if rootcertbundle is not None:
        content = _read("rootcertbundle", rootcertbundle)
        try:
            keys = keys.trusting(read_certificates(content))
        except BadCertificate as error:
            problem = f"{rootcertbundle}: {error}"
            raise InvalidOption("rootcertbundle", problem) from None
    if jwks is not None:
        content = _read("jwks", jwks)
        try:
            # As with the Go registry, these count before the bundle's.
            keys = evolve(keys, ids={**keys.ids, **read_jwks(content)})
        except BadKeySet as error:
            raise InvalidOption("jwks", f"{jwks}: {error}") from None
    return keys


def _read(option: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidOption(option, f"{path}: {error.strerror}") from None


def _ids_of(keys: Iterable[PublicKey]) -> dict[str, Key]:
    """Return keys by their ids in both styles."""
    ids: dict[str, Key] = {}
    for key in keys:
        ids[fingerprint(key)] = ids[thumbprint(key)] = public_jwk(key)
    return ids


def _has_chain(members: Mapping[str, Any]) -> bool:
    return members.get("x5c") not in (None, [])


def _chain(x5c: object) -> list[x509.Certificate]:
    """Read the certificates of a header (RFC 7515, 4.1.6).

    Raises:
        BadToken: They are malformed, or too many.
    """
    if not isinstance(x5c, list) or len(x5c) > _LONGEST_CHAIN:
        raise BadToken("x5c is not a chain")
    try:
        return [read_certificate(b64decode(each, validate=True)) for each in x5c]
    except (ValueError, TypeError, BadCertificate):
        raise BadToken("x5c is not a chain") from None


def _claimed_thumbprint(jwk: Mapping[str, Any]) -> str | None:
    """Return the id of what a header says is a key; None: it is none.

    The key itself is not read, as reading what anybody sends can be made expensive.
    """
    kind = jwk.get("kty")
    names = _THUMBED.get(kind) if isinstance(kind, str) else None
    members = {name: jwk.get(name) for name in names or ()}
    if not members or not all(isinstance(each, str) for each in members.values()):
        return None
    return thumbprint_of_members(members)
