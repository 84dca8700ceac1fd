"""Workloads: what they are given, and what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from attrs import frozen

from bench.aside import Aside
from bench.client import Client, Measured
from bench.results import Row, Sample
from bench.servers import Fleet, Kind, Server

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB


@frozen
class Bench:
    """What workloads work with.

    Attributes:
        client: Runs load clients.
        fleet: The servers.
        aside: Where to what is no longer needed goes.
        folder: A folder on the disk to measure with.
        seconds: How long to ask for where that is what bounds a measurement.
        stack: What is closed at the end of the run.
    """

    client: Client
    fleet: Fleet
    aside: Aside
    folder: Path
    seconds: float
    stack: ExitStack

    def measure(self, server: Server, mode: str, *words: str) -> Measured:
        """Run a load client against a server; for the words see ``load/main.c``."""
        tls = ["--tls"] if server.setting == "tls" else []
        return self.client.measure(mode, server.port, server.pid, *tls, *words)

    def for_seconds(self) -> str:
        """Return the load client's option."""
        return f"--seconds={self.seconds}"


@frozen
class Workload:
    """Something to measure.

    Attributes:
        name: Its name; those of its rows, if it has several, begin with it.
        group: The group that it is of.
        rows: What it finds, by what comes after the name; in order.
        run: Does it once against a kind of registry, and returns a sample for each row.
        alone: Whether no registry takes part, only the load client's own server.
        once: Whether it takes so long that one round has to do.
    """

    name: str
    group: str
    rows: dict[str, Row]
    run: Callable[[Bench, Kind], Sequence[Sample]]
    alone: bool = False
    once: bool = False


def size_name(size: int) -> str:
    """Write a size as in ``100 MiB``."""
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"


def size_key(size: int) -> str:
    """Write a size as in ``100m``."""
    return f"{size // GIB}g" if size >= GIB else f"{size // MIB}m"


def clients(count: int) -> str:
    """Write a number of clients."""
    return "1 client" if count == 1 else f"{count} clients"
