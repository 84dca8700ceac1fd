"""``http.listeners``: where else to listen."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs
from attrs import field, frozen

from txregistry.config.addresses import FileMode, SocketPath
from txregistry.config.fields import Invalid, Section
from txregistry.config.types import ListenAddress

Net = Literal["tcp", "unix"]

_PATH: Final = 'must be a path such as "/run/registry.sock", as net is unix'
_ADDRESS: Final = (
    'must be an address such as ":5000" or "[::1]:5000"; a path needs "net: unix"'
)


def fits_net(
    place: Any, attribute: attrs.Attribute[Any], addr: ListenAddress | None
) -> None:
    """Check that an address is of the kind that ``net`` says; a validator."""
    if addr is None and place.net == "unix":
        raise Invalid("net", "needs a path as addr")
    is_path = isinstance(addr, SocketPath)
    if addr is not None and is_path != (place.net == "unix"):
        raise Invalid(attribute.name, _ADDRESS if is_path else _PATH)


def fits_unix(
    place: Any, attribute: attrs.Attribute[Any], mode: FileMode | None
) -> None:
    """Check that only a Unix socket has a mode; a validator."""
    if mode is not None and place.net != "unix":
        raise Invalid(attribute.name, 'is for Unix sockets, which need "net: unix"')


@frozen
class Place(Section):
    """``http.listeners[]``.

    Attributes:
        addr: An address or a Unix socket's path; None: ``endpoint`` says it.
        net: The kind of socket that ``addr`` is about.
        socketmode: Who may connect to the Unix socket; None: its owner and group.
        endpoint: Twisted's description of an endpoint; empty: ``addr`` says it.
        tls: Whether TLS is spoken; None: if there is a certificate.
    """

    net: Net = "tcp"
    addr: ListenAddress | None = field(default=None, validator=fits_net)
    socketmode: FileMode | None = field(default=None, validator=fits_unix)
    endpoint: str = field(default="")
    tls: bool | None = None

    @endpoint.validator
    def _check_endpoint(self, _attribute: attrs.Attribute[str], endpoint: str) -> None:
        if endpoint and self.addr is not None:
            raise Invalid("endpoint", "says what addr says too; leave one of them out")
        if not endpoint and self.addr is None:
            raise Invalid("addr", "is missing; or say endpoint")
