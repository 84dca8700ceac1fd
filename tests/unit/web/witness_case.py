"""The case under tests of events: a registry with a witness, and a sink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.unit.web.case import RegistryCase
from txregistry.interfaces import Identity, IEventSink
from txregistry.oci.access import Access
from txregistry.oci.digest import Digest
from txregistry.oci.eventforms import AnyEvent
from txregistry.oci.events import Activity, SourceRecord
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.gate import Anybody, Caller
from txregistry.web.urls import Urls
from txregistry.web.witness import EventWitness

NAME = "library/hello"
SOURCE = SourceRecord("registry.example:5000", "the process")
LAYER = b"a layer"
LAYER_DIGEST = Digest.of(LAYER)
NOW = 1763784000.0


@implementer(IEventSink)
class Sink:
    """A sink that keeps what it gets.

    Attributes:
        events: The events.
        sizes: How many came at a time.
        unwanted: Actions that it does not want.
        problem: What taking events fails with; None: nothing.
        waits: What it waits for; None: nothing.
    """

    def __init__(self) -> None:
        """Begin with nothing, and want everything."""
        self.events: list[Any] = []
        self.sizes: list[int] = []
        self.unwanted: set[str] = set()
        self.problem: Exception | None = None
        self.waits: Deferred[None] | None = None

    def wants(self, activity: Activity) -> bool:
        """See IEventSink."""
        return activity.action not in self.unwanted

    def deliver(self, events: Sequence[AnyEvent]) -> Deferred[None]:
        """See IEventSink."""
        if self.problem is not None:
            return fail(self.problem)
        self.events += events
        self.sizes.append(len(events))
        return succeed(None) if self.waits is None else self.waits


class AliceGate:
    """Takes everybody for somebody."""

    def __init__(self, name: str | None) -> None:
        """Take the somebody's name."""
        self._identity = Identity(name, "user")

    async def admit(self, request: Any, accesses: Sequence[Access]) -> Caller:
        """See Admission."""
        request.identity = self._identity
        return Anybody()


class WitnessCase(RegistryCase):
    """A registry with a witness, and an image in it, of which nothing is told.

    Attributes:
        sink: What takes events.
        digest: The image.
    """

    def setUp(self) -> None:
        """Make the registry."""
        self.use()

    def use(self, *, details: bool = False, **options: Any) -> None:
        """Take a registry with other options."""
        self.sink = Sink()
        clock = Clock()
        clock.advance(NOW)
        urls = Urls(
            options.get("prefix", "/"),
            options.get("host"),
            options.get("relative", False),
            options.get("trusts", lambda _: False),
        )
        witness = EventWitness(
            self.sink,
            clock,
            SOURCE,
            urls.content,
            lambda request: str(request.getClientAddress().host),
            details,
        )
        self.registry = MemoryRegistry(clock=clock, witness=witness, **options)
        self.digest = self.registry.push_image(NAME, "latest")
        self.sink.events.clear()

    def path(self, kind: str, last: object, name: str = NAME) -> str:
        """Return where content is."""
        return f"{self.registry.prefix}v2/{name}/{kind}/{last}"

    def told(self, status: int, *args: Any) -> list[dict[str, Any]]:
        """Send a request; return the events that it has made."""
        self.sink.events.clear()
        answer = self.ask(*args)
        self.assertEqual(status, answer.status, answer.body)
        return [each.to_json() for each in self.sink.events]

    def targets(self, status: int, *args: Any) -> list[tuple[str, dict[str, Any]]]:
        """Send a request; return actions and targets of the events."""
        return [(each["action"], each["target"]) for each in self.told(status, *args)]

    def pulled(self, status: int, *args: Any) -> list[str]:
        """Send a request; return the digests of what it has pulled."""
        targets = self.targets(status, *args)
        self.assertLessEqual({action for action, _ in targets}, {"pull"})
        return [target["digest"] for _, target in targets]
