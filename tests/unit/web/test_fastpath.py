"""Tests of txregistry.web.fastpath: what is kept, for how long, and who is told.

That its answers are right is what ``test_fastpath_differential`` is about.
"""

from __future__ import annotations

import gc
import sys
from typing import Any
from unittest.mock import patch
from weakref import ref

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.case import head
from tests.unit.web.fast_case import ALICE, NAME, Guarded, Side, Watcher
from tests.unit.web.witness_case import NOW, SOURCE, Sink
from txregistry.interfaces import Exchange
from txregistry.oci.events import Activity
from txregistry.oci.mediatypes import OCI_MANIFEST
from txregistry.registry.layout import blob_data
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer, Wire
from txregistry.web import kept
from txregistry.web.answerhead import AnswerHead
from txregistry.web.fastpath import TELL_WITHIN, FastPath
from txregistry.web.headerblock import Asked
from txregistry.web.kept import Lasting, _pieces
from txregistry.web.limits import Limits
from txregistry.web.site import RegistrySite
from txregistry.web.witness import CountingWitness, EventWitness, SilentWitness

MANIFEST = f"/v2/{NAME}/manifests/latest"
ACCEPT = {"Accept": OCI_MANIFEST}
HEAD = {"x-request-id": "X-Request-Id: 1", "date": "Date: today"}
EXCHANGE = Exchange(
    id="1",
    began=0.0,
    seconds=0.0,
    address="192.0.2.1",
    user=None,
    method="GET",
    uri="/",
    protocol="HTTP/1.1",
    referer=None,
    agent=None,
    route="",
    repository=None,
    reference=None,
    status=200,
    received=0,
    sent=0,
)


class FastCase(SynchronousTestCase):
    """A registry with a fast path, an image, and a connection."""

    def setUp(self) -> None:
        """Make it."""
        self.watcher = Watcher()
        self.registry = MemoryRegistry(is_fast=True, watchers=[self.watcher])
        self.digest = self.registry.push_image(NAME, "latest")
        self.connect()

    def connect(self) -> None:
        """Connect."""
        assert self.registry.fast is not None
        self.fast: FastPath = self.registry.fast
        self.wire: Wire = self.registry.connect()

    def get(self, target: str = MANIFEST, **headers: str) -> Answer:
        """Ask for something on the connection."""
        return self.wire.request("GET", target, {**ACCEPT, **headers})

    def hits(self) -> int:
        """Return how many answers were given again since the last time."""
        return self.fast.lookups.take()[0]


class AnswerTests(FastCase):
    """Answers that were given before."""

    def test_again(self) -> None:
        """The second time, the answer is the first one's."""
        first = self.get()
        self.assertEqual(0, self.hits())
        self.assertEqual(first, self.get())
        self.assertEqual(1, self.hits())

    def test_other_connection(self) -> None:
        """Another client's request gets it, too, though its header has another form."""
        self.get()
        self.connect()
        self.get(**{"User-Agent": "another", "Accept-Encoding": "gzip"})
        self.assertEqual(1, self.hits())

    def test_date(self) -> None:
        """The date is that of the moment."""
        first = self.get().header("date")
        self.registry.clock.advance(2)
        self.assertNotEqual(first, self.get().header("date"))
        self.assertEqual(1, self.hits())

    def test_request_id(self) -> None:
        """A request's own id is in its answer, and in nobody else's."""
        self.get()
        answer = self.get(**{"X-Request-Id": "mine"})
        self.assertEqual("mine", answer.header("x-request-id"))
        self.assertEqual("a request's id", self.get().header("x-request-id"))
        self.assertEqual(2, self.hits())

    def test_kinds(self) -> None:
        """Manifests, small blobs, what there is to say of large ones, and the base."""
        blob, large = (
            f"/v2/{NAME}/blobs/{self.registry.push_blob(NAME, content)}"
            for content in (b"x" * 32 * 1024, b"x" * (32 * 1024 + 1))
        )
        digest = f"/v2/{NAME}/manifests/{self.digest}"
        for method, target in [
            ("GET", blob),
            ("HEAD", large),
            ("GET", digest),
            ("HEAD", digest),
            ("HEAD", MANIFEST),
            ("HEAD", blob),
            ("GET", "/v2/"),
        ]:
            first = self.wire.request(method, target, ACCEPT)
            self.assertEqual(200, first.status)
            self.assertEqual(first, self.wire.request(method, target, ACCEPT))
            self.assertEqual(1, self.hits(), target)

    def test_not_kept(self) -> None:
        """Refusals, lists and contents of large blobs are not kept."""
        content = b"x" * (32 * 1024 + 1)
        blob = f"/v2/{NAME}/blobs/{self.registry.push_blob(NAME, content)}"
        for target in (blob, f"/v2/{NAME}/tags/list", f"/v2/{NAME}/manifests/none"):
            self.get(target)
            self.get(target)
        self.assertEqual(0, self.hits())

    def test_mended(self) -> None:
        """A blob that is broken is not kept, and what it is mended to is sent."""
        digest = self.registry.push_blob(NAME, b"content")
        target, path = f"/v2/{NAME}/blobs/{digest}", blob_data(digest)
        for content in (b"c0ntent", b"content"):
            self.registry.driver.put_content(path, content)
            self.assertEqual(content, self.get(target).body)
        self.assertEqual(0, self.hits())
        self.assertEqual(b"content", self.get(target).body)
        self.assertEqual(1, self.hits())

    def test_manifest_mended(self) -> None:
        """So it is with a manifest, also where another one lies in its place."""
        path = blob_data(self.digest)
        good = self.get().body
        # Another process, which has kept nothing yet.
        other = MemoryRegistry(driver=self.registry.driver, is_fast=True)
        assert other.fast is not None
        wire = other.connect()
        for content in (good + b"\n", good):
            self.registry.driver.put_content(path, content)
            self.assertEqual(content, wire.request("GET", MANIFEST, ACCEPT).body)
        self.assertEqual(0, other.fast.lookups.take()[0])
        self.assertEqual(good, wire.request("GET", MANIFEST, ACCEPT).body)
        self.assertEqual(1, other.fast.lookups.take()[0])

    def test_blob_gone(self) -> None:
        """A small blob that is gone, or unlinked, is not sent any more."""
        digest = self.registry.push_blob(NAME, b"content")
        target = f"/v2/{NAME}/blobs/{digest}"
        for _ in range(2):
            self.assertEqual(200, self.get(target).status)
        other = MemoryRegistry(driver=self.registry.driver)
        self.assertEqual(202, other.request("DELETE", target).status)
        self.assertEqual(404, self.get(target).status)

    def test_moved(self) -> None:
        """A tag that was moved is noticed at once, whoever moved it."""
        self.get()
        other = MemoryRegistry(driver=self.registry.driver)
        digest = other.push_image(NAME, "latest", b"another")
        answer = self.get()
        self.assertEqual(str(digest), answer.header("docker-content-digest"))
        self.assertEqual(0, self.hits())
        self.get()
        self.assertEqual(1, self.hits())

    def test_deleted(self) -> None:
        """A manifest that was deleted is gone at once, whoever deleted it."""
        target = f"/v2/{NAME}/manifests/{self.digest}"
        self.get(target)
        other = MemoryRegistry(driver=self.registry.driver)
        other.request("DELETE", target)
        self.assertEqual(404, self.get(target).status)

    def test_after_body(self) -> None:
        """On a connection that has sent a body, it works as on any other."""
        self.get()
        self.registry.push_blob(NAME, b"content")
        self.wire.request("POST", f"/v2/{NAME}/blobs/uploads/", body=b"")
        self.get()
        self.assertEqual(1, self.hits())

    def test_pipelined(self) -> None:
        """Requests that come together are answered in order, the usual way."""
        block = head("GET", MANIFEST, ACCEPT)
        self.wire.send(block)
        first = self.wire.answer()
        self.wire.send(block * 3)
        self.assertEqual([first] * 3, [self.wire.answer() for _ in range(3)])


class RoundTests(FastCase):
    """Looks at the store that are for all who had asked when a round began."""

    def setUp(self) -> None:
        """Ask once, so that an answer is kept; count the looks from then on."""
        super().setUp()
        self.block = head("GET", MANIFEST, ACCEPT)
        self.wire.send(self.block)
        self.first = self.wire.answer()
        (known,) = self.fast.kept.answers.values()
        self.looks = 0
        holds = known.lasting.holds

        def look() -> bool:
            self.looks += 1
            return holds()

        known.lasting = evolve(known.lasting, holds=look)

    def ask(self, came: bytes | None = None) -> None:
        """Ask, in what was read at one go; None: in all of it."""
        transport: Any = self.wire.transport
        transport.came = self.block if came is None else came
        self.wire.send(self.block)

    def test_one_round(self) -> None:
        """In one round there is one look, and in the next one another."""
        for number in (1, 2):
            self.fast._round.number = number
            for _ in range(3):
                self.ask()
                self.assertEqual(self.first, self.wire.answer())
            self.assertEqual(number, self.looks)

    def test_no_round(self) -> None:
        """Out of a round, there is one for each request."""
        for number in (0, 1, 0, 0):
            self.fast._round.number = number
            self.ask()
        self.assertEqual(4, self.looks)

    def test_not_whole(self) -> None:
        """So there is for what came behind something else, or over TLS."""
        self.fast._round.number = 1
        self.ask()
        self.ask(b"something else")
        del self.wire.transport.came  # type: ignore[attr-defined]
        self.wire.send(self.block)
        self.assertEqual(3, self.looks)

    def test_born_in_it(self) -> None:
        """So there is on a connection that was made in the round."""
        self.fast._round.number = 1
        self.ask()
        self.wire.channel.born = 1
        self.ask()
        self.assertEqual(2, self.looks)

    def test_moved(self) -> None:
        """What does not hold any more is looked at by each, and answered anew."""
        self.fast._round.number = 1
        digest = self.registry.push_image(NAME, "latest", b"another")
        self.ask()
        answer = self.wire.answer()
        self.assertEqual(str(digest), answer.header("docker-content-digest"))
        self.ask()
        self.assertEqual(answer, self.wire.answer())
        self.assertEqual(1, self.looks)


class WhenNotTests(FastCase):
    """When the usual way is the only one."""

    def test_not_open(self) -> None:
        """Before it is opened, nothing is answered."""
        self.registry.fast = FastPath(self.registry.clock, Limits(), [], lambda: "id")
        self.connect()
        self.get()
        self.get()
        self.assertEqual(0, self.hits())

    def test_failing(self) -> None:
        """While a health check fails, nothing is."""
        self.get()
        assert self.fast._gate is not None
        self.fast.open(self.fast._gate, self.fast._witness, lambda: True)
        self.get()
        self.assertEqual(0, self.hits())

    def test_draining(self) -> None:
        """When the registry stops, an answer says that it is the last one."""
        self.get()
        self.wire.send(head("GET", MANIFEST, ACCEPT)[:-2])
        self.wire.site.drain()
        self.wire.send(b"\r\n")
        self.assertEqual("close", self.wire.answer().header("connection"))

    def test_last_one_not_kept(self) -> None:
        """An answer that says so is not given to others."""
        self.wire.send(head("GET", MANIFEST, ACCEPT)[:-2])
        self.wire.site.drain()
        self.wire.send(b"\r\n")
        self.connect()
        self.assertNotIn("connection", self.get().headers)
        self.assertNotIn("connection", self.get().headers)

    def test_certificate(self) -> None:
        """A client with a certificate is asked who it is each time."""
        self.get()
        self.wire.transport.client_certificate = lambda: "one"  # type: ignore[attr-defined]
        self.get()
        self.assertEqual(0, self.hits())

    def test_tracer(self) -> None:
        """With a tracer, there is no fast path; without one, there is."""
        for tracer in (None, object()):
            site = RegistrySite(
                self.registry.resource,
                self.registry.clock,
                Limits(),
                "test",
                tracer=tracer,  # type: ignore[arg-type]  # nobody asks it
            )
            self.assertEqual(tracer is None, site.fast is not None)

    def test_told(self) -> None:
        """Whoever is to hear of a pull hears of each one, and is waited for."""
        sink = Sink()
        self.registry.clock.advance(NOW)
        self.registry = MemoryRegistry(
            clock=self.registry.clock,
            driver=self.registry.driver,
            is_fast=True,
            witness=EventWitness(
                sink,
                self.registry.clock,
                SOURCE,
                lambda request, activity: None,
                lambda _: "address",
            ),
        )
        self.connect()
        self.get()
        for _ in range(2):
            self.wire.send(head("GET", MANIFEST, ACCEPT))
            self.registry.clock.advance(0)
            self.assertEqual(200, self.wire.answer().status)
        self.assertEqual(3, len(sink.events))
        self.assertEqual(2, self.hits())
        sink.unwanted = {"pull"}
        self.get()
        self.assertEqual(1, self.hits())
        self.assertEqual(3, len(sink.events))


class GateTests(SynchronousTestCase):
    """Who gets an answer."""

    def setUp(self) -> None:
        """Make a registry with a gate."""
        store = MemoryRegistry()
        store.push_image(NAME, "latest")
        self.side = Side(store.clock, store.driver, guarded=True, is_fast=True)
        assert self.side.guarded is not None
        self.guarded: Guarded = self.side.guarded
        self.guarded.set_rules(1)

    def status(self, authorization: str | None) -> int:
        """Ask, and return the status."""
        shown = {} if authorization is None else {"Authorization": authorization}
        block = head("GET", MANIFEST, {**ACCEPT, **shown})
        written = self.side.send([block])[0]
        assert isinstance(written, bytes)
        return int(written.split(b" ")[1])

    def hits(self) -> int:
        """Return how many answers were given again since the last time."""
        assert self.side.registry.fast is not None
        return self.side.registry.fast.lookups.take()[0]

    def test_remembered(self) -> None:
        """Who has logged in gets it, as long as the login is remembered."""
        self.assertEqual([200, 200], [self.status(ALICE) for _ in range(2)])
        self.assertEqual(1, self.hits())
        self.side.registry.clock.advance(61)
        self.side.wire = self.side.registry.connect()
        self.assertEqual(200, self.status(ALICE))
        self.assertEqual(0, self.hits())

    def test_not_kept(self) -> None:
        """Nothing holds a login: a header block that has one is known by its hash."""
        self.assertEqual([200, 200], [self.status(ALICE) for _ in range(2)])
        fast = self.side.registry.fast
        assert fast is not None
        shown = ALICE.split(" ")[1]
        for key, block in fast.kept.blocks.items():
            self.assertNotIn(shown.encode(), key)
            self.assertIsNone(block.asked.authorization)
        self.assertEqual(1, self.hits())
        self.assertEqual(1, len(fast.kept.blocks))

    def test_login_twice(self) -> None:
        """A login is found in a block that says the same somewhere else, too."""
        for _ in range(2):
            headers = {**ACCEPT, "User-Agent": f"x {ALICE}", "Authorization": ALICE}
            written = self.side.send([head("GET", MANIFEST, headers)])[0]
            assert isinstance(written, bytes)
            self.assertTrue(written.startswith(b"HTTP/1.1 200 "))
        self.assertEqual(1, self.hits())

    def test_others(self) -> None:
        """Nobody else gets it."""
        self.status(ALICE)
        self.assertEqual([401, 401], [self.status(None) for _ in range(2)])
        self.assertEqual(401, self.status(ALICE[:-2]))
        self.assertEqual(0, self.hits())

    def test_rules(self) -> None:
        """Rules that change count at once."""
        self.status(ALICE)
        self.guarded.set_rules(2)
        self.assertEqual(403, self.status(ALICE))
        self.guarded.set_rules(1)
        self.assertEqual(200, self.status(ALICE))
        self.assertEqual(1, self.hits())


class ToldTests(FastCase):
    """Those who watch requests."""

    def test_together(self) -> None:
        """They are told a moment later, of all together."""
        self.get()
        self.watcher.take()
        for _ in range(3):
            self.get()
        self.assertEqual([], self.watcher.take())
        self.registry.clock.advance(TELL_WITHIN)
        self.assertEqual(3, len(self.watcher.take()))
        self.assertEqual(3, self.watcher.at_once)

    def test_counted(self) -> None:
        """What was done is counted when they are told, or at once if nobody is."""
        for watchers in ([self.watcher], []):
            counted: list[tuple[str, int]] = []

            def count(
                activity: Activity,
                times: int,
                counted: list[tuple[str, int]] = counted,
            ) -> None:
                counted.append((activity.action, times))

            self.registry = MemoryRegistry(
                clock=self.registry.clock,
                driver=self.registry.driver,
                is_fast=True,
                watchers=watchers,
                witness=CountingWitness(SilentWitness(), count),
            )
            self.connect()
            self.get()
            for _ in range(3):
                self.get()
            self.wire.request("GET", "/v2/")
            self.wire.request("GET", "/v2/")
            together = [("pull", 3)] if watchers else [("pull", 1)] * 3
            at_once = [] if watchers else together
            self.assertEqual([("pull", 1), *at_once], counted)
            self.registry.clock.advance(TELL_WITHIN)
            self.registry.clock.advance(TELL_WITHIN)
            self.assertEqual([("pull", 1), *together], counted)

    def test_agents(self) -> None:
        """They are told which clients it was."""
        self.get()
        self.watcher.take()
        for agent in "ab":
            self.get(**{"User-Agent": agent})
        self.registry.clock.advance(TELL_WITHIN)
        agents = [each.agent for each in self.watcher.ended_ones]
        self.assertEqual(["a", "b"], agents)

    def test_new_answer(self) -> None:
        """Of requests with the answer before, they are told as it was."""
        self.get()
        self.get()
        self.registry.push_image(NAME, "latest", b"another, and longer", annotations={})
        self.get()
        self.get()
        self.registry.clock.advance(TELL_WITHIN)
        sizes = [each.sent for each in self.watcher.ended_ones if each.method == "GET"]
        self.assertEqual(2, len(set(sizes)))
        self.assertEqual(4, len(sizes))

    def test_draining(self) -> None:
        """When the registry stops, they are told at once."""
        self.get()
        self.watcher.take()
        self.get()
        self.wire.site.drain()
        self.assertEqual(1, len(self.watcher.take()))


class BoundTests(FastCase):
    """How much is kept."""

    def test_answers(self) -> None:
        """So many answers are kept, the latest."""
        with patch.object(kept, "MOST_ANSWERS", 2):
            for query in "abcd":
                self.get(f"{MANIFEST}?{query}")
        self.assertEqual(2, len(self.fast.kept.answers))
        self.get(f"{MANIFEST}?d")
        self.assertEqual(1, self.hits())

    def test_bytes(self) -> None:
        """So many bytes are kept."""
        with patch.object(kept, "MOST_BYTES", 1000):
            for query in "abcd":
                self.get(f"{MANIFEST}?{query}")
        size = sum(each.size for each in self.fast.kept.answers.values())
        self.assertEqual(size, self.fast.kept.size)
        self.assertLess(len(self.fast.kept.answers), 4)

    def test_blocks(self) -> None:
        """So many header blocks are kept; the others are read again."""
        with patch.object(kept, "MOST_BLOCKS", 2):
            for agent in "abcd":
                self.get(**{"User-Agent": agent})
        self.assertEqual(2, len(self.fast.kept.blocks))
        self.hits()
        self.get(**{"User-Agent": "a"})
        self.assertEqual(1, self.hits())

    def test_only_what_counts(self) -> None:
        """Nothing holds a body but the answer that it is sent with, and is counted."""
        content = bytes(self.get().body)
        for method in (b"GET", b"HEAD"):
            asked, own = Asked((method, b"/", b"accepted")), bytes(bytearray(content))
            before = sys.getrefcount(own)
            self.fast.kept.learn(asked, Lasting(lambda: True, own), (), EXCHANGE, HEAD)
            self.assertEqual(before, sys.getrefcount(own))
        sizes = [each.size for each in self.fast.kept.answers.values()]
        self.assertEqual(sum(sizes), self.fast.kept.size)
        longer = len(b"HEAD") - len(b"GET")
        self.assertEqual(len(content), sizes[-2] - sizes[-1] + longer)

    def test_forgotten(self) -> None:
        """An answer that is forgotten is not held by the request that it was for."""
        self.get()
        self.get()
        self.assertEqual(1, self.hits())
        (known,) = self.fast.kept.answers.values()
        gone = ref(known)
        self.fast.kept.forget(next(iter(self.fast.kept.answers)))
        del known
        gc.collect()
        self.assertIsNone(gone())

    def test_large(self) -> None:
        """A large manifest is not kept."""
        with patch.object(kept, "LARGEST", 10):
            self.get()
        self.get()
        self.assertEqual(0, self.hits())

    def test_limits(self) -> None:
        """A header that the registry would refuse is not even read."""
        self.registry = MemoryRegistry(
            driver=self.registry.driver, is_fast=True, limits=Limits(header_size=150)
        )
        self.connect()
        self.get()
        block = head("GET", MANIFEST, {**ACCEPT, "User-Agent": "x" * 50})
        self.wire.send(block)
        self.assertEqual(431, self.wire.answer().status)


class PiecesTests(SynchronousTestCase):
    """Where an answer's header is cut."""

    def test_in_order(self) -> None:
        """Where the id stands, and where the date does behind it."""
        head = AnswerHead({})
        for number, name in enumerate(("A", "X-Request-Id", "Date", "B")):
            head.set(name, str(number))
        expected = (
            b"HTTP/1.1 200 OK\r\nA: 0\r\nX-Request-Id: ",
            b"\r\nDate: ",
            b"\r\nB: 3\r\n\r\n",
        )
        self.assertEqual(expected, _pieces(head.lines))

    def test_otherwise(self) -> None:
        """Where they stand otherwise, there is nothing to be kept."""
        the_id, date = ("X-Request-Id", "2"), ("Date", "3")
        for lines in ([date, the_id], [the_id], [date], [the_id, date, date], []):
            head = AnswerHead({})
            for name, value in lines:
                head.add(name, value)
            self.assertIsNone(_pieces(head.lines))
