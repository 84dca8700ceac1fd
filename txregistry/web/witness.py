"""Witness: tells others what requests do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces import IEventSink, Tell, tell_nobody
from txregistry.oci.eventforms import EventForm, RepeatedEvent
from txregistry.oci.events import Activity, Event, RequestRecord, SourceRecord
from txregistry.oci.uuids import RandomUUIDs
from txregistry.web.held import HeldRequest


class Witness(Protocol):
    """Sees what requests do."""

    def of(self, request: Any) -> Tell:
        """Return what is to hear of all that a request does."""

    def ignores(self, activity: Activity) -> bool:
        """Say whether nobody has to be told of something; else ``of`` is the way."""

    def saw(self, activity: Activity, times: int) -> None:
        """Note something that was done so many times, and is not told by ``of``."""

    def repeat(self, request: HeldRequest) -> Deferred[None]:
        """Tell of what a request does that is answered again; see ``Tell``."""


class SilentWitness:
    """Tells nobody."""

    def of(self, request: Any) -> Tell:
        """See Witness."""
        return tell_nobody

    def ignores(self, activity: Activity) -> bool:
        """See Witness."""
        return True

    def saw(self, activity: Activity, times: int) -> None:
        """See Witness."""

    def repeat(self, request: HeldRequest) -> Deferred[None]:
        """See Witness."""
        return succeed(None)


@frozen
class CountingWitness:
    """Counts what requests do, and leaves the telling to another witness.

    Attributes:
        witness: The other one.
        count: Takes what was done, and how many times.
    """

    witness: Witness
    count: Callable[[Activity, int], None]

    def of(self, request: Any) -> Tell:
        """See Witness."""
        tell_on = self.witness.of(request)

        def tell(activities: Sequence[Activity]) -> Deferred[None]:
            for activity in activities:
                self.count(activity, 1)
            return tell_on(activities)

        return tell

    def ignores(self, activity: Activity) -> bool:
        """See Witness."""
        return self.witness.ignores(activity)

    def saw(self, activity: Activity, times: int) -> None:
        """See Witness."""
        self.count(activity, times)
        self.witness.saw(activity, times)

    def repeat(self, request: HeldRequest) -> Deferred[None]:
        """See Witness."""
        return self.witness.repeat(request)


@frozen
class EventWitness:
    """Makes events of what requests do, and hands them to a sink.

    Attributes:
        sink: Takes the events.
        clock: Says what time it is.
        source: This process.
        url: Returns where content is that something was done to; None: nowhere.
        address: Returns the address of a request's client.
        details: Whether events tell what a manifest refers to, and its annotations, if
            that is not too much.
        new_id: Makes the events' identifiers.
    """

    sink: IEventSink
    clock: IReactorTime
    source: SourceRecord
    url: Callable[[Any, Activity], str | None]
    address: Callable[[Any], str]
    details: bool = False
    new_id: Callable[[], str] = field(factory=RandomUUIDs)

    def of(self, request: Any) -> Tell:
        """See Witness."""

        def tell(activities: Sequence[Activity]) -> Deferred[None]:
            wanted = [each for each in activities if self.sink.wants(each)]
            if not wanted:
                return succeed(None)
            identity = request.identity
            actor = None if identity is None else identity.name
            return self.sink.deliver(
                [self._event(request, each, actor) for each in wanted]
            )

        return tell

    def ignores(self, activity: Activity) -> bool:
        """See Witness."""
        return not self.sink.wants(activity)

    def saw(self, activity: Activity, times: int) -> None:
        """See Witness. There is nothing to be noted."""

    def repeat(self, request: HeldRequest) -> Deferred[None]:
        """See Witness."""
        block, activity = request.block, request.activity
        url, form = self.url(request, activity), block.form
        if form is None or form.url != url:
            event = self._event(request, activity, request.exchange.user)
            form = block.form = EventForm.of(event)
        at, address = self.clock.seconds(), self.address(request)
        event_id = self.new_id()
        return self.sink.deliver(
            [RepeatedEvent(form, event_id, at, request.id, address)]
        )

    def _event(self, request: Any, activity: Activity, actor: str | None) -> Event:
        if not self.details or activity.has_many_details:
            activity = activity.without_details()
        return Event(
            id=self.new_id(),
            at=self.clock.seconds(),
            activity=activity,
            url=self.url(request, activity),
            request=RequestRecord(
                id=request.id,
                addr=self.address(request),
                host=request.header("host") or "",
                method=request.method.decode("ascii"),
                useragent=request.header("user-agent") or "",
            ),
            actor=actor,
            source=self.source,
            trace={} if request.span is None else request.span.headers(),
        )
