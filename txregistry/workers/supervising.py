"""Supervising: so many workers serve, whatever becomes of one of them.

Knows nothing of processes but what ``WorkerProcess`` promises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txregistry.workers.pulse import Pulse

_log = Logger()

_T = TypeVar("_T")

# A worker that has served for so many seconds was a good one.
_GOOD: Final = 10.0
_LONGEST_DELAY: Final = 30.0  # seconds

# For so many seconds one that is to hurry may tidy up; then it is killed.
_PATIENCE: Final = 10.0

_LONGEST_BEAT: Final = 10.0  # seconds from one look at a worker to the next
_BEATS: Final = 3  # so many of them at least make a silence


class WorkerFailed(Exception):
    """A worker could not begin; the text says why."""


class NoAnswer(Exception):
    """A worker has not answered; the text says why."""


class WorkerProcess(Protocol):
    """A process that is a worker.

    Attributes:
        pid: Its id.
    """

    @property
    def pid(self) -> int:
        """See above."""

    def send(self, message: dict[str, Any]) -> None:
        """Tell it something."""

    def signal(self, name: str) -> None:
        """Send it a signal, ``TERM`` or ``KILL``; harmless if it has ended."""


class Hears(Protocol):
    """Hears from a worker's process."""

    def heard(self, message: dict[str, Any]) -> None:
        """Take what it says."""

    def ended(self, reason: str) -> None:
        """Note that it has ended; how, in a few words."""


Spawn = Callable[[int, Hears], WorkerProcess]
"""Starts the process of the worker with this number."""


class Stage(Enum):
    """How far a worker is."""

    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"
    GONE = "gone"


@define(eq=False)
class Worker:
    """One of the workers, through all the processes that it may be in turn.

    Attributes:
        number: Its number, from 1.
        process: The process; None: there is none now.
        stage: How far it is.
        since: When it got there, on the clock.
        ends: How many of its processes have ended, but for the registry's own end.
        problem: What the last one said why it could not begin.
        pulse: Whether the process takes what it is told.
    """

    number: int
    process: WorkerProcess | None = None
    stage: Stage = Stage.GONE
    since: float = 0.0
    ends: int = 0
    problem: str = ""
    pulse: Pulse = field(factory=Pulse)
    _failures: int = 0
    _timer: IDelayedCall | None = None
    _asked: dict[int, Deferred[dict[str, Any]]] = field(factory=dict)


class Supervisor:
    """Keeps workers going.

    Attributes:
        workers: The workers, by their numbers from 1 on.
    """

    def __init__(
        self,
        count: int,
        spawn: Spawn,
        clock: IReactorTime,
        heard: Callable[[dict[str, Any]], None] = lambda _: None,
        ended: Callable[[int], None] = lambda _: None,
        silence: float = 30.0,
    ) -> None:
        """Prepare; ``start`` begins.

        Args:
            count: How many workers there are to be.
            spawn: Starts a process.
            clock: Gives time.
            heard: Takes what workers say that is not about themselves.
            ended: Is told the number of a worker whose process has ended.
            silence: For so many seconds one that serves may take nothing of what it is
                told; then it is killed.
        """
        self.workers: Sequence[Worker] = [Worker(n + 1) for n in range(count)]
        self._spawn = spawn
        self._clock = clock
        self._heard = heard
        self._ended = ended
        self._started: Deferred[None] | None = None
        self._drained: Deferred[None] | None = None
        self._is_ending = False
        self._killing: IDelayedCall | None = None
        self._news: dict[str, Any] | None = None
        self._last_question = 0
        self._beat = min(silence / _BEATS, _LONGEST_BEAT)
        self._silence = silence
        self._looking: IDelayedCall | None = None

    def start(self) -> Deferred[None]:
        """Start all workers.

        Returns:
            A Deferred that fires when all of them serve, and fails with
            ``WorkerFailed`` when one cannot; call ``drain`` then.
        """
        started = self._started = Deferred()
        for worker in self.workers:
            if not self._is_ending:
                self._begin(worker)
        return started

    def drain(self) -> Deferred[None]:
        """Have the workers end their requests, and end.

        Returns:
            A Deferred that fires when there is no process left.
        """
        self._is_ending = True
        if self._looking is not None and self._looking.active():
            self._looking.cancel()
        for worker in self.workers:
            if worker._timer is not None and worker._timer.active():
                worker._timer.cancel()
            if worker.process is not None:
                self._send(worker, {"do": "stop"})
                if worker.stage is Stage.STARTING:
                    worker.process.signal("TERM")  # nobody is being served yet
                self._enter(worker, Stage.STOPPING)
        if not self._running():
            return succeed(None)
        drained = self._drained = Deferred()
        return drained

    def hurry(self) -> None:
        """Have the workers cut off their requests; kill those who cannot even that."""
        self.tell({"do": "hurry"})
        if self._killing is None and self._running():
            self._killing = self._clock.callLater(_PATIENCE, self._kill)

    def tell(self, message: dict[str, Any]) -> None:
        """Tell all workers something."""
        for worker in self._running():
            self._send(worker, message)

    def keep_told(self, news: dict[str, Any]) -> None:
        """Tell all workers, and those that will come, how things are by now."""
        self._news = news
        for worker in self._running():
            self._send_news(worker)

    def serving(self) -> int:
        """Return how many workers serve."""
        return sum(worker.stage is Stage.SERVING for worker in self.workers)

    def ask(
        self, number: int, page: str, parameters: Mapping[str, str], timeout: float
    ) -> Deferred[dict[str, Any]]:
        """Ask a worker for one of its pages.

        Args:
            number: Which worker.
            page: The page's path.
            parameters: The query's.
            timeout: For how many seconds to wait.

        Returns:
            A Deferred with its answer; fails with ``NoAnswer``.
        """
        worker = self.workers[number - 1]
        self._last_question += 1
        question = self._last_question
        answer: Deferred[dict[str, Any]] = Deferred()
        if worker.process is None or worker.stage is Stage.STARTING:
            answer.errback(NoAnswer(f"it is {worker.stage.value}"))
            return answer
        if worker.pulse.is_full:
            answer.errback(NoAnswer("it has not taken what it was told before"))
            return answer
        worker._asked[question] = answer
        asked = {"ask": question, "page": page, "parameters": dict(parameters)}
        self._send(worker, asked)

        def forget(result: _T) -> _T:
            worker._asked.pop(question, None)
            return result

        def give_up(_result: object, _timeout: float) -> Any:
            raise NoAnswer(f"no answer in {timeout:g} s")

        return answer.addTimeout(timeout, self._clock, give_up).addBoth(forget)

    def _running(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.process is not None]

    def _enter(self, worker: Worker, stage: Stage) -> None:
        worker.stage, worker.since = stage, self._clock.seconds()

    def _send(self, worker: Worker, message: dict[str, Any]) -> None:
        assert worker.process is not None
        worker.pulse.sent += 1
        worker.process.send(message)

    def _send_news(self, worker: Worker) -> None:
        """Tell a worker how things are by now, if it has room to hear it.

        Who has not is told when it has taken what waits, and how things are then.
        """
        pulse = worker.pulse
        pulse.is_behind = worker.stage is Stage.STARTING or pulse.is_full
        if self._news is not None and not pulse.is_behind:
            self._send(worker, self._news)

    def _look(self) -> None:
        """See whether those who serve still take what they are told."""
        self._looking = self._clock.callLater(self._beat, self._look)
        for worker in self.workers:
            if worker.stage is not Stage.SERVING:
                continue
            if worker.pulse.looks * self._beat >= self._silence:
                self._give_up(worker)
            else:
                worker.pulse.looks += 1
                self._send(worker, {"do": "beat"})

    def _give_up(self, worker: Worker) -> None:
        if worker.pulse.is_lost:
            return  # it waits for a disk, which not even a SIGKILL ends
        worker.pulse.is_lost = True
        _log.error(
            "worker {number} has given no sign for {silence:g} s: killing it",
            number=worker.number,
            silence=self._silence,
        )
        if worker.process is not None:
            worker.process.signal("KILL")

    def _begin(self, worker: Worker) -> None:
        worker.problem = ""
        worker.pulse = Pulse()
        self._enter(worker, Stage.STARTING)
        try:
            worker.process = self._spawn(worker.number, _Ear(self, worker))
        except OSError as error:  # such as no room for another process
            self._note_end(worker, str(error))

    def _hear(self, worker: Worker, message: dict[str, Any]) -> None:
        if "ready" in message:
            self._note_ready(worker)
        elif "took" in message:
            worker.pulse.note_taken(message["took"])
            if worker.pulse.is_behind and worker.process is not None:
                self._send_news(worker)
        elif "failed" in message:
            worker.problem = message["failed"]
        elif "answer" in message:
            answer = worker._asked.get(message["answer"])
            if answer is not None:
                answer.callback(message)
        else:
            self._heard(message)

    def _note_ready(self, worker: Worker) -> None:
        if worker.stage is not Stage.STARTING:
            return
        self._enter(worker, Stage.SERVING)
        if self._looking is None:
            self._looking = self._clock.callLater(self._beat, self._look)
        if worker.process is not None:
            self._send_news(worker)
        if self._started is None:
            _log.info("worker {number} serves again", number=worker.number)
        elif self.serving() == len(self.workers):
            started, self._started = self._started, None
            started.callback(None)

    def _note_end(self, worker: Worker, reason: str) -> None:
        served = worker.stage is Stage.SERVING
        lasted = self._clock.seconds() - worker.since
        worker.process = None
        self._enter(worker, Stage.GONE)
        self._ended(worker.number)
        for answer in list(worker._asked.values()):
            answer.errback(NoAnswer("it has ended"))
        if self._is_ending:
            self._note_drained()
            return
        worker.ends += 1
        if self._started is not None:
            started, self._started = self._started, None
            self._is_ending = True
            if self._looking is not None:
                self._looking.cancel()
            started.errback(WorkerFailed(worker.problem or f"a worker ended: {reason}"))
            return
        worker._failures = 1 if served and lasted >= _GOOD else worker._failures + 1
        self._replace(worker, worker.problem or reason)

    def _replace(self, worker: Worker, reason: str) -> None:
        delay = 0.0
        if worker._failures > 1:
            delay = min(2.0 ** (worker._failures - 2), _LONGEST_DELAY)
        _log.error(
            "worker {number} has ended: {reason}; starting it anew{when}",
            number=worker.number,
            reason=reason,
            when=f" in {delay:g} s" if delay else "",
        )
        worker._timer = self._clock.callLater(delay, self._begin, worker)

    def _note_drained(self) -> None:
        if self._running():
            return
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.callback(None)

    def _kill(self) -> None:
        for worker in self._running():
            _log.error("worker {number} does not end", number=worker.number)
            assert worker.process is not None
            worker.process.signal("KILL")


@define
class _Ear:
    """Hears from the process of a worker. See Hears."""

    supervisor: Supervisor
    worker: Worker

    def heard(self, message: dict[str, Any]) -> None:
        """See Hears."""
        self.supervisor._hear(self.worker, message)

    def ended(self, reason: str) -> None:
        """See Hears."""
        self.supervisor._note_end(self.worker, reason)
