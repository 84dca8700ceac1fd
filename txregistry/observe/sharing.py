"""Sharing: several processes that show the sum of what each of them has counted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from txregistry.observe.exporters import UnusableVariable

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


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
