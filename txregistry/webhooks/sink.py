"""Sink: takes events into the queue, for those who want them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.deferreds import shielded
from txregistry.interfaces import IEventSink, StorageError
from txregistry.oci.eventforms import AnyEvent
from txregistry.oci.events import Activity
from txregistry.webhooks.endpoint import Endpoint
from txregistry.webhooks.ledger import Entry
from txregistry.webhooks.queue import Queue

_log = Logger()

# An image that cannot be pulled because nobody can be told of it helps nobody.
_NOT_WORTH_A_REFUSAL: Final = "pull"


@implementer(IEventSink)
class QueueSink:
    """Puts each event into the queue for the endpoints that want it."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        queue: Queue,
        wake: Callable[[frozenset[str]], None],
    ) -> None:
        """Prepare.

        Args:
            endpoints: All who may want events.
            queue: Where events wait.
            wake: Is called with the names of endpoints for which there is news.
        """
        self._endpoints = endpoints
        self._queue = queue
        self._wake = wake

    def wants(self, activity: Activity) -> bool:
        """See IEventSink."""
        return any(each.filter.passes(activity) for each in self._endpoints)

    def deliver(self, events: Sequence[AnyEvent]) -> Deferred[None]:
        """See IEventSink. Pull events that cannot be kept are lost; that is logged."""
        entries = [self._entry(event) for event in events]
        names = frozenset(name for entry in entries for name in entry.endpoints)
        taken = self._queue.append(entries)
        taken.addCallback(lambda _: self._wake(names))
        if all(event.activity.action == _NOT_WORTH_A_REFUSAL for event in events):
            taken.addErrback(_give_up, len(events))
        # Whoever does not wait does not keep others from being woken.
        return shielded(taken)

    def _entry(self, event: AnyEvent) -> Entry:
        names = [
            each.name for each in self._endpoints if each.filter.passes(event.activity)
        ]
        trace = json.dumps(dict(event.trace)) if event.trace else ""
        return Entry(event.id, event.at, event.to_text, names, trace)


def _give_up(failure: Failure, count: int) -> None:
    failure.trap(StorageError)
    text = "notifications: {count} pull events are lost: {error}"
    _log.error(text, count=count, error=failure.value)
