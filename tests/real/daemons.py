"""Daemons: server processes, started, waited for, and stopped by their pid."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LOG_TAIL = 8 * 1024
"""Of a log, so many bytes are shown."""


class DaemonFailed(AssertionError):
    """A server did not start, or did not end, in time."""


class Daemon:
    """A server process and its log."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            argv: The command and its arguments.
            log: Where its output goes, behind what is there.
            env: Variables to set beside those that are there.
        """
        self._name = Path(argv[0]).name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=log.parent,
            )

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def log(self) -> str:
        """Return the end of its log, under its name."""
        text = self._log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
        return f"---- {self._name} ({self._process.pid})\n{text}"

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until it serves.

        Args:
            ready: Says whether it does; asked again and again.
            seconds: For how long at the most.

        Raises:
            DaemonFailed: It ended, or was not ready in time.
        """
        end = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise DaemonFailed(f"{self._name} ended at its start\n{self.log()}")
            if time.monotonic() > end:
                raise DaemonFailed(
                    f"{self._name} not ready after {seconds} s\n{self.log()}"
                )
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; none if it has ended."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit status (negative: a signal's number).

        Raises:
            DaemonFailed: It is still running after so many seconds.
        """
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise DaemonFailed(
                f"{self._name} still running after {seconds} s\n{self.log()}"
            ) from None

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does. Harmless if it has ended."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def stop(self, seconds: float = 30) -> None:
        """End it in good order, or at once if that takes so many seconds."""
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


def free_port() -> int:
    """Find a TCP port of 127.0.0.1 that nothing listens on, and keep it from others.

    It lies below those that the kernel gives to clients, so that no connection of
    somebody else's takes it before a server does. As long as this process runs, nobody
    finds it here again, whether a server listens there just then or not.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if _reserve(port):
                return port


def _reserve(port: int) -> bool:
    """Take a port among all processes that ask here; say whether it was free."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0txregistry-tests-port-{port}")
    except OSError:
        holder.close()
        return False
    holder.detach()  # it is kept open until this process ends
    return True
