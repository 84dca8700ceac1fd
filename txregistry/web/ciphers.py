"""Ciphers: the suites that the configuration names, as OpenSSL names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen
from OpenSSL import SSL

from txregistry.interfaces import InvalidOption

_TLS13: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)

# The names that either line of the Go registry knows: IANA's, and OpenSSL's.
_TLS12: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": "ECDHE-RSA-DES-CBC3-SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA": "DES-CBC3-SHA",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA": "ECDHE-ECDSA-RC4-SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA": "ECDHE-RSA-RC4-SHA",
    "TLS_RSA_WITH_RC4_128_SHA": "RC4-SHA",
}


@frozen
class Ciphers:
    """Cipher suites, in the order in which the server prefers them.

    Attributes:
        tls12: Those of TLS 1.2, as OpenSSL names them; empty: TLS 1.2 is not spoken.
        tls13: Those of TLS 1.3.
    """

    tls12: tuple[str, ...]
    tls13: tuple[str, ...]

    @classmethod
    def parse(cls, names: Sequence[str]) -> Ciphers:
        """Read IANA's names.

        Without a name of TLS 1.3, all of its suites are offered: as in the Go registry,
        that list is about TLS 1.2.

        Args:
            names: The names; empty: our own choice, all of them with forward secrecy.

        Raises:
            InvalidOption: A name is unknown, or OpenSSL has no such suite any more.
        """
        if not names:
            return DEFAULT
        tls13 = tuple(name for name in names if name in _TLS13)
        return cls(tuple(_tls12(names)), tls13 or _TLS13)


DEFAULT: Final = Ciphers(tuple([*_TLS12.values()][:6]), _TLS13)


def _tls12(names: Sequence[str]) -> Iterator[str]:
    for index, name in enumerate(names):
        if name in _TLS13:
            continue
        if name not in _TLS12:
            raise InvalidOption(f"ciphersuites.{index}", "is no known cipher suite")
        if not _is_offered(_TLS12[name]):
            problem = "is broken, and OpenSSL does not offer it any more; take it out"
            raise InvalidOption(f"ciphersuites.{index}", problem)
        yield _TLS12[name]


def _is_offered(name: str) -> bool:
    try:
        SSL.Context(SSL.TLS_SERVER_METHOD).set_cipher_list(name.encode("ascii"))
    except SSL.Error:
        return False
    return True
