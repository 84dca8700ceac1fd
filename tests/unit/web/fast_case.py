"""The case under tests of the fast path: registries with it, and without."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from attrs import asdict, evolve
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock
from zope.interface import implementer

from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.credentials import BearerToken
from txregistry.auth.policy import GrantsPolicy
from txregistry.auth.remembering import Remembered, RememberingChecker
from txregistry.auth.rules import Rules, RulesPolicy, parse_rules
from txregistry.auth.throttle import ThrottledAuthenticator
from txregistry.auth.verifying import Verifying
from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.oci.events import Activity
from txregistry.oci.forwarded import client
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.gate import Gate
from txregistry.web.witness import CountingWitness, SilentWitness

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


class Counter:
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


class Side:
    """A registry, a connection to it, and all that it tells.

    Attributes:
        registry: The registry.
        watcher: Is told of requests.
        counter: Counts what is done.
        guarded: Its gate; None: it is open.
        wire: The connection.
    """

    def __init__(self, clock: Clock, driver: Any, guarded: bool, is_fast: bool) -> None:
        """Make it, and connect."""
        self.watcher, self.counter = Watcher(), Counter()
        self.guarded = Guarded(clock) if guarded else None
        self.registry = MemoryRegistry(
            clock=clock,
            driver=driver,
            gate=None if self.guarded is None else self.guarded.gate,
            witness=CountingWitness(SilentWitness(), self.counter.count),
            watchers=[self.watcher],
            read_only=True,
            is_fast=is_fast,
        )
        self.wire = self.registry.connect()

    def send(self, pieces: Sequence[bytes]) -> tuple[object, ...]:
        """Send bytes; return all that comes of it.

        Returns:
            What was written; whether the connection ends, and has ended one way; what
            watchers were told; what was counted.
        """
        for piece in pieces:
            if not self.wire.transport.disconnecting:  # else nobody reads it
                self.wire.send(piece)
            self.registry.clock.advance(0)
        if self.registry.fast is not None:
            self.registry.fast.tell()
        transport = self.wire.transport
        written = transport.value()
        transport.clear()
        ending = (transport.disconnecting, transport.disconnected)
        if self.is_over():
            self.wire.hang_up()
            self.wire = self.registry.connect()
        return written, ending, self.watcher.take(), self.counter.take()

    def is_over(self) -> bool:
        """Say whether the connection takes no further request."""
        channel = self.wire.channel
        over = channel._refused or channel._linger is not None
        return bool(over or self.wire.transport.disconnecting or channel.requests)
