"""Tests of txregistry.web.witness: requests, and what takes their events."""

from __future__ import annotations

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from tests.unit.web.witness_case import (
    LAYER_DIGEST,
    NAME,
    SOURCE,
    WitnessCase,
)
from tests.unit.webhooks.doubles import Receiver
from txregistry.interfaces import IEventSink, StorageError, StorageFull
from txregistry.oci.digest import Digest
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer
from txregistry.web.urls import Urls
from txregistry.web.witness import EventWitness, SilentWitness
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.filters import EventFilter
from txregistry.webhooks.ledger import IN_MEMORY, Ledger
from txregistry.webhooks.queue import Queue
from txregistry.webhooks.retrying import Backoff
from txregistry.webhooks.sink import QueueSink


class SinkTests(WitnessCase):
    """What takes events."""

    def push(self) -> Answer:
        """Push a blob."""
        target = f"/v2/{NAME}/blobs/uploads/?digest={Digest.of(b'new')}"
        return self.ask("POST", target, {}, b"new")

    def test_interface(self) -> None:
        """The sink here is one like ours."""
        self.assertTrue(verifyObject(IEventSink, self.sink))

    def test_unwanted(self) -> None:
        """What the sink does not want is not handed to it."""
        self.sink.unwanted = {"pull"}
        self.sink.problem = StorageError("must not be asked")
        path = self.path("manifests", "latest")
        self.assertEqual([], self.told(200, "GET", path))

    def test_failure(self) -> None:
        """What nobody can be told of is refused: try again."""
        self.sink.problem = StorageError("no")
        self.assert_refused(self.push(), 503, "UNAVAILABLE")
        self.sink.problem = None
        self.assertEqual(201, self.push().status)

    def test_queue(self) -> None:
        """Before a queue that is broken, pulls go on, and nothing else does."""
        ledger = Ledger(IN_MEMORY)
        poster = Receiver().poster(Clock())
        backoff = Backoff(1, 1.0, 1.0, lambda: 0.0)
        endpoint = Endpoint("hook", EventFilter(), poster, backoff)
        queue = Queue(ledger, execute)
        sink = QueueSink([endpoint], queue, lambda _: None)
        urls = Urls("/", None, False, lambda _: False)
        witness = EventWitness(sink, Clock(), SOURCE, urls.content, lambda _: "")
        self.registry = MemoryRegistry(witness=witness)
        self.registry.push_image(NAME, "latest")
        ledger.close()
        with capturedLogs():
            for kind, last in (("manifests", "latest"), ("blobs", LAYER_DIGEST)):
                path = self.path(kind, last)
                self.assertEqual(200, self.ask("GET", path).status)
                self.assertEqual(503, self.ask("DELETE", path).status)
            self.assertEqual(503, self.push().status)

    def test_full(self) -> None:
        """So it is where there is no room for events, with a status of its own."""
        self.sink.problem = StorageFull("no")
        self.assertEqual(507, self.push().status)

    def test_waits(self) -> None:
        """A request is answered when its events cannot be lost any more."""
        self.sink.waits = Deferred()
        wire = self.registry.connect()
        path = self.path("manifests", "latest")
        wire.send(f"GET {path} HTTP/1.1\r\nHost: registry.test\r\n\r\n".encode())
        self.assertEqual(b"", wire.transport.value())
        self.sink.waits.callback(None)
        self.assertEqual(200, wire.answer().status)

    def test_client_leaves(self) -> None:
        """An event of a client that has left stays one."""
        self.sink.waits = Deferred()
        wire = self.registry.connect()
        path = self.path("manifests", "latest")
        wire.send(f"GET {path} HTTP/1.1\r\nHost: registry.test\r\n\r\n".encode())
        wire.hang_up()
        self.assertEqual(1, len(self.sink.events))

    def test_silent(self) -> None:
        """A registry whose witness is silent tells nobody."""
        self.registry = MemoryRegistry(witness=SilentWitness())
        self.registry.push_image(NAME, "latest")
        self.assertEqual([], self.sink.events)
