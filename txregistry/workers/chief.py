"""Chief: what a worker knows of the process that minds it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.observe.debug import Content, Page, Pages
from txregistry.observe.health import Health
from txregistry.workers.assignment import COMMANDS, REPORTS, Assignment
from txregistry.workers.lines import LineReader, to_line

_log = Logger()


class Chief(Protocol):
    """The process that minds us: it commands, we report; without it we end.

    Attributes:
        number: Our number.
        assignment: What it has given us.
        health: What it finds out about what we depend on.
        stop: Lets us end our requests, and end.
        commands: What else it may tell us to do.
        pages: What it may ask us for.
    """

    transport: Any

    def __init__(
        self, number: int, assignment: Assignment, reactor: Any, stop: Callable[[], Any]
    ) -> None:
        """Take our number, our assignment, the reactor and how we end."""
        self.number = number
        self.assignment = assignment
        self.health = Health([], reactor)
        self.stop = stop
        self.commands: dict[str, Callable[[], object]] = {}
        self.pages: Sequence[Pages] = ()
        self._reactor = reactor
        self._lines = LineReader()
        self._taken = 0
        self._is_stopping = False

    def connect(self) -> None:
        """Begin to listen to it."""
        # mypy takes Twisted's for Windows, whose descriptors have no numbers.
        connect: Any = StandardIO
        connect(self, stdin=COMMANDS, stdout=REPORTS, reactor=self._reactor)

    def report_ready(self) -> None:
        """Say that we serve."""
        self._tell({"ready": True})

    def report_failure(self, problem: str) -> None:
        """Say why we cannot begin; at once, for the reactor may not run any more."""
        os.write(REPORTS, to_line({"failed": problem}))

    def report_news(self, endpoints: frozenset[str]) -> None:
        """Say that in the ledger there are events for endpoints of notifications."""
        self._tell({"events": sorted(endpoints)})

    def report_line(self, level: str, text: str) -> None:
        """Have something logged that we may not log ourselves."""
        self._tell({"log": text, "level": level})

    def end(self) -> None:
        """Let us end, if that has not begun."""
        if not self._is_stopping:
            self.note_end()
            self.stop()

    def note_end(self) -> None:
        """Note that our end has begun."""
        self._is_stopping = True

    def dataReceived(self, data: bytes) -> None:
        """See IProtocol."""
        for message in self._lines.feed(data):
            self._taken += 1
            self._obey(message)
        self._tell({"took": self._taken})

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See IProtocol."""
        if not self._is_stopping:
            _log.error("the process that minds this worker is gone: stopping")
        self.end()

    def _obey(self, message: Mapping[str, Any]) -> None:
        if "failures" in message:
            self.health.take(message["failures"])
        elif "ask" in message:
            Deferred.fromCoroutine(self._answer(message)).addErrback(
                lambda failure: _log.failure("a debug page failed", failure)
            )
        elif message["do"] == "stop":
            self.end()
        elif message["do"] != "beat":  # which only wants to know whether we take it
            self.commands[message["do"]]()

    async def _answer(self, message: Mapping[str, Any]) -> None:
        shown = self._page(message["page"]).show(message["parameters"])
        content = shown if isinstance(shown, Content) else await shown
        self._tell(
            {
                "answer": message["ask"],
                "body": content.body.decode("utf-8", "replace"),
                "media_type": content.media_type,
                "status": content.status,
            }
        )

    def _page(self, path: str) -> Page:
        return {page.path: page for part in self.pages for page in part.pages()}[path]

    def _tell(self, message: dict[str, Any]) -> None:
        if self.transport is not None:
            self.transport.write(to_line(message))


def content_of(answer: Mapping[str, Any]) -> Content:
    """Return the page that a worker has answered."""
    return Content(answer["body"].encode(), answer["media_type"], answer["status"])


def as_json(content: Content) -> Any:
    """Return what a page shows as JSON; None: it shows something else."""
    if content.media_type != "application/json":
        return None
    return json.loads(content.body)
