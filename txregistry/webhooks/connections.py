"""Connections: those to receivers, which do not read an answer that has no end."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from zope.interface import implementer

# Bytes of an answer, head and all. Twisted's client takes any number of headers, and of
# interim answers. Who posts stops long before this when it is the body that is long.
_MOST_IN_ANSWER: Final = 256 * 1024

_IDLE: Final = 240  # seconds that a connection is kept


class AnswerTooLong(Exception):
    """A receiver's answer has no end, or might as well have none."""


def make_pool(reactor: Any) -> HTTPConnectionPool:
    """Return what keeps connections for the next message."""
    pool = _Pool(reactor)
    pool.cachedConnectionTimeout = _IDLE
    pool.retryAutomatically = False
    return pool


class _Pool(HTTPConnectionPool):
    """Keeps connections, and makes those that do not read for ever."""

    def getConnection(  # noqa: N802
        self, key: Hashable, endpoint: IStreamClientEndpoint
    ) -> Deferred[Any]:
        """See HTTPConnectionPool."""
        return super().getConnection(key, _BoundedEndpoint(endpoint))


@implementer(IStreamClientEndpoint)
@frozen
class _BoundedEndpoint:
    """Where to connect to; what is read there has a bound."""

    endpoint: Any

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:  # noqa: N803
        """See IStreamClientEndpoint."""
        connecting: Deferred[Any]
        connecting = self.endpoint.connect(_BoundedFactory(protocolFactory))
        return connecting.addCallback(lambda bounded: bounded.wrappedProtocol)


class _Bounded(ProtocolWrapper):
    """A connection that ends when too much comes in answer to what was written."""

    _count = 0

    def write(self, data: bytes) -> None:
        """See ITransport. What comes from here on is another answer."""
        self._count = 0
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """See ITransport."""
        self._count = 0
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        """See IProtocol."""
        self._count += len(data)
        if not self._is_too_long():
            super().dataReceived(data)
        else:
            self.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See IProtocol. Says why, if it was ended here."""
        if self._is_too_long():
            reason = Failure(AnswerTooLong(f"answer of over {_MOST_IN_ANSWER} bytes"))
        super().connectionLost(reason)

    def _is_too_long(self) -> bool:
        return self._count > _MOST_IN_ANSWER


class _BoundedFactory(WrappingFactory):
    """Makes such connections."""

    protocol = _Bounded
    noisy = False
