"""The case under tests of the fast path: registries with it, and without."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from attrs import asdict, evolve
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer

from tests.unit.web.witness_case import SOURCE
from tests.unit.webhooks.doubles import Receiver
from tests.unit.webhooks.test_queue import WritingLedger
from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.credentials import BearerToken
from txregistry.auth.policy import GrantsPolicy
from txregistry.auth.remembering import Remembered, RememberingChecker
from txregistry.auth.rules import Rules, RulesPolicy, parse_rules
from txregistry.auth.throttle import ThrottledAuthenticator
from txregistry.auth.verifying import Verifying
from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.notifying import _client_address
from txregistry.oci.events import Activity
from txregistry.oci.forwarded import client
from txregistry.oci.globs import Globs
from txregistry.oci.mediatypes import OCTET_STREAM
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.gate import Gate
from txregistry.web.urls import Urls
from txregistry.web.witness import CountingWitness, EventWitness, SilentWitness
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.filters import EventFilter
from txregistry.webhooks.queue import Queue
from txregistry.webhooks.retrying import Backoff
from txregistry.webhooks.sink import QueueSink

_T = TypeVar("_T")

NAME: Final = "library/hello"
ALICE: Final = "Basic " + b64encode(b"alice:secret").decode()
ALICE_MISTAKEN: Final = "Basic " + b64encode(b"alice:wrong").decode()

# What rules may say, one after another.
RULES: Final[Sequence[Sequence[dict[str, Any]]]] = (
    [{"who": ["anonymous", "*"], "may": "*", "on": "**"}],
    [{"who": "user:alice", "may": "pull", "on": "**"}],
    [{"who": "user:alice", "may": "pull", "on": "other/**"}],
    [],
)


@implementer(IRequestWatcher)
class Watcher:
    """Keeps what it is told of requests.

    Attributes:
        ended_ones: What came of them.
        at_once: How many of them it was told of together with others, or could be.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.ended_ones: list[Exchange] = []
        self.at_once = 0

    def began(self, route: str, method: str) -> None:
        """See IRequestWatcher."""

    def ended(self, exchange: Exchange) -> None:
        """See IRequestWatcher."""
        self.ended_ones.append(exchange)

    def ended_alike(self, exchange: Exchange, hits: Sequence[Hit]) -> None:
        """See IRequestWatcher."""
        self.at_once += len(hits)
        for hit in hits:
            self.ended_ones.append(evolve(exchange, **hit._asdict()))

    def told(self) -> None:
        """See IRequestWatcher."""

    def take(self) -> list[str]:
        """Return what it was told of since, in no order, as text."""
        taken, self.ended_ones = self.ended_ones, []
        return sorted(repr(asdict(evolve(each, seconds=0.0))) for each in taken)


class Counts:
    """Counts activities by what they are."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.counted: list[str] = []

    def count(self, activity: Activity, times: int) -> None:
        """Take one that was done so many times."""
        self.counted += [repr(activity)] * times

    def take(self) -> list[str]:
        """Return what was done since, in no order."""
        taken, self.counted = self.counted, []
        return sorted(taken)


class Guarded:
    """A gate that knows alice, and rules that can be changed.

    Attributes:
        rules: The rules in force.
        gate: The gate.
    """

    def __init__(self, clock: Clock) -> None:
        """Make it."""
        self.rules: Rules = parse_rules(list(RULES[0]))
        users = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        checker = RememberingChecker(users, Remembered(clock, 60.0), Verifying())
        basic = BasicAuthenticator("registry", checker)
        self.gate = Gate(
            [ThrottledAuthenticator(basic, clock)],
            GrantsPolicy(RulesPolicy(lambda: self.rules)),
            BearerToken,
            lambda _: None,
            lambda _: "http://registry.test",
            lambda request: client(
                request.headers("x-forwarded-for"),
                request.getClientAddress().host,
                lambda _: True,
            ),
        )

    def set_rules(self, number: int) -> None:
        """Put other rules into force."""
        self.rules = parse_rules(list(RULES[number]))


class Told:
    """Two endpoints that are told of pulls, one of them not of all.

    Attributes:
        ledger: Where events wait; what writing fails with can be given.
        witness: Makes the events.
    """

    def __init__(self, clock: Clock, is_slow: bool) -> None:
        """Prepare.

        Args:
            clock: Gives time.
            is_slow: Whether nothing is written before ``finish`` says so.
        """
        self.ledger = WritingLedger()
        self._thread = SlowThreads()
        self._last = 0
        filters = [
            EventFilter(),
            EventFilter(
                frozenset({OCTET_STREAM}), repositories=Globs.parse(["lib*/*"])
            ),
        ]
        endpoints = [
            Endpoint(
                f"endpoint {number}",
                each,
                Receiver().poster(clock),
                Backoff(1, 1.0, 1.0, lambda: 0.0),
            )
            for number, each in enumerate(filters)
        ]
        queue = Queue(self.ledger, self._thread if is_slow else execute)
        urls = Urls("/", None, False, lambda _: True)
        self.witness = EventWitness(
            QueueSink(endpoints, queue, lambda _: None),
            clock,
            SOURCE,
            urls.content,
            _client_address(lambda _: True),
        )

    def finish(self) -> bool:
        """Have something written; return whether there was anything."""
        return self._thread.finish()

    def take(self) -> list[str]:
        """Return what is told since, in order, and whom, but for identifiers."""
        rows = self.ledger.select(
            "SELECT events.seq, name, body FROM events"
            " JOIN deliveries ON deliveries.seq = events.seq"
            " JOIN endpoints ON endpoints.id = endpoint WHERE events.seq > ?"
            " ORDER BY events.seq, name",
            (self._last,),
        )
        told = []
        for seq, name, body in rows:
            self._last = seq
            event = json.loads(body)
            del event["id"]
            told.append(f"{name}: {json.dumps(event)}")
        return told


class SlowThreads:
    """Runs work when a test says so, one after another."""

    def __init__(self) -> None:
        """Have no work."""
        self._works: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, work: Callable[[], _T], /) -> Deferred[_T]:
        """See InThread."""
        done: Deferred[_T] = Deferred()
        self._works.append((work, done))
        return done

    def finish(self) -> bool:
        """Do the next work; return whether there was any."""
        if not self._works:
            return False
        work, done = self._works.pop(0)
        execute(work).chainDeferred(done)
        return True


class Side:
    """A registry, a connection to it, and all that it tells.

    Attributes:
        registry: The registry.
        watcher: Is told of requests.
        counter: Counts what is done.
        guarded: Its gate; None: it is open.
        told: Who is told of pulls; None: nobody.
        wire: The connection.
    """

    def __init__(
        self,
        clock: Clock,
        driver: Any,
        guarded: bool,
        is_fast: bool,
        told: Told | None = None,
    ) -> None:
        """Make it, and connect."""
        self.watcher, self.counter = Watcher(), Counts()
        self.guarded = Guarded(clock) if guarded else None
        self.told = told
        witness = SilentWitness() if told is None else told.witness
        self.registry = MemoryRegistry(
            clock=clock,
            driver=driver,
            gate=None if self.guarded is None else self.guarded.gate,
            witness=CountingWitness(witness, self.counter.count),
            watchers=[self.watcher],
            read_only=True,
            is_fast=is_fast,
        )
        self.wire = self.registry.connect()

    def send(self, pieces: Sequence[bytes], leaves: bool = False) -> tuple[Any, ...]:
        """Send bytes; return all that comes of it.

        Args:
            pieces: The bytes.
            leaves: Whether the client hangs up then, and waits for nothing.

        Returns:
            What was written; whether the connection ends, and has ended one way; what
            watchers were told; what was counted; what is told to others; of how many
            pulls the log says that they could not be, for each reason.
        """
        with capturedLogs() as logged:
            for piece in pieces:
                if not self.wire.transport.disconnecting:  # else nobody reads it
                    self.wire.send(piece)
                self.registry.clock.advance(0)
            if leaves:
                self.wire.hang_up()
            while self.told is not None and self.told.finish():
                self.registry.clock.advance(0)
        events = [] if self.told is None else self.told.take()
        lines = [str(formatEvent(each)) for each in logged]
        if self.registry.fast is not None:
            self.registry.fast.tell()
        transport = self.wire.transport
        written = transport.value()
        transport.clear()
        ending = (transport.disconnecting, transport.disconnected)
        if leaves or self.is_over():
            if not leaves:
                self.wire.hang_up()
            self.wire = self.registry.connect()
        seen = self.watcher.take(), self.counter.take()
        return written, ending, *seen, events, _lost(lines)

    def is_over(self) -> bool:
        """Say whether the connection takes no further request."""
        channel = self.wire.channel
        over = channel._refused or channel._linger is not None
        return bool(over or self.wire.transport.disconnecting or channel.requests)


def _lost(lines: Sequence[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in lines:
        lost = re.fullmatch(r"notifications: (\d+) pull events are lost: (.*)", line)
        if lost is not None:
            found[lost[2]] += int(lost[1])
    return found
