"""Memory: of a server that nobody asks, and under many connections."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic, sleep
from typing import Final

from bench.processes import cpu_seconds, resident
from bench.results import Row, Sample
from bench.servers import Kind, Server
from bench.trees import BLOBS
from bench.workloads.base import MIB, Bench, Workload
from bench.workloads.pulls import LARGE

_CROWDS: Final = (1000, 4000)
_DOWNLOADS: Final = 200
_DOWNLOAD_RATE: Final = 256 * 1024
_DOWNLOAD_SECONDS: Final = 5
_UPLOADS: Final = 50
_UPLOAD_SIZE: Final = 20 * MIB
_NAME: Final = "bench/memory"
_REST: Final = 0.3
"""So many seconds a server gets before it is looked at."""
_LOOK: Final = 0.3


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    rows = {"-fresh": Row("memory, nothing asked yet", "MiB", more=False)}
    for count in _CROWDS:
        title = f"memory of each of {count:,} idle connections"
        rows[f"-{count}"] = Row(title, "KiB", more=False)
    yield Workload("memory-idle", "memory", rows, _idle)
    title = f"memory under {_DOWNLOADS} downloads of 256 KiB/s each, peak"
    yield Workload(
        "memory-downloads",
        "memory",
        {
            "": Row(title, "MiB", more=False),
            "-each": Row("memory of each of them", "KiB", more=False),
        },
        _downloads,
    )
    title = f"memory under {_UPLOADS} uploads of 20 MiB at once, in chunks, peak"
    rows = {"": Row(title, "MiB", more=False)}
    yield Workload("memory-uploads", "memory", rows, _uploads)
    title = "start-up, until the first answer"
    rows = {"": Row(title, "ms", more=False, cpu="s")}
    yield Workload("startup", "startup", rows, _startup)


class _Peak:
    """The most memory that was seen, looked at now and then, for a look costs time."""

    def __init__(self, server: Server) -> None:
        self._pid = server.pid
        self._next = 0.0
        self.most = 0.0

    def look(self) -> None:
        if monotonic() >= self._next:
            self.most = max(self.most, resident(self._pid))
            self._next = monotonic() + _LOOK


def _idle(bench: Bench, kind: Kind) -> list[Sample]:
    with bench.fleet.fresh(kind) as server:
        sleep(_REST)
        fresh = resident(server.pid)
        samples = [Sample(fresh)]
        for count in _CROWDS:
            words = ["--target=/v2/", f"--connections={count}"]
            with bench.client.start("idle", server.port, *words) as load:
                sleep(_REST)
                used = resident(server.pid)
                load.go()
                load.result().checked()
            each = (used - fresh) * 1024 / count
            samples.append(Sample(each, extra={"MiB": used}))
    return samples


def _downloads(bench: Bench, kind: Kind) -> list[Sample]:
    digest = bench.fleet.tree(kind).large_blob(LARGE)
    with bench.fleet.fresh(kind) as server:
        sleep(_REST)
        fresh = resident(server.pid)
        peak = _peak_of(
            bench,
            server,
            "downloads",
            f"--target=/v2/{BLOBS}/blobs/{digest}",
            f"--connections={_DOWNLOADS}",
            f"--rate={_DOWNLOAD_RATE}",
            f"--seconds={_DOWNLOAD_SECONDS}",
            "--count=1",
        )
    return [Sample(peak), Sample((peak - fresh) * 1024 / _DOWNLOADS)]


def _uploads(bench: Bench, kind: Kind) -> list[Sample]:
    with bench.fleet.fresh(kind) as server:
        try:
            peak = _peak_of(
                bench,
                server,
                "uploads",
                f"--name={_NAME}",
                "--flow=chunked",
                f"--size={_UPLOAD_SIZE}",
                f"--connections={_UPLOADS}",
                "--count=1",
            )
        finally:
            server.tree.remove(_NAME)
    return [Sample(peak)]


def _peak_of(bench: Bench, server: Server, mode: str, *words: str) -> float:
    peak = _Peak(server)
    with bench.client.start(mode, server.port, *words) as load:
        load.go()
        load.result(peak.look).checked()
    return peak.most


def _startup(bench: Bench, kind: Kind) -> list[Sample]:
    with bench.fleet.fresh(kind) as server:
        return [Sample(server.seconds * 1000, cpu_seconds(server.pid))]
