"""Tests of metrics that several processes count together."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from prometheus_client import values
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.exporters import UnusableVariable
from txregistry.observe.gauges import HealthGauges
from txregistry.observe.metrics import Metrics
from txregistry.observe.request_metrics import RequestMetrics
from txregistry.observe.sharing import SharedFolder, WorkersFolder, shared_folder

IN_FLIGHT = "registry_http_in_flight_requests"
BLOB = {"handler": "blob"}
# More than Linux has.
NO_PROCESS = 2**22 + 1


class SharingTests(SynchronousTestCase):
    """Processes with the same folder."""

    def setUp(self) -> None:
        """Make the folder."""
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.folder = SharedFolder(str(self.path))
        environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(self.path)}
        self.patch(os, "environ", environ)

    def process(self, number: int) -> Metrics:
        """Return the metrics of a process in which a request runs."""
        # What prometheus_client has for this is chosen when it is imported.
        kind = values.MultiProcessValue(lambda: number)
        self.patch(values, "ValueClass", kind)
        metrics = Metrics(Clock(), self.folder)
        RequestMetrics(metrics).began("blob", "GET")
        metrics.settle()
        return metrics

    def test_sums(self) -> None:
        """Each shows the sum of all."""
        self.process(1)
        shown = self.process(os.getpid()).collectors
        self.assertEqual(2.0, shown.get_sample_value(IN_FLIGHT, BLOB))

    def test_own(self) -> None:
        """Each shows what is of itself, too."""
        metrics = self.process(1)
        metrics.collectors.register(HealthGauges(lambda: ["a"]))
        value = metrics.collectors.get_sample_value
        self.assertEqual(1.0, value("registry_health_checks_failing"))
        self.assertIsNotNone(value("process_open_fds"))

    def test_killed(self) -> None:
        """What ran in one that is no more is not counted from the next start on."""
        self.process(NO_PROCESS)
        self.process(os.getppid())
        shown = self.process(os.getpid()).collectors
        self.assertEqual(3.0, shown.get_sample_value(IN_FLIGHT, BLOB))
        (self.path / "other.db").touch()
        self.folder.enter()
        (self.path / "other.db").unlink()
        self.assertEqual(1.0, shown.get_sample_value(IN_FLIGHT, BLOB))

    def test_stopped(self) -> None:
        """What runs in one that stops is not counted, and what has ended is."""
        other = self.process(1).collectors
        metrics = self.process(os.getpid())
        metrics.requests.labels("blob", "200", "get").inc()
        metrics.stop()
        self.assertEqual(1.0, other.get_sample_value(IN_FLIGHT, BLOB))
        labels = {**BLOB, "code": "200", "method": "get"}
        name = "registry_http_requests_total"
        self.assertEqual(1.0, other.get_sample_value(name, labels))

    def test_variable(self) -> None:
        """A variable names the folder; without it there is none."""
        self.assertIsNone(shared_folder({}))
        self.assertIsNotNone(shared_folder(os.environ))

    def test_no_folder(self) -> None:
        """What is no folder is said to be none."""
        for path in ("", str(self.path / "none")):
            with self.assertRaises(UnusableVariable):
                shared_folder({"PROMETHEUS_MULTIPROC_DIR": path})


class LeftTests(SynchronousTestCase):
    """Folders of workers that processes have left."""

    def setUp(self) -> None:
        """Have a folder for temporary files."""
        self.path = Path(self.mktemp()).absolute()
        self.path.mkdir()
        self.patch(tempfile, "tempdir", str(self.path))

    def names(self) -> list[str]:
        """Return what is there."""
        return sorted(path.name for path in self.path.iterdir())

    def entered(self) -> WorkersFolder:
        """Return a folder that is in use."""
        folder = WorkersFolder()
        folder.enter()
        return folder

    def test_own(self) -> None:
        """It is there as long as it is used."""
        folder = self.entered()
        self.assertEqual([Path(folder.path).name], self.names())
        folder.leave()
        folder.leave()
        self.assertEqual([], self.names())

    def test_killed(self) -> None:
        """What one has left that was killed is removed by the next one."""
        killed, alive = self.entered(), self.entered()
        (Path(killed.path) / "counter_worker1.db").touch()
        os.close(killed._descriptor)
        new = self.entered()
        names = [Path(folder.path).name for folder in (alive, new)]
        self.assertEqual(sorted(names), self.names())
        for folder in (alive, new):
            folder.leave()

    def test_others(self) -> None:
        """What is of another name, no folder or somebody else's stays."""
        (self.path / "txregistry-other").mkdir()
        (self.path / "txregistry-metrics-file").touch()
        (self.path / "kept").mkdir()
        (self.path / "txregistry-metrics-link").symlink_to(self.path / "kept")
        before = self.names()
        self.entered().leave()
        self.assertEqual(before, self.names())
        (self.path / "txregistry-metrics-theirs").mkdir()
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        self.entered().leave()
        self.assertIn("txregistry-metrics-theirs", self.names())

    def test_swept_too_soon(self) -> None:
        """One that another process takes for left while it is made is made again."""
        make, made = tempfile.mkdtemp, []

        def make_and_lose(**named: str) -> str:
            made.append(make(**named))
            if len(made) == 1:
                os.rmdir(made[0])
            return made[-1]

        self.patch(tempfile, "mkdtemp", make_and_lose)
        folder = self.entered()
        self.assertEqual([Path(folder.path).name], self.names())
        self.assertEqual(2, len(made))
        folder.leave()
