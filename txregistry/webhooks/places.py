"""Places: where receivers are, as an agent asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from txregistry.deferreds import deferred
from txregistry.webhooks.names import Addresses, Names


@implementer(IAgentEndpointFactory)
@frozen
class Places:
    """Finds receivers.

    Attributes:
        reactor: Makes connections.
        names: Says which addresses a host has.
        policy: Says whose certificate is good.
        timeout: Seconds to connect to one address.
    """

    reactor: Any
    names: Names
    policy: IPolicyForHTTPS
    timeout: float

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """See IAgentEndpointFactory."""
        host: str = uri.host.decode("ascii")
        place = _Place(self.reactor, self.names, host, uri.port, self.timeout)
        if uri.scheme != b"https":
            return place
        creator = self.policy.creatorForNetloc(uri.host, uri.port)
        endpoint: IStreamClientEndpoint = wrapClientTLS(creator, place)
        return endpoint


@implementer(IStreamClientEndpoint)
@frozen
class _Place:
    """A host's port."""

    reactor: Any
    names: Names
    host: str
    port: int
    timeout: float

    @deferred
    async def connect(self, protocolFactory: IProtocolFactory) -> Any:  # noqa: N803
        """See IStreamClientEndpoint."""
        addresses = await self.names.look_up(self.host, self.port)
        # It tries them all, and has to be given a name: any will do.
        place = HostnameEndpoint(
            _Knowing(self.reactor, addresses),
            addresses[0].host,
            self.port,
            self.timeout,
        )
        return await place.connect(protocolFactory)


@implementer(IReactorPluggableNameResolver, IHostnameResolver, IHostResolution)
class _Knowing:
    """A reactor, and its resolver that knows the answer already."""

    def __init__(self, reactor: Any, addresses: Addresses) -> None:
        """Take the answer."""
        self.name = addresses[0].host
        self._reactor = reactor
        self._addresses = addresses

    def __getattr__(self, name: str) -> Any:
        """Return what is the reactor's."""
        return getattr(self._reactor, name)

    @property
    def nameResolver(self) -> IHostnameResolver:  # noqa: N802 - Twisted's
        """See IReactorPluggableNameResolver."""
        return self

    def installNameResolver(  # noqa: N802 - Twisted's
        self, resolver: IHostnameResolver
    ) -> IHostnameResolver:
        """See IReactorPluggableNameResolver; nobody does."""
        raise NotImplementedError

    def resolveHostName(  # noqa: N802 - Twisted's
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """See IHostnameResolver."""
        resolutionReceiver.resolutionBegan(self)
        for address in self._addresses:
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        """See IHostResolution; it is over."""
