"""Processes: how we start others of our own. A leaf."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from twisted.internet.interfaces import IProcessProtocol, IProcessTransport

# By which systemd hands over sockets.
_OF_SYSTEMD: Final = frozenset({"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})

# What a terminal sends to all of its processes, or people to the one that minds us,
# reaches others by way of that one.
NOT_FOR_OTHERS: Final = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def start_module(
    reactor: Any,
    protocol: IProcessProtocol,
    module: str,
    arguments: list[str],
    descriptors: Mapping[int, int | str],
    environ: Mapping[str, str],
    unheard: tuple[signal.Signals, ...] = NOT_FOR_OTHERS,
) -> IProcessTransport:
    """Start a process that runs a module of ours.

    Args:
        reactor: Starts processes.
        protocol: Hears from it.
        module: The module's name.
        arguments: What it is told.
        descriptors: What it has open; see ``IReactorProcess.spawnProcess``.
        environ: Our environment.
        unheard: The signals that it is not to hear.

    Returns:
        The process.

    Raises:
        OSError: It could not be started.
    """
    # Not the working folder: what lies there is none of the program's business.
    argv = [sys.executable, "-P", "-m", module, *arguments]
    with _blocked(unheard):
        process: IProcessTransport = reactor.spawnProcess(
            protocol,
            sys.executable,
            argv,
            _environment(environ),
            childFDs=dict(descriptors),
        )
    return process


def usable(descriptor: int) -> int:
    """Return a standard stream's descriptor, or that of nothing if we have none."""
    try:
        os.fstat(descriptor)
    except OSError:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    return descriptor


@contextmanager
def _blocked(signals: tuple[signal.Signals, ...]) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    found = {k: v for k, v in environ.items() if k not in _OF_SYSTEMD}
    home = Path(__file__).parents[1]
    if home.name not in ("site-packages", "dist-packages"):
        # Such as a checkout, which twistd finds in the working folder.
        path = found.get("PYTHONPATH")
        found["PYTHONPATH"] = f"{home}{os.pathsep}{path}" if path else str(home)
    return found
