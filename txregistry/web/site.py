"""Site: makes channels for clients, writes the access log, and drains at the end."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource
from twisted.web.server import Site

from txregistry.web.channel import RegistryChannel
from txregistry.web.limits import Limits
from txregistry.web.request import RegistryRequest

_log = Logger(namespace="txregistry.access")


class RegistrySite(Site):
    """The factory of connections to the registry.

    Attributes:
        draining: Whether no further requests are wanted.
        server_name: The ``Server`` header.
    """

    noisy = False

    def __init__(
        self,
        resource: IResource,
        reactor: IReactorTime,
        limits: Limits,
        server_name: str,
        access_log: bool = True,
    ) -> None:
        """Take the routes, where time is from, and bounds on clients."""
        super().__init__(resource, requestFactory=RegistryRequest, reactor=reactor)
        self.draining = False
        self.server_name = server_name.encode("ascii")
        self._clock = reactor
        self._limits = limits
        self._access_log = access_log
        self._channels: set[RegistryChannel] = set()
        self._drained: Deferred[None] | None = None

    def startFactory(self) -> None:
        """See IProtocolFactory; Twisted's own keeps a clock for its access log."""

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - Twisted's
        """See IProtocolNegotiationFactory; Twisted's own also knows HTTP/2."""
        return [b"http/1.1"]

    def stopFactory(self) -> None:
        """See IProtocolFactory."""

    def buildProtocol(  # type: ignore[override]  # HTTP/2's multiplexer is left out
        self, addr: IAddress | None
    ) -> RegistryChannel:
        """See IProtocolFactory."""
        channel = RegistryChannel(self._clock, self._limits)
        channel.factory = channel.site = self
        channel.requestFactory = RegistryRequest
        self._channels.add(channel)
        return channel

    def closed(self, channel: RegistryChannel) -> None:
        """Note that a connection is gone."""
        self._channels.discard(channel)
        if self._drained is not None and not self._channels:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def drain(self) -> Deferred[None]:
        """Let running requests end and close all connections.

        Returns:
            A Deferred that fires when there is no connection left.
        """
        self.draining = True
        drained = self._drained = Deferred()
        for channel in list(self._channels):
            channel.drain()
        if not self._channels:
            self._drained = None
            drained.callback(None)
        return drained

    def abort(self) -> None:
        """Cut all connections."""
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def date(self) -> bytes:
        """Return the ``Date`` header's value (RFC 9110, 6.6.1)."""
        return bytes(datetimeToString(self._clock.seconds()))

    def log(self, request: Any) -> None:
        """Write a request to the access log, in the combined format."""
        if self._access_log:
            _log.info(
                '{address} "{method} {uri} {protocol}" {status} {sent} "{agent}"',
                address=request.getClientAddress().host,
                method=_shown(request.method),
                uri=_shown(_masked(request.uri)),
                protocol=_shown(request.clientproto),
                status=request.code,
                sent=request.sentLength,
                agent=_shown(request.getHeader(b"user-agent") or b"-"),
            )


def _masked(uri: bytes) -> bytes:
    """Return a target without what lets its reader go on with somebody's upload."""
    path, mark, query = uri.partition(b"?")
    pieces = [
        b"_state=***" if _name(piece) == b"_state" else piece
        for piece in re.split(b"([&;])", query)
    ]
    return path + mark + b"".join(pieces)


def _name(parameter: bytes) -> bytes:
    return unquote_to_bytes(parameter.partition(b"=")[0])


def _shown(value: bytes) -> str:
    """Return what a client sent so that it cannot pass for anything else in a log."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}"
        for byte in value
    )
