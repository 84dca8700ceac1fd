"""TLS endpoint: any endpoint, with TLS on it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from txregistry.web.tls import ReloadingContextFactory
from txregistry.web.tls_connection import TLSFactory
from txregistry.web.tls_sending import Senders
from txregistry.web.tls_socket import secure


@implementer(IStreamServerEndpoint)
class TLSEndpoint:
    """Any endpoint, with TLS on it: on the sockets themselves, if it has such."""

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        contexts: ReloadingContextFactory,
        clock: IReactorTime,
        senders: Senders | None = None,
    ) -> None:
        """Take the endpoint; for the others see TLSFactory."""
        self._endpoint = endpoint
        self._contexts = contexts
        self._clock = clock
        self._senders = senders

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 - Twisted's
    ) -> Deferred[IListeningPort]:
        """See IStreamServerEndpoint."""
        factory = TLSFactory(
            self._contexts, protocolFactory, self._clock, self._senders
        )
        listening = self._endpoint.listen(factory)
        return listening.addCallback(secure, factory)
