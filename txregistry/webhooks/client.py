"""Client: treq's, which takes of an answer what a notification needs, and no more."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from io import BytesIO
from typing import Any

from attrs import frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator
from twisted.web.client import FileBodyProducer
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer


def make_client(agent: IAgent, reactor: Any) -> HTTPClient:
    """Return a client that keeps no cookies and unpacks nothing.

    Args:
        agent: Makes requests.
        reactor: Gives time to send bodies piece by piece.
    """
    cooperator = Cooperator(scheduler=lambda step: reactor.callLater(0, step))
    # Its own kind of jar, which treq 24.9 does not have, finds cookies by name: nobody
    # here looks for any.
    jar: Any = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return HTTPClient(
        _PlainAgent(agent),
        jar,
        lambda body: FileBodyProducer(BytesIO(body), cooperator),
    )


@implementer(IAgent)
@frozen
class _PlainAgent:
    """Asks for nothing packed, and hides that something is packed all the same.

    treq unpacks what it can, layer by layer, before anybody could say that it is too
    much: a few KB become GB.
    """

    _agent: IAgent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803 - Twisted's
    ) -> Deferred[IResponse]:
        """See IAgent."""
        plain = Headers() if headers is None else headers.copy()
        plain.removeHeader(b"accept-encoding")
        answering = self._agent.request(method, uri, plain, bodyProducer)
        return answering.addCallback(_unpacked)


def _unpacked(response: IResponse) -> IResponse:
    response.headers.removeHeader(b"content-encoding")
    # Nor is there anything for a cookie jar to read.
    response.headers.removeHeader(b"set-cookie")
    response.headers.removeHeader(b"set-cookie2")
    return response
