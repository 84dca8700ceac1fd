"""Tests of txregistry.workers.chief."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry.observe.debug import Content, Page
from txregistry.workers import chief as module
from txregistry.workers.assignment import REPORTS, Assignment
from txregistry.workers.chief import Chief
from txregistry.workers.lines import to_line


class SomePages:
    """Pages. See Pages."""

    def __init__(self) -> None:
        """Take what is waited for."""
        self.waiting: Deferred[Content] = Deferred()

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        return [
            Page("/now", lambda given: Content(given["a"].encode()), "now"),
            Page("/later", lambda _: self.waiting, "later"),
        ]


class ChiefTests(SynchronousTestCase):
    """The process that minds us."""

    def setUp(self) -> None:
        """Connect to it."""
        self.stops = 0
        self.done: list[str] = []
        self.chief = Chief(
            3, Assignment("a", "", "/", "r"), QuietReactor(), self.note_stop
        )
        self.chief.commands = {
            name: lambda name=name: self.done.append(name)  # type: ignore[misc]
            for name in ("hurry", "reload", "reopen")
        }
        self.some = SomePages()
        self.chief.pages = [self.some]
        self.transport = StringTransport()

    def note_stop(self) -> None:
        """Note that we are to end."""
        self.stops += 1

    def connect(self) -> None:
        """Connect to it."""
        self.chief.makeConnection(self.transport)

    def obey(self, **message: Any) -> None:
        """Hear something from it."""
        self.chief.dataReceived(to_line(message))

    def said(self) -> list[dict[str, Any]]:
        """Return what we have said, but for how much we have taken."""
        lines = [json.loads(line) for line in self.transport.value().splitlines()]
        return [line for line in lines if "took" not in line]

    def test_commands(self) -> None:
        """We do what it says."""
        self.connect()
        for name in ("reload", "reopen", "hurry"):
            self.obey(do=name)
        self.assertEqual(["reload", "reopen", "hurry"], self.done)

    def test_took(self) -> None:
        """We say how many messages we have taken in all, after each lot of them."""
        self.connect()
        self.chief.dataReceived(to_line({"do": "reload"}) + to_line({"do": "beat"}))
        self.obey(do="beat")
        lines = [json.loads(line) for line in self.transport.value().splitlines()]
        self.assertEqual([{"took": 2}, {"took": 3}], lines)
        self.assertEqual(["reload"], self.done)

    def test_stop(self) -> None:
        """We stop once, whoever says so, and how often."""
        self.connect()
        self.obey(do="stop")
        self.obey(do="stop")
        self.chief.end()
        self.chief.connectionLost()
        self.assertEqual(1, self.stops)

    def test_gone(self) -> None:
        """We stop when it is gone, and say so."""
        self.connect()
        with capturedLogs() as events:
            self.chief.connectionLost()
        self.assertEqual((1, 1), (self.stops, len(events)))

    def test_own_end(self) -> None:
        """At our own end that is no news."""
        self.chief.note_end()
        with capturedLogs() as events:
            self.chief.connectionLost()
        self.assertEqual((0, 0), (self.stops, len(events)))

    def test_health(self) -> None:
        """It knows which checks fail."""
        self.obey(failures={"disk": "full"})
        self.assertTrue(self.chief.health.is_failing())
        self.obey(failures={})
        self.assertFalse(self.chief.health.is_failing())

    def test_pages(self) -> None:
        """It may ask for our pages."""
        self.connect()
        self.obey(ask=7, page="/now", parameters={"a": "b"})
        [answer] = self.said()
        self.assertEqual((7, "b", 200), tuple(answer[k] for k in _SHOWN))
        self.obey(ask=8, page="/later", parameters={})
        self.some.waiting.callback(Content(b"c", status=503))
        answer = self.said()[1]
        self.assertEqual((8, "c", 503), tuple(answer[k] for k in _SHOWN))

    def test_broken_page(self) -> None:
        """A page that fails is logged."""
        self.connect()
        self.obey(ask=7, page="/nowhere", parameters={})
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))

    def test_reports(self) -> None:
        """We say that we serve, for whom there are events, and what is to be logged."""
        self.chief.report_ready()
        self.connect()
        self.chief.report_ready()
        self.chief.report_news(frozenset({"b", "a"}))
        self.chief.report_line("warn", "hm")
        expected = [
            {"ready": True},
            {"events": ["a", "b"]},
            {"log": "hm", "level": "warn"},
        ]
        self.assertEqual(expected, self.said())

    def test_failure(self) -> None:
        """We say at once why we cannot begin."""
        written: list[tuple[int, bytes]] = []

        def write(descriptor: int, data: bytes) -> int:
            written.append((descriptor, data))
            return len(data)

        self.patch(os, "write", write)
        self.chief.report_failure("no")
        self.assertEqual([(REPORTS, b'{"failed":"no"}\n')], written)

    def test_connect(self) -> None:
        """We are connected by two pipes."""
        made: list[dict[str, Any]] = []
        self.patch(module, "StandardIO", lambda *_, **named: made.append(named))
        self.chief.connect()
        self.assertEqual((0, 3), (made[0]["stdin"], made[0]["stdout"]))


_SHOWN = ("answer", "body", "status")
