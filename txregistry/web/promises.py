"""Promises: a body of unknown length that has to be as long as was said."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from txregistry.oci.errors import SizeInvalid
from txregistry.web.body import RequestBody


@implementer(IBodyProducer)
class PromisedBody:
    """A body whose length a Content-Range promises.

    Attributes:
        length: ``UNKNOWN_LENGTH``, as the body's own.
    """

    length = UNKNOWN_LENGTH

    def __init__(self, body: RequestBody, promised: int) -> None:
        """Take the body, and how many bytes it has to have."""
        self._body = body
        self._promised = promised

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """See IBodyProducer. Fails with SizeInvalid at the end of another length."""
        return self._body.startProducing(consumer).addCallback(self._check)

    def pauseProducing(self) -> None:
        """See IPushProducer."""
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        """See IPushProducer."""
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        """See IProducer."""
        self._body.stopProducing()

    def _check(self, _result: None) -> None:
        if self._body.received != self._promised:
            raise SizeInvalid({"received": self._body.received})
