"""Witness: tells others what requests do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

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

    def repeat(self, request: HeldRequest) -> None:
        """Tell of what a request does, and release it when that cannot be lost.

        Of what was done before and after it those hear who are told by ``of``, too, in
        this order. If it cannot be told, for a reason unforeseen, it is given up.
        """


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

    def repeat(self, request: HeldRequest) -> None:
        """See Witness."""
        request.release()


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

    def repeat(self, request: HeldRequest) -> None:
        """See Witness."""
        self.witness.repeat(request)


@define(eq=False)
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
    _repeated: list[tuple[HeldRequest, RepeatedEvent]] = field(factory=list, init=False)

    def of(self, request: Any) -> Tell:
        """See Witness."""

        def tell(activities: Sequence[Activity]) -> Deferred[None]:
            wanted = [each for each in activities if self.sink.wants(each)]
            if not wanted:
                return succeed(None)
            identity = request.identity
            actor = None if identity is None else identity.name
            self._tell_repeated()
            return self.sink.deliver(
                [self._event(request, each, actor) for each in wanted]
            )

        return tell

    def ignores(self, activity: Activity) -> bool:
        """See Witness."""
        return not self.sink.wants(activity)

    def saw(self, activity: Activity, times: int) -> None:
        """See Witness. There is nothing to be noted."""

    def repeat(self, request: HeldRequest) -> None:
        """See Witness. What comes in two turns of the reactor is told together.

        Not in one, because clients that were answered together ask again together, and
        the last ones of them while the first ones are read.
        """
        if not self._repeated:
            later = self.clock.callLater
            later(0, later, 0, self._tell_repeated)
        self._repeated.append((request, self._again(request)))

    def _tell_repeated(self) -> None:
        """Tell of what was repeated since the last time."""
        if not self._repeated:
            return
        repeated, self._repeated = self._repeated, []
        telling = self.sink.deliver([event for _, event in repeated])
        requests = [request for request, _ in repeated]
        telling.addCallbacks(_release, _give_up, (requests,), {}, (requests,))

    def _again(self, request: HeldRequest) -> RepeatedEvent:
        """Return the event of a request that is like others."""
        form, came = request.block.form, (request.address, request.isSecure())
        if form is None or request.block.form_for != came:
            form = self._form(request, form)
            request.block.form, request.block.form_for = form, came
        now, address = self.clock.seconds(), self.address(request)
        return RepeatedEvent(form, self.new_id(), now, request.id, address)

    def _form(self, request: HeldRequest, form: EventForm | None) -> EventForm:
        """Return what a request's event has in common with others; maybe as before."""
        activity = request.activity
        if form is not None and form.url == self.url(request, activity):
            return form
        return EventForm.of(self._event(request, activity, request.exchange.user))

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


def _release(_: object, requests: Sequence[HeldRequest]) -> None:
    for request in requests:
        request.release()


def _give_up(_: Failure, requests: Sequence[HeldRequest]) -> None:
    for request in requests:
        request.give_up()
