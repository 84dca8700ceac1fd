"""Handing: sockets that one process listens on, and others take clients from."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from txregistry.web.listeners import adopt, described_endpoint


class NotShareable(Exception):
    """Other processes cannot take clients from there."""


def give_up_clients(port: IListeningPort) -> IListeningPort:
    """Have a port keep its socket, and leave the clients to other processes.

    Raises:
        NotShareable: It is not one of Twisted's own, which have a socket.
    """
    its: Any = port
    if not hasattr(its, "fileno") or not hasattr(its, "stopReading"):
        kind = type(port).__name__
        raise NotShareable(f"{kind} cannot be shared with workers")
    its.stopReading()
    # To shut it down would be to do so for those others, too.
    its._shouldShutdown = False
    return port


@implementer(IStreamServerEndpoint)
class HandedEndpoint:
    """Listens on a socket that another process has opened, and will close."""

    def __init__(self, reactor: Any, descriptor: int) -> None:
        """Take the socket's descriptor, of which there is one use."""
        self._reactor = reactor
        self._descriptor = descriptor

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 - Twisted's
    ) -> Deferred[IListeningPort]:
        """See IStreamServerEndpoint."""
        return execute(adopt, self._reactor, self._descriptor, protocolFactory)


def handed_endpoint(
    reactor: Any, description: str, descriptor: int
) -> IStreamServerEndpoint:
    """Return the endpoint of a description, on a socket that was handed over.

    Raises:
        InvalidOption: It describes none.
    """
    handing: Any = _HandingReactor(reactor, descriptor)
    return described_endpoint(handing, description)


class _HandingReactor:
    """A reactor that, whatever it is to listen on, listens on one socket."""

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, _port: int, factory: Any, *_args: Any, **_options: Any
    ) -> IListeningPort:
        """See IReactorTCP."""
        return adopt(self._reactor, self._descriptor, factory)

    def listenUNIX(  # noqa: N802 - Twisted's
        self, _path: str, factory: Any, *_args: Any, **_options: Any
    ) -> IListeningPort:
        """See IReactorUNIX."""
        return adopt(self._reactor, self._descriptor, factory)

    def listenSSL(
        self,
        _port: int,
        factory: Any,
        contextFactory: Any,  # noqa: N803 - Twisted's
        **_options: Any,
    ) -> IListeningPort:
        """See IReactorSSL."""
        wrapped = TLSMemoryBIOFactory(contextFactory, False, factory)
        return adopt(self._reactor, self._descriptor, wrapped)


def descriptor_of(port: IListeningPort) -> int:
    """Return the descriptor of a port's socket."""
    its: Any = port
    return int(its.fileno())
