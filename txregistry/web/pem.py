"""PEM: files with certificates and keys, read so that errors name the option."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from txregistry.interfaces import InvalidOption


@frozen
class Pair:
    """A certificate and its key.

    Attributes:
        chain: The certificate, and those that lead from it to its root's.
        key: The private key.
    """

    chain: list[x509.Certificate]
    key: PrivateKeyTypes

    @classmethod
    def load(cls, certificate: str, key: str) -> Pair:
        """Read two files, which may be one and the same.

        Raises:
            InvalidOption: One cannot be used, or they do not belong together.
        """
        chain = load_certificates("certificate", certificate)
        pair = cls(chain, _load_key(key))
        place = pair._place()
        if place is None:
            problem = f"{key} does not belong to the certificate in {certificate}"
            raise InvalidOption("key", problem)
        if place > 0:
            problem = f"{key} belongs to certificate {place + 1} in {certificate}"
            raise InvalidOption("key", f"{problem}, which must be the first")
        return pair

    def _place(self) -> int | None:
        wanted = _public_bytes(self.key)
        found = [_public_bytes(each) == wanted for each in self.chain]
        return found.index(True) if True in found else None


def load_certificates(option: str, file: str) -> list[x509.Certificate]:
    """Read a file of certificates.

    Args:
        option: The option that names it.
        file: Its path.

    Returns:
        At least one.

    Raises:
        InvalidOption: It cannot be used.
    """
    content = _read(option, file)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        problem = f"{file} is not a file of certificates in PEM form"
        raise InvalidOption(option, problem) from None


def _load_key(file: str) -> PrivateKeyTypes:
    content = _read("key", file)
    try:
        # An RSA key's primes are not tried, which takes up to half a second: whoever
        # uses the key shows better whether it works.
        return load_pem_private_key(content, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        problem = f"{file} is encrypted; write the key without a passphrase"
        raise InvalidOption("key", problem) from None
    except (ValueError, UnsupportedAlgorithm):
        problem = f"{file} has no private key in PEM form"
        raise InvalidOption("key", problem) from None


def _read(option: str, file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as error:
        raise InvalidOption(option, f"{file}: {error.strerror}") from None


def _public_bytes(owner: Any) -> bytes | None:
    """Return the public key of a certificate or a private key; None: of another kind.

    No two kinds that TLS cannot use are taken for the same.
    """
    try:
        key = owner.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
