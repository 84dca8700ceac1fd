"""Sharing: several processes that show the sum of what each of them has counted."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Metric, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from txregistry.observe.exporters import UnusableVariable

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

_PREFIX: Final = "txregistry-metrics-"


class Folder(Protocol):
    """Where several processes count."""

    def add_to(self, collectors: CollectorRegistry) -> None:
        """Have the sums shown."""

    def enter(self) -> None:
        """Begin to count there."""

    def leave(self) -> None:
        """End it."""


class SharedFolder:
    """The folder in which processes count (prometheus_client's multi-process mode).

    What a process has counted stays when it ends; what it had of what is now, such as
    requests that run, is taken away.
    """

    def __init__(self, path: str) -> None:
        """Take the folder."""
        self._path = path

    def add_to(self, collectors: CollectorRegistry) -> None:
        """Have the sums shown."""
        MultiProcessCollector(collectors, self._path)  # type: ignore[no-untyped-call]

    def enter(self) -> None:
        """Take away what processes have left that were killed."""
        files = Path(self._path).glob("*.db")
        for number in {file.stem.rpartition("_")[2] for file in files}:
            if number.isdigit() and not _is_another(int(number)):
                self._forget(int(number))

    def leave(self) -> None:
        """Take away what this process would leave."""
        self._forget(os.getpid())

    def _forget(self, process: int) -> None:
        try:
            mark_process_dead(process, self._path)  # type: ignore[no-untyped-call]
        except OSError:  # another one has just done so, or it is not ours
            return


class WorkersFolder(Collector):
    """A folder of our own in which workers count, each under its number. See Folder.

    So one that takes the place of another goes on with what that one has counted. It is
    locked as long as we run: one that nobody has locked was left by a process that was
    killed.

    Attributes:
        path: The folder; empty: there is none now.
    """

    path = ""
    _descriptor = -1

    def add_to(self, collectors: CollectorRegistry) -> None:
        """See Folder."""
        collectors.register(self)

    def enter(self) -> None:
        """See Folder: make it, and remove what the killed have left."""
        for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _sweep(str(left))
        while not self.path:
            path = tempfile.mkdtemp(prefix=_PREFIX)
            try:
                self._descriptor = _locked(path)
            except (FileNotFoundError, BlockingIOError):
                continue  # another process took it for one that was left
            except OSError:
                pass  # there are no locks there, so that nobody will remove it
            self.path = path

    def leave(self) -> None:
        """See Folder: remove it."""
        path, self.path = self.path, ""
        shutil.rmtree(path, ignore_errors=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def forget(self, number: int) -> None:
        """Take away what a worker had of what is now; what it has counted stays."""
        if self.path:
            mark_process_dead(_name(number), self.path)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        if not self.path:
            return []
        sums = MultiProcessCollector(None, self.path)  # type: ignore[no-untyped-call]
        found: Iterable[Metric] = sums.collect()  # type: ignore[no-untyped-call]
        return found


class NumberedFolder:
    """The same folder, as a worker sees it. See Folder."""

    def __init__(self, number: int) -> None:
        """Take our number; the environment of the process says where it is."""
        self._number = number

    def add_to(self, collectors: CollectorRegistry) -> None:
        """See Folder; a worker shows nothing."""

    def enter(self) -> None:
        """See Folder."""

    def leave(self) -> None:
        """See Folder; who has made it, forgets us."""

    def count(self) -> None:
        """Have what is made from now on counted there, under our number."""
        name = _name(self._number)
        made = values.MultiProcessValue(lambda: name)  # type: ignore[no-untyped-call]
        values.ValueClass = made


def _locked(folder: str) -> int:
    """Lock a folder of ours; return the descriptor that holds the lock.

    Raises:
        FileNotFoundError: It is gone.
        BlockingIOError: Another process has locked it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.stat(folder)  # it may have gone while we came
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sweep(folder: str) -> None:
    """Remove a folder that a process of ours has left that was killed."""
    with suppress(OSError):  # it is used, or no folder, or not ours
        descriptor = _locked(folder)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                shutil.rmtree(folder)
        finally:
            os.close(descriptor)


def _name(number: int) -> str:
    """Return what a worker's files are called by; processes have numbers there."""
    return f"worker{number}"


def is_shared(environ: Mapping[str, str]) -> bool:
    """Say whether the environment names a folder in which processes count together."""
    return environ.get(_VARIABLE) is not None


def shared_folder(environ: Mapping[str, str]) -> SharedFolder | None:
    """Return the folder in which processes count together; None: there is to be none.

    Args:
        environ: The environment; prometheus_client reads that of the process itself.

    Raises:
        UnusableVariable: What it names is no folder to write into.
    """
    path = environ.get(_VARIABLE)
    if path is None:
        return None
    if not os.path.isdir(path):
        raise UnusableVariable(_VARIABLE, "must be a folder that there is")
    if not os.access(path, os.W_OK | os.X_OK):
        raise UnusableVariable(_VARIABLE, "must be a folder that we may write into")
    return SharedFolder(path)


def _is_another(process: int) -> bool:
    """Say whether a process runs and is not this one."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs for somebody else
        return True
    return True
