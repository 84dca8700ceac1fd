"""Tests of a registry with workers: the one that minds them, and one of them."""

from __future__ import annotations

import os
import signal
import socket
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import twisted.internet
from prometheus_client import values
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs, formatEvent, globalLogBeginner
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor, Visitor
from tests.unit.service_case import ServiceCase
from tests.unit.test_service import Endpoint, Port
from tests.unit.web.echo import make_echo
from txregistry import worker
from txregistry.config import ConfigError
from txregistry.heralds import LogHerald
from txregistry.observe.metrics import Metrics
from txregistry.observe.sharing import NumberedFolder, WorkersFolder
from txregistry.serving import RegistryService, settle_memory
from txregistry.web.limits import Limits
from txregistry.web.listeners import Listener
from txregistry.web.site import RegistrySite
from txregistry.worker import make_worker
from txregistry.workers.assignment import Assignment
from txregistry.workers.chief import Chief
from txregistry.workers.lines import LineReader, to_line

TWO = "http: {workers: 2}\n"


class SharedPort(Port):
    """A port with a socket; see ``give_up_clients``.

    Attributes:
        reads: Whether it takes clients.
    """

    reads = True
    _shouldShutdown = True  # noqa: N815 - Twisted's

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return 33

    def stopReading(self) -> None:  # noqa: N802 - Twisted's
        """See IReadDescriptor."""
        self.reads = False


class NotingCrew:
    """Workers that note what they are to do. See Crew."""

    def __init__(self) -> None:
        """Be ready to start."""
        self.done: list[str] = []
        self.started: Deferred[None] = Deferred()
        self.drained: Deferred[None] = Deferred()
        self.ports: Any = None

    async def start(self, ports: Any) -> None:
        """See Crew."""
        self.ports = ports
        await self.started

    def drain(self) -> Deferred[None]:
        """See Crew."""
        self.done.append("drain")
        return self.drained

    def hurry(self) -> None:
        """See Crew."""
        self.done.append("hurry")

    def reload(self) -> None:
        """See Crew."""
        self.done.append("reload")

    def reopen_logs(self) -> None:
        """See Crew."""
        self.done.append("reopen")


class MindingTests(SynchronousTestCase):
    """The process that minds workers."""

    def setUp(self) -> None:
        """Make one."""
        self.reactor, self.crew, self.port = QuietReactor(), NotingCrew(), SharedPort()
        self.events = self.enterContext(capturedLogs())
        self.service = self.make(self.port)

    def make(self, port: Port) -> RegistryService:
        """Make one with a port."""
        _, resource = make_echo()
        return RegistryService(
            RegistrySite(resource, self.reactor, Limits(), "test"),
            [Listener(Endpoint(succeed(port)))],
            lambda: succeed(resource),
            self.reactor,
            30.0,
            LogHerald("serves on {address}"),
            crew=self.crew,
        )

    def logged(self) -> list[str]:
        """Return the lines of the log."""
        return [formatEvent(event) for event in self.events]

    def begin(self) -> None:
        """Start it."""
        self.service.privilegedStartService()
        self.service.startService()

    def test_start(self) -> None:
        """It leaves clients to the workers, and says so when these serve."""
        called: list[str] = []
        self.service.when_serving(lambda: called.append("it"))
        self.begin()
        self.assertEqual((False, False), (self.port.reads, self.port._shouldShutdown))
        self.assertEqual([self.port], self.crew.ports)
        self.assertEqual([], called)
        self.assertFalse(any("serves on" in line for line in self.logged()))
        self.crew.started.callback(None)
        self.assertEqual(["it"], called)
        self.assertEqual(1, sum("serves on" in line for line in self.logged()))

    def test_failure(self) -> None:
        """A worker that cannot begin is a line, and a failure."""
        self.begin()
        error = OSError("no room")
        self.crew.started.errback(error)
        self.assertIs(error, self.service.failure)
        self.assertEqual(["cannot start: no room"], self.logged())

    def test_not_shareable(self) -> None:
        """A port that has no socket cannot be shared."""
        self.service = self.make(Port())
        self.begin()
        self.assertIn("Port cannot be shared with workers", self.logged()[0])

    def test_end(self) -> None:
        """It waits for the workers to end, and has them hurry after a time."""
        self.begin()
        self.crew.started.callback(None)
        stopping = self.service.stopService()
        self.assertFalse(self.port.listening)
        self.reactor.advance(29)
        self.assertEqual(["drain"], self.crew.done)
        self.reactor.advance(1)
        self.assertEqual(["drain", "hurry"], self.crew.done)
        self.assertNoResult(stopping)
        self.crew.drained.callback(None)
        self.successResultOf(stopping)

    def test_signals(self) -> None:
        """What it is told by signals it tells them."""
        self.service.reload()
        self.service.reopen_logs()
        self.assertEqual(["reload", "reopen"], self.crew.done)

    def test_memory(self) -> None:
        """When it serves, what there is stays."""
        done: list[object] = []
        for name in ("collect", "freeze", "set_threshold"):
            gc: Any = settle_memory.__globals__["gc"]
            self.patch(gc, name, lambda *given, name=name: done.append((name, *given)))
        settle_memory()
        expected = [("collect",), ("freeze",), ("set_threshold", 50_000, 50, 50)]
        self.assertEqual(expected, done)


class SettingsTests(ServiceCase):
    """What the settings make of it."""

    def problem(self, text: str, storage: str = "inmemory: {}") -> str:
        """Return what is wrong with a configuration."""
        return str(self.assertRaises(ConfigError, self.make, text, storage))

    def test_memory(self) -> None:
        """What is kept in a process's memory cannot be shared."""
        self.assertIn("http.workers: must be 1: storage.inmemory", self.problem(TWO))
        hook = "endpoints: [{name: a, url: 'http://192.0.2.1/'}]"
        queue = f"notifications: {{queue: {{driver: memory}}, {hook}}}\n"
        store = f"filesystem: {{rootdirectory: {self.mktemp()}}}"
        self.assertIn("notifications.queue.driver", self.problem(TWO + queue, store))

    def test_auto(self) -> None:
        """``auto`` is one for each processor, but one where there can only be one."""
        self.patch(os, "sched_getaffinity", lambda _: {0, 1, 2})
        auto = "http: {workers: auto}\n"
        self.assertEqual(200, self.serve(auto).status("GET", "/v2/"))
        store = f"filesystem: {{rootdirectory: {self.mktemp()}}}"
        made: Any = self.make(auto, store)
        self.assertEqual(3, len(made._crew.supervisor.workers))
        self.patch(os, "sched_getaffinity", lambda _: {0})
        made = self.make(auto, store)
        self.assertIsNone(made._crew)

    def test_parts(self) -> None:
        """What the one process does for all is joined with them."""
        hook = "endpoints: [{name: a, url: 'http://192.0.2.1/'}]"
        metrics = "{prometheus: {enabled: true}}"
        text = f"http: {{workers: 2, debug: {metrics}}}\nnotifications: {{{hook}}}\n"
        made: Any = self.make(text, f"filesystem: {{rootdirectory: {self.mktemp()}}}")
        sent: list[dict[str, Any]] = []
        supervisor = made._crew.supervisor
        self.patch(supervisor, "keep_told", sent.append)
        made._health.changed()
        self.assertEqual([{"failures": {}}], sent)
        made._crew.hear_of_events(frozenset({"a"}))
        self.assertIsInstance(made._crew.folder, WorkersFolder)
        _, metrics_page, *_ = [page for part in made._parts for page in [part]]
        self.assertIsNotNone(metrics_page)


class WorkerTests(SynchronousTestCase):
    """A worker."""

    def setUp(self) -> None:
        """Take a socket that nobody listens on, and an environment without settings."""
        self.reactor = QuietReactor()
        self.store = str(Path(self.mktemp()).absolute())
        self.transport = StringTransport()
        self.observers: list[Any] = []
        self.stops = 0
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("REGISTRY_")
        }
        self.patch(os, "environ", clean)
        self.patch(globalLogBeginner, "beginLoggingTo", self.begin_logging)
        self.patch(sys, "stdout", StringIO())
        self.patch(worker, "settle_memory", self.note_stop)
        self.patch(values, "ValueClass", values.ValueClass)
        self.addCleanup(os.chdir, os.getcwd())

    def begin_logging(self, observers: Any, **_: Any) -> None:
        """Note who is to log."""
        self.observers += observers

    def note_stop(self) -> None:
        """Note that something was called."""
        self.stops += 1

    def chief(self, text: str = "", **given: Any) -> Chief:
        """Return the process that minds the worker."""
        storage = f"storage: {{filesystem: {{rootdirectory: {self.store}}}}}"
        document = f"version: 0.1\n{storage}\n{text}"
        with socket.socket() as made:
            self.descriptor = os.dup(made.fileno())
        sockets = {"http": self.descriptor}
        assignment = Assignment(
            "a.yml",
            document,
            os.getcwd(),
            "tests.unit.reactor",
            sockets=sockets,
            **given,
        )
        chief = Chief(2, assignment, self.reactor, self.reactor.stop)
        chief.makeConnection(self.transport)
        return chief

    def said(self) -> list[dict[str, Any]]:
        """Return what the worker has said."""
        return list(LineReader().feed(self.transport.value()))

    def visit(self) -> Visitor:
        """Connect to where the worker listens."""
        factory: Any = self.reactor.adoptedPorts[-1][2]
        return Visitor(factory)

    def test_serve(self) -> None:
        """It serves on the socket that it was given, and says that it does, once."""
        chief = self.chief()
        service = make_worker(chief, self.reactor)
        with capturedLogs() as events:
            service.startService()
        self.assertEqual([{"ready": True}], self.said())
        self.assertEqual(200, self.visit().status("GET", "/v2/"))
        self.assertRaises(OSError, os.fstat, self.descriptor)
        self.assertEqual(1, self.stops)
        for name in ("reload", "reopen"):
            chief.dataReceived(to_line({"do": name}))
        chief.dataReceived(to_line({"failures": {"disk": "full"}}))
        self.assertEqual(503, self.visit().status("GET", "/v2/"))
        shown = [e for e in events if e["log_level"] > LogLevel.debug]
        self.assertEqual([], shown)

    def test_failure(self) -> None:
        """What keeps it from serving it says to nobody else."""
        Path(self.store).write_text("no folder")
        written: list[bytes] = []
        chief = self.chief()
        service = make_worker(chief, self.reactor)
        self.patch(chief, "report_failure", lambda text: written.append(text))
        with capturedLogs() as events:
            service.startService()
        self.assertIn(self.store, str(written[0]))
        self.assertEqual([], list(events))

    def test_counts(self) -> None:
        """It counts under its number, in the folder of all."""
        folder = Path(self.mktemp())
        folder.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        metrics = "http: {debug: {prometheus: {enabled: true}}}"
        service = make_worker(self.chief(metrics, counts=True), self.reactor)
        service.startService()
        self.assertEqual(200, self.visit().status("GET", "/v2/"))
        self.reactor.advance(0.3)
        self.assertTrue((folder / "counter_worker2.db").exists())
        self.assertEqual([], self.reactor.tcpServers)

    def test_folder(self) -> None:
        """Relative paths lead from where the registry was started."""
        here = os.getcwd()
        there = Path(self.mktemp()).absolute()
        (there / "elsewhere").mkdir(parents=True)
        chief = self.chief("log: {file: log}")
        os.chdir(there / "elsewhere")
        make_worker(chief, self.reactor)
        self.assertTrue((Path(here) / "log").exists())
        self.assertEqual(str(there / "elsewhere"), os.getcwd())

    def test_forwards(self) -> None:
        """Where it may not log itself, it says what is to be logged."""
        make_worker(self.chief(logs_itself=False), self.reactor)
        [observer] = self.observers
        error = {"log_namespace": "twisted", "log_level": LogLevel.error}
        observer({**error, "log_format": "bad"})
        observer({**error, "log_level": LogLevel.info, "log_format": "unheard"})
        observer({"log_namespace": "txregistry.a", "log_format": "good"})
        expected = [{"log": "bad", "level": "error"}, {"log": "good", "level": "info"}]
        self.assertEqual(expected, self.said())

    def test_main(self) -> None:
        """The program serves until its reactor stops."""
        assignment = self.chief().assignment
        self.patch(worker, "ASSIGNMENT", assignment.write())
        self.patch(sys, "argv", ["worker", "2"])
        self.patch(twisted.internet, "reactor", self.reactor)
        self.patch(Chief, "connect", lambda _: None)
        ready: list[str] = []
        self.patch(Chief, "report_ready", lambda _: ready.append("it"))
        self.addCleanup(signal.signal, signal.SIGTERM, signal.SIG_DFL)
        runs: list[Any] = []

        def run(**_: Any) -> None:
            for call, arguments, named in self.reactor.whenRunningHooks:
                call(*arguments, **named)
            runs.append("it")

        self.patch(self.reactor, "run", run)
        error = self.assertRaises(SystemExit, worker.main)
        self.assertEqual((0, ["it"], ["it"]), (error.code, runs, ready))

    def test_main_fails(self) -> None:
        """One whose part cannot be made says so, and ends."""
        chief = self.chief("nope: 1\n")
        self.patch(worker, "ASSIGNMENT", chief.assignment.write())
        self.patch(sys, "argv", ["worker", "2"])
        self.patch(twisted.internet, "reactor", self.reactor)
        said: list[str] = []
        self.patch(Chief, "report_failure", lambda _, text: said.append(text))
        error = self.assertRaises(SystemExit, worker.main)
        self.assertEqual(1, error.code)
        self.assertIn("a.yml:3: nope", said[0])


class FolderTests(SynchronousTestCase):
    """The folder in which workers count."""

    def test_life(self) -> None:
        """It is there while it is needed; without it there is nothing to show."""
        folder = WorkersFolder()
        metrics = Metrics(QuietReactor(), folder)
        self.assertEqual([], list(folder.collect()))
        folder.forget(1)
        metrics.start()
        path = folder.path
        self.assertTrue(os.path.isdir(path))
        metrics.stop()
        self.assertFalse(os.path.exists(path))

    def test_sums(self) -> None:
        """It shows what workers have counted, also what one has before another."""
        folder = WorkersFolder()
        metrics = Metrics(QuietReactor(), folder)
        metrics.start()
        self.addCleanup(metrics.stop)
        self.patch(
            os, "environ", {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder.path}
        )
        self.patch(values, "ValueClass", values.ValueClass)
        for number in (1, 2, 1):
            numbered = NumberedFolder(number)
            numbered.count()
            worker_metrics = Metrics(QuietReactor(), numbered)
            worker_metrics.start()
            worker_metrics.requests.labels("blob", "200", "get").inc()
            worker_metrics.stop()
        labels = {"handler": "blob", "code": "200", "method": "get"}
        name = "registry_http_requests_total"
        self.assertEqual(3, metrics.collectors.get_sample_value(name, labels))
