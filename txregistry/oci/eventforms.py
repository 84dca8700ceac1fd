"""Event forms: what events have in common that are told of the same again and again.

Most events are like one before, but for when it was, who asked, and what that request
was called. So what they look like is written once, with room for these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias
from uuid import uuid4

from attrs import evolve, frozen

from txregistry.oci.events import Activity, Event, format_timestamp

_Texts: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes]

AnyEvent: TypeAlias = "Event | RepeatedEvent"

_NO_TRACE: Final[Mapping[str, str]] = MappingProxyType({})


@frozen
class EventForm:
    """What events have in common.

    Attributes:
        activity: What was done.
        url: Where the content is; None: nowhere any more.
        texts: They as JSON, cut where they differ: at the event's id, the time, the
            request's id and the client's address.
    """

    activity: Activity
    url: str | None
    texts: _Texts

    @classmethod
    def of(cls, event: Event) -> EventForm:
        """Return what there is of one event in others."""
        room = uuid4().hex  # nobody can have sent it
        request = evolve(event.request, id=room, addr=room)
        document = evolve(event, id=room, request=request).to_json()
        text = json.dumps({**document, "timestamp": room}, separators=(",", ":"))
        first, second, third, fourth, fifth = text.encode("ascii").split(room.encode())
        texts = (first, second, third, fourth, fifth)
        return cls(event.activity, event.url, texts)


class RepeatedEvent:
    """One more event of a form.

    Attributes:
        id: See Event.
        at: See Event.
        trace: See Event.
    """

    __slots__ = ("_address", "_form", "_request_id", "at", "id")

    trace: ClassVar[Mapping[str, str]] = _NO_TRACE

    def __init__(
        self, form: EventForm, event_id: str, at: float, request_id: str, address: str
    ) -> None:
        """Take what it does not have in common with others.

        Args:
            form: What it has.
            event_id: See Event.
            at: See Event.
            request_id: See RequestRecord.
            address: See RequestRecord; it is there.
        """
        self.id = event_id
        self.at = at
        self._form = form
        self._request_id = request_id
        self._address = address

    @property
    def activity(self) -> Activity:
        """See Event."""
        return self._form.activity

    def to_text(self) -> bytes:
        """See Event."""
        first, second, third, fourth, fifth = self._form.texts
        at = format_timestamp(self.at)
        varying = (self.id, at, self._request_id, self._address)
        one, two, three, four = (each.encode("ascii") for each in varying)
        pieces = (first, one, second, two, third, three, fourth, four, fifth)
        return b"".join(pieces)
