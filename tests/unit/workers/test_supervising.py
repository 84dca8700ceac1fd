"""Tests of txregistry.workers.supervising."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.workers.doubles import Nursery, TamedProcess
from txregistry.workers.supervising import (
    NoAnswer,
    Stage,
    Supervisor,
    WorkerFailed,
)


class SupervisorCase(SynchronousTestCase):
    """Two workers."""

    def setUp(self) -> None:
        """Make them; start none."""
        self.clock = Clock()
        self.nursery = Nursery()
        self.heard: list[dict[str, Any]] = []
        self.ended: list[int] = []
        self.supervisor = Supervisor(
            2, self.nursery, self.clock, self.heard.append, self.ended.append
        )
        self.events = self.enterContext(capturedLogs())

    def logged(self) -> list[str]:
        """Return the lines of the log."""
        return [formatEvent(event) for event in self.events]

    def start(self) -> None:
        """Have both serve."""
        started = self.supervisor.start()
        for process in self.nursery.processes:
            process.serve()
        self.successResultOf(started)

    def stages(self) -> list[Stage]:
        """Return how far they are."""
        return [worker.stage for worker in self.supervisor.workers]


class StartTests(SupervisorCase):
    """The start."""

    def test_all(self) -> None:
        """It has started when all serve."""
        started = self.supervisor.start()
        first, second = self.nursery.processes
        self.assertEqual([1, 2], [first.number, second.number])
        first.serve()
        first.serve()
        self.assertNoResult(started)
        second.serve()
        self.successResultOf(started)
        self.assertEqual([Stage.SERVING] * 2, self.stages())

    def test_failed(self) -> None:
        """One that cannot begin says why; nobody is put in its place."""
        started = self.supervisor.start()
        first, second = self.nursery.processes
        second.serve()
        first.hears.heard({"failed": "no such file"})
        first.end("exit status 1")
        error = self.failureResultOf(started, WorkerFailed).value
        self.assertEqual("no such file", str(error))
        self.assertEqual([], self.clock.getDelayedCalls())
        drained = self.supervisor.drain()
        second.end()
        self.successResultOf(drained)
        self.assertEqual(2, len(self.nursery.processes))

    def test_mute(self) -> None:
        """So it is with one that ends without a word."""
        started = self.supervisor.start()
        self.nursery.processes[0].end("exit status 3")
        error = self.failureResultOf(started, WorkerFailed).value
        self.assertIn("exit status 3", str(error))

    def test_no_room(self) -> None:
        """A process that cannot be started is a worker that cannot begin."""
        self.nursery.full = True
        self.failureResultOf(self.supervisor.start(), WorkerFailed)
        self.successResultOf(self.supervisor.drain())


class ReplacingTests(SupervisorCase):
    """The end of a worker that nobody wanted."""

    def test_at_once(self) -> None:
        """It is replaced at once, and that is logged."""
        self.start()
        self.clock.advance(60)
        self.nursery.processes[0].end()
        self.assertEqual([1], self.ended)
        self.clock.advance(0)
        new = self.nursery.processes[2]
        self.assertEqual(1, new.number)
        self.assertEqual([Stage.STARTING, Stage.SERVING], self.stages())
        self.assertEqual(1, self.supervisor.serving())
        new.serve()
        self.assertEqual(2, self.supervisor.serving())
        self.assertEqual(1, self.supervisor.workers[0].ends)
        self.assertIn(
            "worker 1 has ended: killed by SIGKILL; starting it anew", self.logged()
        )
        self.assertIn("worker 1 serves again", self.logged())

    def test_again_and_again(self) -> None:
        """One that never lasts is tried less and less often, but at least each 30 s."""
        self.start()
        waits = []
        for _ in range(9):
            self.nursery.processes[-1].end()
            count, begun = len(self.nursery.processes), self.clock.seconds()
            self.clock.advance(0)
            while len(self.nursery.processes) == count:
                self.clock.advance(1)
            waits.append(self.clock.seconds() - begun)
        self.assertEqual([0, 1, 2, 4, 8, 16, 30, 30, 30], waits)

    def test_good_again(self) -> None:
        """One that has served for a while is replaced at once the next time."""
        self.start()
        for _ in range(3):
            self.nursery.processes[-1].end()
            self.clock.pump([0, 30])
        self.nursery.processes[-1].serve()
        self.clock.advance(11)
        count = len(self.nursery.processes)
        self.nursery.processes[-1].end()
        self.clock.advance(0)
        self.assertEqual(count + 1, len(self.nursery.processes))

    def test_reason(self) -> None:
        """The log says why it could not begin."""
        self.start()
        self.nursery.processes[0].end()
        self.clock.advance(0)
        self.nursery.processes[2].hears.heard({"failed": "no such file"})
        self.nursery.processes[2].end("exit status 1")
        self.assertIn("no such file; starting it anew in 1 s", self.logged()[-1])

    def test_no_room(self) -> None:
        """Where there is no room for a process it is tried again later."""
        self.start()
        self.nursery.full = True
        self.nursery.processes[0].end()
        self.clock.advance(0)
        self.assertEqual(2, len(self.nursery.processes))
        self.nursery.full = False
        self.clock.advance(1)
        self.assertEqual(3, len(self.nursery.processes))

    def test_told(self) -> None:
        """It learns how things are by now."""
        self.start()
        self.supervisor.keep_told({"failures": {"a": "b"}})
        self.nursery.processes[0].end()
        self.clock.advance(0)
        new = self.nursery.processes[2]
        new.sent.clear()
        new.serve()
        self.assertEqual([{"failures": {"a": "b"}}], new.sent)


class EndTests(SupervisorCase):
    """The end of all."""

    def test_drain(self) -> None:
        """All are told to stop, and waited for."""
        self.start()
        drained = self.supervisor.drain()
        first, second = self.nursery.processes
        self.assertEqual([{"do": "stop"}], first.sent)
        self.assertEqual([], first.signals)
        self.assertEqual([Stage.STOPPING] * 2, self.stages())
        first.end()
        self.assertNoResult(drained)
        second.end()
        self.successResultOf(drained)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(0, self.supervisor.workers[0].ends)

    def test_starting(self) -> None:
        """One that does not serve yet is ended at once; none is started any more."""
        self.start()
        self.nursery.processes[0].end()
        self.nursery.processes[1].end()
        self.clock.advance(0)
        self.nursery.processes[3].end()
        drained = self.supervisor.drain()
        self.assertEqual(["TERM"], self.nursery.processes[2].signals)
        self.nursery.processes[2].end()
        self.successResultOf(drained)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_hurry(self) -> None:
        """In a hurry they are told so, and killed if that does not help."""
        self.start()
        drained = self.supervisor.drain()
        self.supervisor.hurry()
        self.supervisor.hurry()
        first, second = self.nursery.processes
        self.assertIn({"do": "hurry"}, first.sent)
        first.end()
        self.clock.advance(10)
        self.assertEqual(([], ["KILL"]), (first.signals, second.signals))
        second.end()
        self.successResultOf(drained)

    def test_hurry_in_time(self) -> None:
        """Those who hurry are not killed."""
        self.start()
        drained = self.supervisor.drain()
        self.supervisor.hurry()
        for process in self.nursery.processes:
            process.end()
        self.successResultOf(drained)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.supervisor.hurry()
        self.assertEqual([], self.clock.getDelayedCalls())


class HangingTests(SupervisorCase):
    """A worker that takes nothing of what it is told."""

    def hang(self) -> TamedProcess:
        """Have both serve, and the first one hang."""
        self.start()
        process = self.nursery.processes[0]
        process.hangs = True
        return process

    def test_killed(self) -> None:
        """After 30 s or a little more it is killed, once, and replaced."""
        process = self.hang()
        for _ in range(3):
            self.clock.advance(10)
            self.assertEqual([], process.signals)
        self.clock.advance(10)
        self.assertEqual(["KILL"], process.signals)
        self.clock.pump([10] * 5)
        self.assertEqual(["KILL"], process.signals)
        process.end()
        self.clock.advance(0)
        self.nursery.processes[2].serve()
        self.assertEqual([Stage.SERVING] * 2, self.stages())
        self.assertEqual([], self.nursery.processes[1].signals)
        self.assertEqual(
            [
                "worker 1 has given no sign for 30 s: killing it",
                "worker 1 has ended: killed by SIGKILL; starting it anew",
                "worker 1 serves again",
            ],
            self.logged(),
        )
        self.clock.pump([10] * 5)
        self.assertEqual([], self.nursery.processes[2].signals)

    def test_in_time(self) -> None:
        """One that goes on in time is left alone."""
        process = self.hang()
        self.clock.pump([10] * 3)
        process.wake_up()
        self.clock.pump([10] * 20)
        self.assertEqual([], process.signals)

    def test_asleep(self) -> None:
        """When the machine has slept for a week, nobody has hung."""
        process = self.hang()
        self.clock.advance(7 * 24 * 3600)
        process.wake_up()
        self.clock.pump([10] * 5)
        self.assertEqual([], process.signals)

    def test_short(self) -> None:
        """It may be another time."""
        nursery = Nursery()
        supervisor = Supervisor(1, nursery, self.clock, silence=1.5)
        supervisor.start()
        (process,) = nursery.processes
        process.serve()
        process.hangs = True
        self.clock.pump([0.5] * 3)
        self.assertEqual([], process.signals)
        self.clock.advance(0.5)
        self.assertEqual(["KILL"], process.signals)

    def test_beginning(self) -> None:
        """One that begins may take its time, and so may one that ends."""
        self.start()
        self.nursery.processes[0].end()
        self.clock.advance(0)
        process = self.nursery.processes[2]
        process.hangs = True
        self.clock.pump([10] * 9)
        self.assertEqual([], process.signals)
        process.serve()
        self.supervisor.drain()
        self.clock.pump([10] * 9)
        self.assertEqual([], process.signals)

    def test_asked(self) -> None:
        """It is not asked for more than a hundred pages that it does not take."""
        process = self.hang()
        answers = [self.supervisor.ask(1, "/a", {}, 60) for _ in range(101)]
        self.assertEqual(100, len(process.sent))
        error = self.failureResultOf(answers.pop(), NoAnswer).value
        self.assertIn("has not taken", str(error))
        process.end()
        for answer in answers:
            self.failureResultOf(answer, NoAnswer)

    def test_news(self) -> None:
        """News do not pile up; when it goes on, it hears how things are by then."""
        process = self.hang()
        for number in range(1000):
            self.supervisor.keep_told({"failures": {"a": str(number)}})
        self.assertEqual(100, len(process.sent))
        process.wake_up()
        self.assertEqual({"failures": {"a": "999"}}, process.sent[-1])
        self.assertEqual(101, len(process.sent))

    def test_news_at_first(self) -> None:
        """One that begins hears them once it serves."""
        self.supervisor.start()
        self.supervisor.keep_told({"failures": {}})
        process = self.nursery.processes[0]
        self.assertEqual([], process.sent)
        process.serve()
        self.assertEqual([{"failures": {}}], process.sent)


class AskingTests(SupervisorCase):
    """What is asked and said."""

    def setUp(self) -> None:
        """Start both."""
        super().setUp()
        self.start()

    def ask(self, number: int = 2) -> Deferred[dict[str, Any]]:
        """Ask a worker for a page."""
        return self.supervisor.ask(number, "/debug/stacks", {"a": "b"}, 5.0)

    def test_answer(self) -> None:
        """Its answer comes back; nothing is left of the question."""
        before = self.clock.getDelayedCalls()
        asking = self.ask()
        process = self.nursery.processes[1]
        [question] = process.sent
        self.assertEqual("/debug/stacks", question["page"])
        self.assertEqual({"a": "b"}, question["parameters"])
        answer = {"answer": question["ask"], "body": "x"}
        process.hears.heard(answer)
        self.assertEqual(answer, self.successResultOf(asking))
        self.assertEqual(before, self.clock.getDelayedCalls())

    def test_late(self) -> None:
        """One that does not answer is not waited for; its answer is for nobody."""
        asking = self.ask()
        self.clock.advance(5)
        self.failureResultOf(asking, NoAnswer)
        process = self.nursery.processes[1]
        process.hears.heard({"answer": process.sent[0]["ask"], "body": "x"})

    def test_ended(self) -> None:
        """Nor one that has ended meanwhile, or before."""
        asking = self.ask()
        self.nursery.processes[1].end()
        self.failureResultOf(asking, NoAnswer)
        self.failureResultOf(self.ask(), NoAnswer)

    def test_news(self) -> None:
        """What is not about the worker is for others."""
        self.nursery.processes[0].hears.heard({"events": ["a"]})
        self.assertEqual([{"events": ["a"]}], self.heard)

    def test_tell(self) -> None:
        """All can be told something."""
        self.supervisor.tell({"do": "reload"})
        sent = [process.sent for process in self.nursery.processes]
        self.assertEqual([[{"do": "reload"}]] * 2, sent)
