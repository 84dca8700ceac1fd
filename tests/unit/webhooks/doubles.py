"""Doubles: receivers that answer as a test says, and events for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer, IProtocol, IReactorTime
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.events import (
    Action,
    Activity,
    Event,
    RequestRecord,
    SourceRecord,
    blob_activity,
)
from txregistry.oci.mediatypes import OCI_LAYER, OCI_MANIFEST
from txregistry.oci.names import Name, Tag
from txregistry.webhooks.ledger import Entry
from txregistry.webhooks.posting import Poster

URL = "https://hooks.example/in"
DIGEST = Digest.of(b"a manifest")
NAME = Name("library/hello")


@frozen
class Reply:
    """What a receiver says.

    Attributes:
        status: The HTTP status.
        headers: Its headers.
        chunks: The pieces of its body.
        end: How the body ends; None: never.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    chunks: Sequence[bytes] = ()
    end: Exception | None = field(factory=ResponseDone)


Answer: TypeAlias = Reply | Exception | Deferred[Any]


@frozen
class Post:
    """What a receiver got.

    Attributes:
        url: Where to.
        headers: The headers.
        body: The body.
    """

    url: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return a header that must be there once."""
        values = self.headers.getRawHeaders(name)
        assert values is not None
        (value,) = values
        return value

    @property
    def ids(self) -> list[str]:
        """The identifiers of the events in the Go registry's envelope."""
        return [event["id"] for event in json.loads(self.body)["events"]]


@implementer(IResponse)
class Response:
    """An answer whose body comes at once, or never to its end.

    Attributes:
        transport: What the body comes from; ``producerState`` says whether it may.
    """

    version = (b"HTTP", 1, 1)
    phrase = b"as the test says"
    length = 0
    request = None
    previousResponse = None  # noqa: N815 - Twisted's

    def __init__(self, reply: Reply) -> None:
        """Take what it says."""
        self.code = reply.status
        self.headers = Headers({name: [text] for name, text in reply.headers.items()})
        self.transport = StringTransport()
        self._reply = reply

    def deliverBody(self, protocol: IProtocol) -> None:  # noqa: N802 - Twisted's
        """See IResponse."""
        protocol.makeConnection(self.transport)
        for chunk in self._reply.chunks:
            protocol.dataReceived(chunk)
        if self._reply.end is not None:
            protocol.connectionLost(Failure(self._reply.end))

    def setPreviousResponse(self, response: IResponse) -> None:  # noqa: N802
        """See IResponse."""


@implementer(IAgent)
class Receiver:
    """An agent behind which somebody answers as a test says.

    Attributes:
        posts: What was posted, in order.
        answers: What is said to the next ones; 200 when there is nothing left.
    """

    def __init__(self, *answers: Answer) -> None:
        """Take the answers."""
        self.posts: list[Post] = []
        self.answers: list[Answer] = list(answers)

    @property
    def ids(self) -> list[list[str]]:
        """The identifiers of the events in each post."""
        return [post.ids for post in self.posts]

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803 - Twisted's
    ) -> Deferred[IResponse]:
        """See IAgent."""
        assert method == b"POST"
        assert headers is not None
        body = _Collector()
        if bodyProducer is not None:
            bodyProducer.startProducing(body)
        self.posts.append(Post(uri.decode("ascii"), headers.copy(), body.content))
        answer = self.answers.pop(0) if self.answers else Reply()
        if isinstance(answer, Deferred):
            return answer
        if isinstance(answer, Exception):
            return fail(answer)
        return succeed(Response(answer))

    def poster(
        self,
        clock: IReactorTime,
        url: str = URL,
        headers: Mapping[str, Sequence[str]] | None = None,
        timeout: float = 10.0,
    ) -> Poster:
        """Return what posts to it."""
        return Poster(client_of(self), url, headers or {}, timeout, clock)


def client_of(agent: IAgent) -> HTTPClient:
    """Return a client whose bodies are sent at once, without the real reactor."""
    return HTTPClient(agent, data_to_body_producer=_Body)


@implementer(IBodyProducer)
class _Body:
    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content = content

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """See IPushProducer."""

    def resumeProducing(self) -> None:
        """See IPushProducer."""

    def stopProducing(self) -> None:
        """See IProducer."""


@implementer(IConsumer)
class _Collector:
    content = b""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """See IConsumer."""

    def unregisterProducer(self) -> None:
        """See IConsumer."""

    def write(self, data: bytes) -> None:
        self.content += data


def entry(event_id: str, *endpoints: str, at: float = 0.0, size: int = 0) -> Entry:
    """Return an event for the ledger.

    Args:
        event_id: What it is known by.
        endpoints: Who is to get it; none named: ``hook``.
        at: When it happened.
        size: How many bytes it has at least.
    """
    body = json.dumps({"id": event_id, "padding": "x" * size}).encode()
    return Entry(event_id, at, body, endpoints or ("hook",))


def manifest_pushed(action: Action = "push", **members: Any) -> Activity:
    """Return an activity about a manifest."""
    target = Descriptor(OCI_MANIFEST, DIGEST, 10)
    given: dict[str, Any] = {"repository": NAME, "target": target} | members
    return Activity(action, **{"tag": Tag("latest")} | given)


def blob_pulled() -> Activity:
    """Return a pull of a blob."""
    return blob_activity("pull", NAME, DIGEST, 10)


LAYER = Descriptor(OCI_LAYER, Digest.of(b"a layer"), 7)

REQUEST = RequestRecord(
    "00000000-0000-4000-8000-000000000001",
    "192.0.2.1:40000",
    "registry.example",
    "PUT",
    "a client/1.0",
)
SOURCE = SourceRecord("registry.example:5000", "00000000-0000-4000-8000-000000000002")


def event(
    activity: Activity | None = None, event_id: str = "1", **members: Any
) -> Event:
    """Return an event."""
    given: dict[str, Any] = {
        "id": event_id,
        "at": 1.5,
        "activity": activity or manifest_pushed(),
        "url": "https://registry.example/v2/library/hello/manifests/latest",
        "request": REQUEST,
        "actor": "alice",
        "source": SOURCE,
    }
    return Event(**given | members)
