"""The ceiling: what the load client does against the least that a server can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from socket import socket

from bench.results import Row, Sample
from bench.servers import Kind
from bench.workloads.base import GIB, Bench, Workload, clients
from bench.workloads.requests import CONNECTIONS
from tests.real.daemons import Daemon, free_port


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    for count in CONNECTIONS:
        many = "1 connection" if count == 1 else f"{count:,} connections"
        words = ["requests", "--target=/v2/", f"--connections={count}"]
        yield _workload(f"requests-{count}", f"requests, {many}", "/s", words)
    for count in (1, 8):
        words = ["downloads", f"--target=/bytes/{GIB}", f"--connections={count}"]
        title = f"download 1 GiB, {clients(count)}"
        yield _workload(f"pull-{count}", title, "GB/s", [*words, "--count=2"])
    for flow in ("patch", "chunked"):
        words = ["uploads", f"--size={GIB}", f"--flow={flow}", "--count=1"]
        title = f"upload 1 GiB, 1 client, {flow}"
        yield _workload(f"push-{flow}", title, "GB/s", words)


def _workload(key: str, title: str, unit: str, words: Sequence[str]) -> Workload:
    row = Row(title, unit, cpu="us" if unit == "/s" else "s/GiB")
    run = partial(_run, unit, words)
    return Workload(f"ceiling-{key}", "ceiling", {"": row}, run, alone=True)


def _run(unit: str, words: Sequence[str], bench: Bench, _: Kind) -> list[Sample]:
    port = free_port()
    argv: list[str | Path] = [bench.client.program, "serve", f"--port={port}"]
    daemon = Daemon(argv, bench.folder / "least.log")
    try:
        daemon.wait_until(lambda: _listens(port))
        mode, *rest = words
        if unit == "/s":
            rest.append(bench.for_seconds())
        measured = bench.client.measure(mode, port, daemon.pid, *rest)
    finally:
        daemon.kill()
    if unit == "/s":
        return [Sample(measured.load.rate, measured.cpu_each)]
    return [Sample(measured.load.speed, measured.cpu_per_gib)]


def _listens(port: int) -> bool:
    """Say whether the least server answers; it knows no registry's API."""
    with socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
