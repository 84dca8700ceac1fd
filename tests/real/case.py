"""The case: what tests with real processes have in common."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from twisted.trial.itrial import IReporter, ITestCase
from twisted.trial.reporter import TestResultDecorator
from twisted.trial.unittest import SynchronousTestCase

from tests.real.registries import UNDER_TEST, Registry


class Server(Protocol):
    """Something that runs beside the tests."""

    def stop(self) -> None:
        """End it, and wait for its end."""

    def log(self) -> str:
        """Return the end of its log."""


_S = TypeVar("_S", bound=Server)


class RealTestCase(SynchronousTestCase):
    """Tests with real processes.

    What a test starts is stopped at its end, and its log is shown when the test fails.
    """

    _watcher: _FailureWatcher

    def run(self, result: IReporter) -> None:  # type: ignore[override]
        """See SynchronousTestCase. Notes whether the test fails."""
        self._watcher = _FailureWatcher(result)
        super().run(self._watcher)

    def folder(self) -> Path:
        """Make a folder that lasts as long as the test."""
        folder = _make_folder()
        self.addCleanup(_remove_folder, folder)
        return folder

    def server(self, server: _S) -> _S:
        """Have a server stopped at the test's end."""
        self.addCleanup(self._end, server)
        return server

    def registry(
        self,
        tree: Path | None = None,
        kind: str = UNDER_TEST,
        http: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        host: str = "127.0.0.1",
    ) -> Registry:
        """Start a registry; for the arguments see Registry."""
        made = Registry(self.folder(), tree, kind, http, settings, host)
        return self.server(made).start()

    def _end(self, server: Server) -> None:
        server.stop()
        if self._watcher.failed:
            print(server.log(), file=sys.stderr)


class _FailureWatcher(TestResultDecorator):
    """A reporter that notes whether a test failed."""

    failed = False

    def addError(self, test: ITestCase, failure: Any) -> None:
        """See IReporter."""
        self.failed = True
        super().addError(test, failure)

    def addFailure(self, test: ITestCase, failure: Any) -> None:
        """See IReporter."""
        self.failed = True
        super().addFailure(test, failure)


def _make_folder() -> Path:
    # A Unix socket's path has room for 107 bytes, so the folders lie high up.
    return Path(tempfile.mkdtemp(prefix="tx-", dir="/tmp"))


def _remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
