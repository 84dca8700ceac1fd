"""Tests of txregistry.oci.eventforms."""

from __future__ import annotations

import json

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from tests.unit.webhooks.doubles import blob_pulled, event, manifest_pushed
from txregistry.oci.eventforms import EventForm, RepeatedEvent
from txregistry.oci.events import Event


def again(form: EventForm, made: Event) -> RepeatedEvent:
    """Return an event like one, of a form."""
    request = made.request
    return RepeatedEvent(form, made.id, made.at, request.id, request.addr)


class RepeatedTests(SynchronousTestCase):
    """Events that are like one before."""

    def test_same(self) -> None:
        """What is told is what the event itself would tell, byte for byte."""
        for activity in (blob_pulled(), manifest_pushed("pull")):
            for actor, url in (("alice", "http://a/b"), (None, None)):
                first = event(activity, "first", actor=actor, url=url)
                form = EventForm.of(first)
                request = evolve(first.request, id="other", addr="[::1]:1")
                other = evolve(first, id="2", at=1763784000.25, request=request)
                for each in (first, other):
                    self.assertEqual(each.to_text(), again(form, each).to_text())

    @generated
    @given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
    def test_any(self, agent: str, actor: str, host: str) -> None:
        """Whatever a client says of itself stands where it belongs."""
        first = event(actor=actor)
        request = evolve(first.request, useragent=agent, host=host)
        made = evolve(first, request=request)
        text = again(EventForm.of(made), made).to_text()
        self.assertEqual(made.to_json(), json.loads(text))
        self.assertEqual(made.to_text(), text)

    def test_members(self) -> None:
        """It has what a sink asks an event for."""
        made = event(blob_pulled(), "7")
        found = again(EventForm.of(made), made)
        self.assertEqual((made.id, made.at), (found.id, found.at))
        self.assertEqual(made.activity, found.activity)
        self.assertEqual({}, found.trace)
