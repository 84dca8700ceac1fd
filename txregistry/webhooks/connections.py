"""Connections: those to receivers, which neither read nor wait for ever."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IProducer,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from zope.interface import implementer

# Bytes of an answer, head and all. Twisted's client takes any number of headers, and of
# interim answers. Who posts stops long before this when it is the body that is long.
_MOST_IN_ANSWER: Final = 256 * 1024

_IDLE: Final = 240  # seconds that a connection is kept
_LONGEST_END: Final = 5  # seconds until a connection that is ended is gone


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
        return super().getConnection(key, _BoundedEndpoint(endpoint, self._reactor))


@implementer(IStreamClientEndpoint)
@frozen
class _BoundedEndpoint:
    """Where to connect to; what is read there has a bound."""

    endpoint: Any
    clock: IReactorTime

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:  # noqa: N803
        """See IStreamClientEndpoint."""
        factory = _BoundedFactory(protocolFactory, self.clock)
        connecting: Deferred[Any] = self.endpoint.connect(factory)
        return connecting.addCallback(lambda bounded: bounded.wrappedProtocol)


class _Bounded(ProtocolWrapper):
    """A connection that ends when too much comes in answer to what was written.

    And it does end: not when the other side has read all that was written to it, which
    may be never.
    """

    factory: _BoundedFactory
    _count = 0
    _is_sending = False
    _ending: IDelayedCall | None = None

    def write(self, data: bytes) -> None:
        """See ITransport. What comes from here on is another answer."""
        self._count = 0
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """See ITransport."""
        self._count = 0
        super().writeSequence(data)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """See IConsumer. A request's body is on its way."""
        self._is_sending = True
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See IConsumer."""
        self._is_sending = False
        super().unregisterProducer()

    def loseConnection(self) -> None:
        """See ITransport. What is half sent is of no use to anybody."""
        if self._is_sending:
            self.abortConnection()
        elif self._ending is None:
            self._ending = self.factory.clock.callLater(
                _LONGEST_END, self.abortConnection
            )
            super().loseConnection()

    def stopProducing(self) -> None:
        """See IProducer. No more of an answer is read."""
        self.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """See IProtocol."""
        self._count += len(data)
        if not self._is_too_long():
            super().dataReceived(data)
        else:
            self.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See IProtocol. Says why, if it was ended here."""
        if self._ending is not None and self._ending.active():
            self._ending.cancel()
        if self._is_too_long():
            reason = Failure(AnswerTooLong(f"answer of over {_MOST_IN_ANSWER} bytes"))
        super().connectionLost(reason)

    def _is_too_long(self) -> bool:
        return self._count > _MOST_IN_ANSWER


class _BoundedFactory(WrappingFactory):
    """Makes such connections."""

    protocol = _Bounded
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, clock: IReactorTime) -> None:
        """Take what makes the protocols, and what gives time."""
        super().__init__(wrapped)
        self.clock = clock
