"""Tests of txregistry.workers.crew, and of what shows a crew."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from tests.unit.workers.doubles import Nursery
from txregistry.observe.debug import Content, Page
from txregistry.observe.sharing import WorkersFolder
from txregistry.workers import crew as module
from txregistry.workers.assignment import Assignment
from txregistry.workers.crew import Crew
from txregistry.workers.gauges import WorkerGauges
from txregistry.workers.pages import WorkerPages
from txregistry.workers.supervising import WorkerFailed


class Socket:
    """A port that has a socket. See IListeningPort."""

    def fileno(self) -> int:
        """Return its descriptor."""
        return 33


class CrewCase(SynchronousTestCase):
    """A crew of two."""

    def setUp(self) -> None:
        """Make it; start nothing."""
        self.reactor = QuietReactor()
        self.nursery = Nursery()
        self.spawners: list[tuple[Any, ...]] = []
        self.patch(module, "Spawner", self.make_spawner)
        self.folder = WorkersFolder()
        self.folder.enter()
        self.addCleanup(self.folder.leave)
        given = Assignment("a", "text", "/", "r")
        environ = {"A": "b"}
        self.crew = Crew(2, ["http"], given, self.reactor, environ, self.folder)

    def make_spawner(self, *arguments: Any) -> Any:
        """Note what processes are to be started with."""
        self.spawners.append(arguments)
        spawner: Any = self.nursery
        spawner.assignment = arguments[1]
        return spawner

    def begin(self) -> Deferred[None]:
        """Start it; the workers do not serve yet."""
        port: Any = Socket()
        started = Deferred.fromCoroutine(self.crew.start([port]))
        for call, arguments, named in self.reactor.whenRunningHooks:
            call(*arguments, **named)
        return started

    def start(self) -> None:
        """Start it."""
        started = self.begin()
        for process in self.nursery.processes:
            process.serve()
        self.successResultOf(started)

    def end(self) -> None:
        """End it."""
        drained = self.crew.drain()
        for process in self.nursery.processes:
            process.end()
        self.successResultOf(drained)


class CrewTests(CrewCase):
    """The crew."""

    def test_start(self) -> None:
        """Workers get the sockets, and a folder to count in; when the reactor runs."""
        self.start()
        [(_, descriptor, sockets, environ, _)] = self.spawners
        self.assertEqual([33], sockets)
        self.assertEqual("b", environ["A"])
        self.assertEqual(self.folder.path, environ["PROMETHEUS_MULTIPROC_DIR"])
        given = Assignment.read(descriptor)
        self.assertEqual(({"http": 5}, "text"), (given.sockets, given.text))
        self.end()
        self.assertRaises(OSError, os.fstat, descriptor)

    def test_failed(self) -> None:
        """A worker that cannot begin keeps it from starting."""
        started = self.begin()
        self.nursery.processes[0].end()
        self.failureResultOf(started, WorkerFailed)
        drained = self.crew.drain()
        self.nursery.processes[1].end()
        self.successResultOf(drained)

    def test_never_started(self) -> None:
        """One that was never started has ended."""
        self.successResultOf(self.crew.drain())

    def test_told(self) -> None:
        """Workers are told what to do, and which checks fail."""
        self.start()
        self.crew.reload()
        self.crew.reopen_logs()
        self.crew.tell_health({"a": "b"})
        self.crew.hurry()
        expected = [
            {"do": "reload"},
            {"do": "reopen"},
            {"failures": {"a": "b"}},
            {"do": "hurry"},
        ]
        self.assertEqual(expected, self.nursery.processes[0].sent)
        self.end()

    def test_heard(self) -> None:
        """They say for whom there are events, and what is to be logged."""
        self.start()
        heard: list[frozenset[str]] = []
        hears = self.nursery.processes[0].hears
        hears.heard({"events": ["unheard"]})
        self.crew.hear_of_events = heard.append
        hears.heard({"events": ["a"]})
        self.assertEqual([frozenset({"a"})], heard)
        with capturedLogs() as events:
            hears.heard({"log": "hm", "level": "warn"})
            hears.heard({"nothing": "we know"})
        [event] = events
        self.assertEqual(("hm", LogLevel.warn), (event["text"], event["log_level"]))
        self.end()

    def test_problems(self) -> None:
        """While none serves, that is a problem, but not before the start."""
        self.assertEqual([], self.crew.problems())
        self.start()
        self.assertEqual([], self.crew.problems())
        self.nursery.processes[0].end()
        self.assertEqual([], self.crew.problems())
        self.nursery.processes[1].end()
        self.assertEqual(["no worker serves"], self.crew.problems())

    def test_forgotten(self) -> None:
        """What a worker had of what is now is taken away when it has ended."""
        self.start()
        now = Path(self.folder.path) / "gauge_livesum_worker1.db"
        done = Path(self.folder.path) / "counter_worker1.db"
        now.touch()
        done.touch()
        self.nursery.processes[0].end()
        self.assertEqual((False, True), (now.exists(), done.exists()))

    def test_no_folder(self) -> None:
        """Without a folder they count where the environment says, if anywhere."""
        given = Assignment("a", "text", "/", "r")
        self.crew = Crew(2, ["http"], given, self.reactor, {})
        self.start()
        self.assertEqual({}, self.spawners[0][3])
        self.end()


class OwnPages:
    """Pages of the process that minds workers. See Pages."""

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        return [
            Page("/debug/versions", lambda _: Content(b"1"), "versions"),
            Page("/debug/requests", lambda _: _json([]), "requests"),
            Page("/debug/reactor", lambda _: _json({"a": 0}), "reactor"),
            Page("/debug/stacks", lambda _: self._later(), "stacks"),
            Page("/debug/profile", lambda _: Content(b"own"), "profile"),
        ]

    async def _later(self) -> Content:
        return Content(b"own")


def _json(value: object) -> Content:
    return Content(json.dumps(value).encode(), "application/json")


class PagesTests(CrewCase):
    """What is to be seen of them."""

    def setUp(self) -> None:
        """Start them."""
        super().setUp()
        self.start()
        own = WorkerPages(self.crew.supervisor, [OwnPages()])
        self.pages = {page.path: page for page in own.pages()}

    def show(self, path: str, *answers: Content, **given: str) -> Content:
        """Return a page, with what workers answer, in order; the others do not."""
        shown: Any = self.pages[path].show(given)
        if isinstance(shown, Content):
            return shown
        running: Deferred[Content] = Deferred.fromCoroutine(shown)
        asked = [p for p in self.nursery.processes if p.sent and "ask" in p.sent[-1]]
        for process, answer in zip(asked, answers, strict=False):
            process.hears.heard(
                {
                    "answer": process.sent[-1]["ask"],
                    "body": answer.body.decode(),
                    "media_type": answer.media_type,
                    "status": answer.status,
                }
            )
        self.reactor.advance(400)
        return self.successResultOf(running)

    def test_list(self) -> None:
        """There is a list of them."""
        self.nursery.processes[1].end()
        first, second = json.loads(self.show("/debug/workers").body)
        self.assertEqual((1, 1000, "serving"), tuple(first.values())[:3])
        self.assertEqual((2, None, "gone", 1), (*_but_since(second),))

    def test_others(self) -> None:
        """What is the same for all is shown as it is."""
        self.assertEqual(b"1", self.show("/debug/versions").body)

    def test_lists(self) -> None:
        """The lists of all are one."""
        shown = self.show("/debug/requests", _json([{"id": "a"}]), _json([]))
        self.assertEqual([{"worker": "1", "id": "a"}], json.loads(shown.body))

    def test_objects(self) -> None:
        """The objects of all are in one, by name, with a problem for one that hangs."""
        shown = self.show("/debug/reactor", _json({"a": 1}))
        expected = {
            "parent": {"a": 0},
            "1": {"a": 1},
            "2": {"problem": "worker 2: no answer in 5 s"},
        }
        self.assertEqual(expected, json.loads(shown.body))

    def test_texts(self) -> None:
        """The texts of all have headings."""
        shown = self.show("/debug/stacks", Content(b"x"), Content(b"y"))
        expected = b"== parent\nown\n== 1\nx\n== 2\ny\n"
        self.assertEqual(expected, shown.body)

    def test_one(self) -> None:
        """Each can be asked alone."""
        shown = self.show("/debug/stacks", Content(b"x"), worker="2")
        self.assertEqual(b"x", shown.body)
        shown = self.show("/debug/profile", worker="parent")
        self.assertEqual(b"own", shown.body)

    def test_which(self) -> None:
        """For a profile it has to be said which."""
        shown = self.show("/debug/profile")
        self.assertEqual(400, shown.status)
        self.assertIn(b"parent, 1, 2", shown.body)

    def test_hangs(self) -> None:
        """One that does not answer is a failure."""
        self.assertEqual(503, self.show("/debug/profile", worker="1").status)


def _but_since(shown: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(value for name, value in shown.items() if name != "since")


class GaugesTests(CrewCase):
    """The metrics about workers."""

    def test_collect(self) -> None:
        """How many there are, how often they ended, and what they take."""
        self.start()
        self.nursery.processes[0].pid = os.getpid()
        self.nursery.processes[1].end()
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for metric in WorkerGauges(self.crew.supervisor).collect()
            for sample in metric.samples
        }
        self.assertEqual(1, found["registry_workers", "serving"])
        self.assertEqual(1, found["registry_workers", "gone"])
        self.assertEqual(1, found["registry_worker_ends_total", "2"])
        self.assertGreater(found["registry_worker_resident_memory_bytes", "1"], 0)
        self.assertGreater(found["registry_worker_cpu_seconds_total", "1"], 0)
        self.assertNotIn(("registry_worker_cpu_seconds_total", "2"), found)
