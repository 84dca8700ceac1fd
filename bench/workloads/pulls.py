"""Pulls: blobs that are read, from the page cache, from the disk, and in parts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from attrs import frozen

from bench.pagecache import chill, heat
from bench.results import Row, Sample
from bench.servers import Kind
from bench.trees import BLOBS
from bench.workloads.base import (
    GIB,
    MIB,
    Bench,
    Workload,
    clients,
    size_key,
    size_name,
)

SMALL: Final = 100 * MIB
LARGE: Final = GIB


@frozen
class _Pull:
    """A way to pull.

    Attributes:
        size: The blob's bytes.
        clients: How many pull at once.
        times: How often each does.
        cold: Whether the blob is not in the page cache.
        ranges: Whether the clients share one blob, a part for each.
        setting: How the server is set up.
    """

    size: int
    clients: int
    times: int
    cold: bool = False
    ranges: bool = False
    setting: str = "plain"

    @property
    def name(self) -> str:
        """The workload's name."""
        how = "cold-" if self.cold else "ranges-" if self.ranges else ""
        secure = "tls-" if self.setting == "tls" else ""
        return f"{secure}pull-{how}{size_key(self.size)}-{self.clients}"

    @property
    def title(self) -> str:
        """What it is."""
        title = f"pull {size_name(self.size)}, {clients(self.clients)}"
        if self.ranges:
            title = f"pull {size_name(self.size)} in {self.clients} ranges at once"
        title += ", not in the page cache" if self.cold else ""
        return title + (", TLS" if self.setting == "tls" else "")


_PULLS: Final = (
    _Pull(SMALL, 1, 8),
    _Pull(SMALL, 8, 2),
    _Pull(LARGE, 1, 2),
    _Pull(LARGE, 8, 1),
    _Pull(LARGE, 8, 2, ranges=True),
    _Pull(SMALL, 1, 1, cold=True),
    _Pull(LARGE, 1, 1, cold=True),
    _Pull(LARGE, 8, 1, cold=True),
    _Pull(SMALL, 1, 4, setting="tls"),
    _Pull(SMALL, 4, 2, setting="tls"),
    _Pull(LARGE, 1, 1, setting="tls"),
)


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    for pull in _PULLS:
        group = "tls" if pull.setting == "tls" else "pull"
        row = Row(pull.title, "GB/s", cpu="s/GiB")
        yield Workload(pull.name, group, {"": row}, partial(_run, pull))


def _run(pull: _Pull, bench: Bench, kind: Kind) -> list[Sample]:
    tree = bench.fleet.tree(kind)
    digest = tree.large_blob(pull.size)
    server = bench.fleet.server(kind, pull.setting)
    (chill if pull.cold else heat)(tree.blob_path(digest))
    measured = bench.measure(
        server,
        "downloads",
        f"--target=/v2/{BLOBS}/blobs/{digest}",
        f"--connections={pull.clients}",
        f"--count={pull.times}",
        *([f"--ranges={pull.size}"] if pull.ranges else []),
    )
    return [Sample(measured.load.speed, measured.cpu_per_gib)]
