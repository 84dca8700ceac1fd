"""``http.tls``: listening with TLS."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import attrs
from attrs import field, frozen

from txregistry.config.fields import Ignored, Invalid, Refused, Section, must
from txregistry.config.types import FileName

_ACME: Final = Refused(
    "fetching certificates from Let's Encrypt",
    "let certbot, lego or the like keep files and name them as http.tls.certificate "
    "and http.tls.key, which are loaded anew when they change, or put Caddy in front",
)


@frozen
class LetsEncrypt(Section):
    """``http.tls.letsencrypt``."""

    cachefile: Ignored[str] = ""
    email: Ignored[str] = ""
    hosts: Ignored[tuple[str, ...]] = ()
    directoryurl: Ignored[str] = ""


def _needs_certificate(
    tls: Any, attribute: attrs.Attribute[Any], value: object
) -> None:
    if value != attribute.default and not tls.certificate:
        raise Invalid(attribute.name, "has no effect without a certificate")


def _needs_authorities(
    tls: Any, attribute: attrs.Attribute[Any], value: object
) -> None:
    if value is not None and not tls.clientcas:
        raise Invalid(attribute.name, "has no effect without clientcas")


@frozen
class TLS(Section):
    """``http.tls``.

    Attributes:
        certificate: The file with the certificate and what leads to its root; empty:
            there is no TLS.
        key: The file with its private key.
        clientcas: Files with certificates that vouch for those of clients; none:
            clients are not asked for one.
        clientauth: What clients must show; None: a certificate that is vouched for.
        minimumtls: The oldest version that is spoken.
        ciphersuites: The cipher suites that are offered; none: our own choice.
    """

    certificate: FileName = field(default="")
    key: FileName = field(default="", validator=_needs_certificate)
    clientcas: tuple[str, ...] = field(default=(), validator=_needs_certificate)
    clientauth: (
        Literal[
            "request-client-cert",
            "require-any-client-cert",
            "verify-client-cert-if-given",
            "require-and-verify-client-cert",
        ]
        | None
    ) = field(default=None, validator=[_needs_certificate, _needs_authorities])
    minimumtls: Literal["tls1.0", "tls1.1", "tls1.2", "tls1.3"] = field(
        default="tls1.2",
        validator=[
            must(
                lambda version: version in ("tls1.2", "tls1.3"),
                "must be tls1.2 or tls1.3: older versions are broken, and not spoken",
            ),
            _needs_certificate,
        ],
    )
    ciphersuites: tuple[str, ...] = field(default=(), validator=_needs_certificate)
    letsencrypt: Annotated[LetsEncrypt, _ACME] = field(factory=LetsEncrypt)

    @certificate.validator
    def _check_certificate(
        self, _attribute: attrs.Attribute[str], certificate: str
    ) -> None:
        if certificate and not self.key:
            raise Invalid("certificate", "needs a key as well")
