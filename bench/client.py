"""The load client: a program in C, made on first use, and what it says it has done."""

from __future__ import annotations

import json
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from attrs import frozen

from bench.processes import cpu_seconds

SOURCES: Final = Path(__file__).parent / "load"
_READY: Final = b"ready\n"
_PATIENCE: Final = 300.0
"""For so many seconds a load may take at the most, and so many its preparation."""


class LoadFailed(Exception):
    """The load client said something else than what it has done, or nothing in time."""


@frozen
class Load:
    """What a load client has done.

    Attributes:
        done: Requests, downloads or pushes that were answered.
        seconds: From the first to the end of the last.
        size: Bytes that went over the wire, or of the contents that were pushed.
        bad: Answers with another status than the one meant.
        errors: Connections that broke.
        p50: Half of what was done took no more milliseconds.
        p99: 99 of 100 took no more milliseconds.
        slowest: The slowest took so many milliseconds.
    """

    done: int
    seconds: float
    size: int
    bad: int
    errors: int
    p50: float
    p99: float
    slowest: float

    @classmethod
    def parse(cls, text: str | bytes) -> Load:
        """Read the line that the client prints.

        Raises:
            LoadFailed: It is not such a line.
        """
        try:
            found = json.loads(text)
            return cls(
                int(found["done"]),
                float(found["seconds"]),
                int(found["bytes"]),
                int(found["bad"]),
                int(found["errors"]),
                float(found["p50_ms"]),
                float(found["p99_ms"]),
                float(found["max_ms"]),
            )
        except (ValueError, KeyError, TypeError):
            raise LoadFailed(f"not what a load client prints: {text!r}") from None

    @property
    def rate(self) -> float:
        """What was done in a second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def speed(self) -> float:
        """Gigabytes (1e9) a second."""
        return self.size / 1e9 / self.seconds if self.seconds else 0.0

    def checked(self) -> Load:
        """Return it if all went well.

        Raises:
            LoadFailed: Something did not.
        """
        if self.bad or self.errors or not self.done:
            raise LoadFailed(
                f"{self.bad} bad answers, {self.errors} errors, {self.done} done"
            )
        return self


@frozen
class Measured:
    """What a load has done, and what it cost the server.

    Attributes:
        load: What was done.
        cpu: The seconds of the processors that the server's processes had meanwhile.
    """

    load: Load
    cpu: float

    @property
    def cpu_each(self) -> float:
        """Microseconds of the processors for each that was done."""
        return self.cpu * 1e6 / self.load.done if self.load.done else 0.0

    @property
    def cpu_per_gib(self) -> float:
        """Seconds of the processors for each GiB."""
        return self.cpu * 2**30 / self.load.size if self.load.size else 0.0


class LoadProcess:
    """A load client at work; as a context manager it ends with the block."""

    def __init__(self, program: Path, words: Sequence[str]) -> None:
        """Start it: it prepares, and waits for ``go``."""
        self._process = subprocess.Popen(
            [program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._read = b""

    def __enter__(self) -> LoadProcess:
        """Wait until it is prepared and connected."""
        try:
            self._read_until(_READY)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End it."""
        self._end()

    def go(self) -> None:
        """Let it begin; of one that idles: let it end."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    def result(self, during: Callable[[], None] | None = None) -> Load:
        """Wait for what it has done.

        Args:
            during: Called some ten times a second meanwhile.

        Raises:
            LoadFailed: It says nothing of the kind.
        """
        return Load.parse(self._read_until(b"\n", during))

    def _read_until(
        self, end: bytes, during: Callable[[], None] | None = None
    ) -> bytes:
        """Read on to an end and return what there is up to it."""
        assert self._process.stdout is not None
        limit = time.monotonic() + _PATIENCE
        while end not in self._read:
            if time.monotonic() > limit:
                raise LoadFailed(f"the load client said nothing for {_PATIENCE} s")
            if during is not None:
                during()
            if not select.select([self._process.stdout], [], [], 0.1)[0]:
                continue
            more = self._process.stdout.read(65536)
            if not more:
                raise LoadFailed(f"the load client ended: {self._process.wait()}")
            self._read += more
        found, _, self._read = self._read.partition(end)
        return found

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class Client:
    """Runs load clients."""

    def __init__(self, program: Path) -> None:
        """Take the program."""
        self.program = program

    def start(self, mode: str, port: int, *words: str) -> LoadProcess:
        """Start one; for modes and words see ``load/main.c``."""
        return LoadProcess(self.program, [mode, f"--port={port}", *words])

    def measure(self, mode: str, port: int, pid: int, *words: str) -> Measured:
        """Run one against a server.

        Args:
            mode: What it does.
            port: The server's port.
            pid: The server's first process.
            words: More of the command line.

        Raises:
            LoadFailed: Something did not go well.
        """
        with self.start(mode, port, *words) as process:
            before = cpu_seconds(pid)
            process.go()
            load = process.result()
            return Measured(load.checked(), cpu_seconds(pid) - before)


def make_program(folder: Path) -> Path:
    """Compile the client, if its sources are newer than the one that is there.

    Args:
        folder: Where to put it.
    """
    program = folder / "load"
    sources = sorted(SOURCES.glob("*.[ch]"))
    if program.exists():
        made = program.stat().st_mtime
        if all(source.stat().st_mtime < made for source in sources):
            return program
    folder.mkdir(parents=True, exist_ok=True)
    units = [source for source in sources if source.suffix == ".c"]
    flags = ["-O2", "-Wall", "-Wextra", "-std=gnu11", "-pthread"]
    subprocess.run(
        ["gcc", *flags, "-o", program, *units, "-lssl", "-lcrypto"], check=True
    )
    return program
