"""TokenKey: what our own token service signs with."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from twisted.internet.defer import Deferred

from txregistry.auth.certificates import (
    BadCertificate,
    PrivateKey,
    read_certificates,
    self_signed,
)
from txregistry.auth.jws import sign
from txregistry.auth.keyids import PublicKey, fingerprint, key_of
from txregistry.interfaces import InvalidOption

KEY_OPTION: Final = "server.key"
CERTIFICATE_OPTION: Final = "server.certificate"

_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_SHORTEST_RSA: Final = 2048


class BadKey(Exception):
    """A private key cannot be used. The text says why."""


@frozen
class TokenKey:
    """A private key that signs tokens, and the certificates for it.

    Attributes:
        certificates: Its certificate, then those that lead to a well-known one; empty:
            tokens name the key by its id alone, which only the Go registry 2 and we
            ourselves understand.
        algorithm: How it signs, as JOSE calls it.
        kid: Its id, in the style of libtrust.
    """

    _private: PrivateKey = field(repr=False)
    certificates: tuple[x509.Certificate, ...] = ()
    algorithm: str = field(init=False)
    kid: str = field(init=False)
    _jwk: Key = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Check that the certificate is the key's."""
        if self.certificates and key_of(self.certificates[0]) != self.public:
            raise BadKey("the certificate is another key's")

    @algorithm.default
    def _find_algorithm(self) -> str:
        return _algorithm(self._private)

    @kid.default
    def _find_kid(self) -> str:
        return fingerprint(self.public)

    @_jwk.default
    def _make_jwk(self) -> Key:
        return _jwk(self._private)

    @classmethod
    def make(cls, common_name: str, now: float) -> TokenKey:
        """Make a new key (ES256) and a self-signed certificate for it.

        Args:
            common_name: What the certificate is to be called.
            now: The time, in seconds since the epoch.
        """
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(private, (self_signed(private, common_name, now),))

    @classmethod
    def from_pem(cls, pem: bytes) -> TokenKey:
        """Read a private key, and certificates if there are any.

        Raises:
            BadKey: It cannot be used.
        """
        try:
            private = load_pem_private_key(pem, None)
        except TypeError:
            raise BadKey("is encrypted") from None
        except (ValueError, UnsupportedAlgorithm):
            raise BadKey("has no private key that can be read") from None
        if not isinstance(private, PrivateKey):
            raise BadKey("is of a kind that signs no tokens")
        certificates = read_certificates(pem) if b"BEGIN CERTIFICATE" in pem else ()
        return cls(private, tuple(certificates))

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return self._private.public_key()

    @property
    def certificates_pem(self) -> bytes:
        """The certificates, as other registries' ``rootcertbundle`` wants them."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in self.certificates)

    def to_pem(self) -> bytes:
        """Return the key, not encrypted, and its certificates."""
        key = self._private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        return key + self.certificates_pem

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token with these claims."""
        header: dict[str, Any] = {"typ": "JWT", "alg": self.algorithm, "kid": self.kid}
        if self.certificates:
            ders = (each.public_bytes(Encoding.DER) for each in self.certificates)
            header["x5c"] = [b64encode(der).decode() for der in ders]
        return sign(header, claims, self._jwk)

    def secret(self, purpose: str) -> bytes:
        """Derive 32 bytes that only who has the key can know, one for each purpose."""
        info = f"txregistry {purpose}".encode()
        kdf = HKDF(SHA256(), length=32, salt=None, info=info)
        return kdf.derive(_private_bytes(self._private))


def load_token_key(key: str, certificate: str | None = None) -> TokenKey:
    """Read the files that an operator names.

    Args:
        key: A PEM file with a private key, and maybe with its certificates.
        certificate: A PEM file with the certificates; None: there is none.

    Raises:
        InvalidOption: One cannot be used; the text names the file.
    """
    try:
        found = TokenKey.from_pem(Path(key).read_bytes())
    except OSError as error:
        raise InvalidOption(KEY_OPTION, f"{key}: {error.strerror}") from None
    except (BadKey, BadCertificate) as error:
        raise InvalidOption(KEY_OPTION, f"{key}: {error}") from None
    if certificate is None:
        return found
    try:
        chain = read_certificates(Path(certificate).read_bytes())
        return TokenKey(found._private, tuple(chain))
    except OSError as error:
        problem = f"{certificate}: {error.strerror}"
        raise InvalidOption(CERTIFICATE_OPTION, problem) from None
    except (BadKey, BadCertificate) as error:
        raise InvalidOption(CERTIFICATE_OPTION, f"{certificate}: {error}") from None


async def kept_token_key(
    load: Callable[[], Deferred[bytes | None]],
    save: Callable[[bytes], Deferred[None]],
    make: Callable[[], TokenKey],
) -> TokenKey:
    """Return the key that is kept; make it at the first time.

    Two processes that start on an empty store in the same instant can end up with
    different ones until one is restarted.

    Args:
        load: Returns what was saved; None: nothing yet.
        save: Keeps it, where nobody else can read it.
        make: Makes a key.

    Raises:
        BadKey, BadCertificate: What was saved cannot be used.
    """
    pem = await load()
    if pem is None:
        await save(make().to_pem())
        pem = await load()
    if pem is None:
        raise BadKey("was not kept")
    return TokenKey.from_pem(pem)


def _algorithm(private: PrivateKey) -> str:
    """Name the algorithm for a key.

    Raises:
        BadKey: There is none.
    """
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    if isinstance(private, rsa.RSAPrivateKey):
        if private.key_size < _SHORTEST_RSA:
            raise BadKey(f"is shorter than {_SHORTEST_RSA} bits")
        return "RS256"
    try:
        return _CURVES[private.curve.name]
    except KeyError:
        raise BadKey("is on a curve that signs no tokens") from None


def _jwk(private: PrivateKey) -> Key:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if isinstance(private, rsa.RSAPrivateKey):
        return RSAKey.import_key(pem)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return ECKey.import_key(pem)
    return OKPKey.import_key(pem)


def _private_bytes(private: PrivateKey) -> bytes:
    """Return what is private of a key, in a form that no library can change."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.private_bytes_raw()
    if isinstance(private, rsa.RSAPrivateKey):
        number = private.private_numbers().d
    else:
        number = private.private_numbers().private_value
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
