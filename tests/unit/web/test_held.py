"""Tests of txregistry.web.held: answers that wait until others will hear of them."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.case import head
from tests.unit.web.fast_case import NAME, Counts, Watcher
from tests.unit.web.witness_case import NOW, SOURCE, Sink
from txregistry.oci.events import Activity
from txregistry.oci.mediatypes import OCI_MANIFEST
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Wire
from txregistry.web.fastpath import FastPath
from txregistry.web.limits import Limits
from txregistry.web.urls import Urls
from txregistry.web.witness import CountingWitness, EventWitness, SilentWitness

MANIFEST = f"/v2/{NAME}/manifests/latest"
BLOCK = head("GET", MANIFEST, {"Accept": OCI_MANIFEST})
BASE = head("GET", "/v2/", {})
PROXY = "192.0.2.9"
LIMITS = Limits(header_timeout=5.0, idle_timeout=20.0)


class HeldCase(SynchronousTestCase):
    """A registry that has answered before, and a sink that takes its time."""

    def setUp(self) -> None:
        """Make it, and connect."""
        self.clock = Clock()
        self.clock.advance(NOW)
        self.watcher, self.counter, self.sink = Watcher(), Counts(), Sink()
        urls = Urls("/", None, False, lambda peer: peer == PROXY)
        witness = EventWitness(
            *(self.sink, self.clock, SOURCE, urls.content),
            lambda request: str(request.getClientAddress().host),
        )
        store = MemoryRegistry(clock=self.clock)
        store.push_image(NAME, "latest")
        self.registry = MemoryRegistry(
            clock=self.clock,
            driver=store.driver,
            limits=LIMITS,
            is_fast=True,
            watchers=[self.watcher],
            witness=CountingWitness(witness, self.counter.count),
        )
        assert self.registry.fast is not None
        self.fast: FastPath = self.registry.fast
        self.wire = self.registry.connect()
        for block in (BLOCK, BASE):
            self.send(block)
            self.answer = self.written()
        self.watcher.take()
        self.counter.take()
        self.sink.events.clear()
        self.sink.sizes.clear()
        self.waits: Deferred[None] = Deferred()
        self.sink.waits = self.waits

    def send(self, data: bytes, wire: Wire | None = None) -> None:
        """Send bytes, and let the turn end."""
        (wire or self.wire).send(data)
        self.clock.advance(0)

    def written(self, wire: Wire | None = None) -> bytes:
        """Return what was written since."""
        transport = (wire or self.wire).transport
        written = transport.value()
        transport.clear()
        return bytes(written)

    def keep(self) -> None:
        """Have all events kept that wait; the next ones are at once."""
        waits, self.sink.waits = self.waits, None
        waits.callback(None)
        self.clock.advance(0)

    def statuses(self) -> list[int]:
        """Return the statuses of what watchers were told of, since."""
        self.fast.tell()
        ended, self.watcher.ended_ones = self.watcher.ended_ones, []
        return [each.status for each in ended]

    def hits(self) -> int:
        """Return how many answers were given again since the last time."""
        return self.fast.lookups.take()[0]


class Forgetful(SilentWitness):
    """Has forgotten that it tells nobody."""

    def ignores(self, activity: Activity) -> bool:
        """See Witness."""
        return False


class WaitTests(HeldCase):
    """An answer."""

    def test_waits(self) -> None:
        """It is given when the event cannot be lost any more, and not before."""
        self.hits()
        self.send(BLOCK)
        self.assertEqual(b"", self.written())
        self.assertEqual([], self.statuses())
        self.assertEqual(1, len(self.sink.events))
        self.keep()
        self.assertTrue(self.written().startswith(b"HTTP/1.1 200 "))
        self.assertEqual([200], self.statuses())
        self.assertEqual(1, self.hits())
        self.assertEqual(1, len(self.counter.take()))

    def test_next(self) -> None:
        """Another request may follow, on either way."""
        self.send(BLOCK)
        self.keep()
        first = self.written()
        self.send(BLOCK)
        self.assertEqual(first, self.written())
        self.send(head("GET", f"/v2/{NAME}/tags/list", {}))
        self.assertIn(b'"latest"', self.written())
        self.assertEqual([200, 200, 200], self.statuses())

    def test_others(self) -> None:
        """Other connections do not wait for it."""
        other = self.registry.connect()
        self.send(BLOCK)
        self.send(BASE, other)
        self.assertTrue(self.written(other).startswith(b"HTTP/1.1 200 "))
        self.send(BLOCK, other)
        self.assertEqual(b"", self.written(other))
        self.keep()
        self.assertEqual(self.written(), self.written(other))

    def test_behind(self) -> None:
        """What comes behind it waits, in order, however it comes."""
        self.send(BLOCK)
        for piece in (BASE, BLOCK + BASE[:9], BASE[9:], BLOCK[:20]):
            self.send(piece)
        self.assertEqual(b"", self.written())
        self.keep()
        manifest, base, *more = self.written().split(b"HTTP/1.1 200 OK\r\n")[1:]
        self.assertEqual([manifest, base], more)
        self.assertEqual(2, len(self.sink.events))
        self.send(BLOCK[20:])
        self.assertEqual(b"HTTP/1.1 200 OK\r\n" + manifest, self.written())

    def test_flood(self) -> None:
        """Of what comes behind it no more than so much is read."""
        self.send(BLOCK)
        self.send(BLOCK * 200)
        self.assertEqual("paused", self.wire.transport.producerState)
        self.keep()
        self.assertEqual("producing", self.wire.transport.producerState)
        self.assertEqual(201, self.written().count(b"HTTP/1.1 200 "))

    def test_idle(self) -> None:
        """Nobody is cut off for idleness while it is we who work."""
        self.send(BLOCK)
        for _ in range(3):
            self.clock.advance(LIMITS.idle_timeout)
        self.assertFalse(self.wire.transport.disconnecting)
        self.keep()
        self.assertIn(b" 200 OK", self.written())
        for _ in range(3):
            self.clock.advance(LIMITS.idle_timeout)
        self.assertTrue(self.wire.transport.disconnecting)

    def test_slow_reader(self) -> None:
        """A client that does not read on is not asked for more."""
        self.send(BLOCK)
        self.wire.channel.pauseProducing()
        self.send(BASE)
        self.keep()
        self.assertEqual(1, self.written().count(b"HTTP/1.1 200 "))
        self.wire.channel.resumeProducing()
        self.assertEqual(1, self.written().count(b"HTTP/1.1 200 "))

    def test_other_answer(self) -> None:
        """It is the one that was right when it was asked for, as its event says."""
        self.send(BLOCK)
        other = MemoryRegistry(clock=self.clock, driver=self.registry.driver)
        digest = other.push_image(NAME, "latest", b"another, and longer")
        second = self.registry.connect()
        self.send(BLOCK, second)
        self.keep()
        self.assertNotIn(str(digest).encode(), self.written())
        self.assertIn(str(digest).encode(), self.written(second))
        digests = [each.activity.target.digest for each in self.sink.events]
        self.assertEqual([False, True], [each == digest for each in digests])
        self.send(BLOCK, second)
        self.fast.tell()
        sizes = [each.sent for each in self.watcher.ended_ones if each.method == "GET"]
        self.assertEqual(2, len(set(sizes)))

    def test_told_apart(self) -> None:
        """Those who watch hear of it as it was, whatever came on its header since."""
        self.send(BLOCK)
        waits, self.sink.waits = self.sink.waits, None
        assert waits is not None
        other = MemoryRegistry(clock=self.clock, driver=self.registry.driver)
        other.push_image(NAME, "latest", b"another", annotations={})
        second = self.registry.connect()
        for _ in range(2):
            self.send(BLOCK, second)
        waits.callback(None)
        self.fast.tell()
        sizes = [each.sent for each in self.watcher.ended_ones]
        self.assertEqual((3, 2), (len(sizes), len(set(sizes))))
        self.assertEqual(3, len(self.counter.take()))

    def test_proxy(self) -> None:
        """Where the content is depends on whose word is taken, also for one header."""
        self.sink.waits = None
        said = {"Accept": OCI_MANIFEST, "X-Forwarded-Host": "outside"}
        for peer in ("192.0.2.1", PROXY, PROXY, "192.0.2.1"):
            wire = self.registry.connect()
            wire.transport.peerAddr = IPv4Address("TCP", peer, 54321)
            self.send(head("GET", MANIFEST, said), wire)
        found = [json.loads(each.to_text()) for each in self.sink.events]
        hosts = [each["target"]["url"].split("/")[2] for each in found]
        expected = ["registry.test", "outside", "outside", "registry.test"]
        self.assertEqual(expected, hosts)
        addresses = [each["request"]["addr"] for each in found]
        self.assertEqual(["192.0.2.1", PROXY, PROXY, "192.0.2.1"], addresses)
        self.assertEqual(4, len({each["id"] for each in found}))

    def test_together(self) -> None:
        """What comes in one turn is told together, and before what comes behind it."""
        for _ in range(3):
            self.registry.connect().send(BLOCK)
        usual = self.registry.connect()
        usual.send(head("HEAD", MANIFEST, {"Accept": OCI_MANIFEST}))
        self.assertEqual([3, 1], self.sink.sizes)
        self.registry.connect().send(BLOCK)
        self.clock.advance(0)
        self.assertEqual([3, 1, 1], self.sink.sizes)
        methods = [json.loads(each.to_text())["request"] for each in self.sink.events]
        expected = ["GET", "GET", "GET", "HEAD", "GET"]
        self.assertEqual(expected, [each["method"] for each in methods])


class EndTests(HeldCase):
    """What may happen while an answer waits."""

    def test_client_leaves(self) -> None:
        """The event stays one; that nobody waited is told."""
        self.send(BLOCK)
        self.wire.hang_up()
        self.assertEqual([499], self.statuses())
        self.keep()
        self.assertEqual(b"", self.written())
        self.assertEqual([], self.statuses())
        self.assertEqual(1, len(self.counter.take()))
        self.assertEqual(1, len(self.sink.events))

    def test_client_has_said_all(self) -> None:
        """A client that has closed its side gets its answer."""
        self.send(BLOCK)
        self.wire.channel.readConnectionLost()
        self.assertFalse(self.wire.transport.disconnecting)
        self.keep()
        self.assertIn(b" 200 OK", self.written())
        self.assertTrue(self.wire.transport.disconnecting)

    def test_draining(self) -> None:
        """A registry that stops gives it first, and says that it is the last one."""
        self.send(BLOCK)
        drained = self.wire.site.drain()
        self.assertFalse(self.wire.transport.disconnecting)
        self.keep()
        written = self.written()
        self.assertEqual(1, written.count(b"\r\nConnection: close\r\n\r\n"))
        self.assertTrue(self.wire.transport.disconnecting)
        self.assertNoResult(drained)
        self.wire.hang_up()
        self.successResultOf(drained)
        self.assertEqual([200], [each.status for each in self.watcher.ended_ones])

    def test_like_the_usual_one(self) -> None:
        """The last answer is the one of the usual way."""
        answers = []
        for odd in ({}, {"X-Unheard-Of": "1"}):
            wire = self.registry.connect()
            self.sink.waits = self.waits = Deferred()
            self.send(head("GET", MANIFEST, {"Accept": OCI_MANIFEST, **odd}), wire)
            wire.site.drain()
            self.keep()
            answers.append(self.written(wire))
        self.assertIn(b"Connection: close", answers[0])
        self.assertEqual(answers[1], answers[0])

    def test_cut(self) -> None:
        """A registry that waits no longer cuts it off."""
        self.send(BLOCK)
        drained = self.wire.site.drain()
        self.wire.hang_up()
        self.successResultOf(drained)
        self.assertEqual([499], [each.status for each in self.watcher.ended_ones])

    def test_unforeseen(self) -> None:
        """If nobody foresaw why nobody can be told, it goes the usual way."""
        self.hits()
        self.send(BLOCK)
        self.send(BASE)
        self.sink.waits, self.sink.problem = None, ZeroDivisionError()
        self.waits.errback(ZeroDivisionError())
        self.assertEqual([500, 200], self.answered())
        self.send(BLOCK)
        self.assertEqual([500], self.answered())
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assertEqual([500, 200, 500], self.statuses())
        self.sink.problem = None
        self.send(BLOCK)
        self.assertEqual([200], self.answered())

    def test_unforeseen_and_left(self) -> None:
        """If the client has left meanwhile, there is nothing to be done."""
        self.send(BLOCK)
        self.wire.hang_up()
        self.waits.errback(ZeroDivisionError())
        self.assertEqual([499], self.statuses())

    def answered(self) -> list[int]:
        """Return the statuses of answers since."""
        parts = self.written().split(b"HTTP/1.1 ")[1:]
        return [int(part[:3]) for part in parts]


class SeenTests(HeldCase):
    """What is seen of an answer that waits."""

    def test_running(self) -> None:
        """It is among the requests that run, for so long."""
        self.send(BLOCK)
        self.clock.advance(3)
        (found,) = self.wire.site.running()
        self.assertEqual((MANIFEST, 3.0), (found.uri, found.seconds))
        self.keep()
        self.assertEqual([], self.wire.site.running())

    def test_begun(self) -> None:
        """Who asks now hears that it has begun, once; it ends by itself then."""
        begun: list[Any] = []
        self.watcher.began = lambda *named: begun.append(named)  # type: ignore[method-assign]
        self.send(BLOCK)
        self.fast.tell()
        self.assertEqual([], begun)
        for _ in range(2):
            self.fast.tell_all()
        self.assertEqual([("manifest", "GET")], begun)
        self.clock.advance(2)
        self.keep()
        (ended,) = self.watcher.ended_ones
        self.assertEqual((200, 2.0), (ended.status, ended.seconds))
        self.assertEqual(1, len(begun))
        self.assertEqual([200], self.statuses())

    def test_nobody_is_told(self) -> None:
        """Where nobody is told, whoever asks all the same does not wait."""
        self.fast._witness = Forgetful()
        self.send(BLOCK)
        self.assertIn(b" 200 OK", self.written())
        self.assertEqual([], self.sink.events)

    def test_nobody_watches(self) -> None:
        """Where nobody watches, it is counted all the same."""
        self.fast._watchers = []
        self.send(BLOCK)
        self.keep()
        self.assertEqual(1, len(self.counter.take()))
