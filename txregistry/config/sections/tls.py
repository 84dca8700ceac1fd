"""``http.tls``: listening with TLS."""

from __future__ import annotations

from typing import Annotated, TypeVar

from attrs import field, frozen

from txregistry.config.fields import Ignored, Refused, Section

_T = TypeVar("_T")
_Refused = Annotated[_T, Refused("TLS")]


@frozen
class LetsEncrypt(Section):
    """``http.tls.letsencrypt``."""

    cachefile: Ignored[str] = ""
    email: Ignored[str] = ""
    hosts: Ignored[tuple[str, ...]] = ()
    directoryurl: Ignored[str] = ""


@frozen
class TLS(Section):
    """``http.tls``."""

    certificate: _Refused[str] = ""
    key: _Refused[str] = ""
    clientcas: _Refused[tuple[str, ...]] = ()
    clientauth: _Refused[str] = ""
    minimumtls: _Refused[str] = ""
    ciphersuites: _Refused[tuple[str, ...]] = ()
    letsencrypt: _Refused[LetsEncrypt] = field(factory=LetsEncrypt)
