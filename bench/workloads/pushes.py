"""Pushes: blobs that no registry has seen, large and small, and what names them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Final

from attrs import frozen

from bench.client import Measured
from bench.results import Row, Sample
from bench.servers import Kind
from bench.workloads.base import (
    GIB,
    MIB,
    Bench,
    Workload,
    clients,
    size_key,
    size_name,
)
from bench.workloads.requests import rate_of

_FLOWS: Final = {
    "patch": "one PATCH with its length",
    "chunked": "one PATCH in chunks, as docker does",
    "put": "in the PUT",
}
_SMALL: Final = 1024
_NAME: Final = "bench/pushed"


@frozen
class _Push:
    """A way to push.

    Attributes:
        flow: A key of ``_FLOWS``.
        size: The bytes of each blob.
        clients: How many push at once.
        setting: How the server is set up.
    """

    flow: str
    size: int
    clients: int
    setting: str = "plain"

    @property
    def name(self) -> str:
        """The workload's name."""
        secure = "tls-" if self.setting == "tls" else ""
        return f"{secure}push-{self.flow}-{size_key(self.size)}-{self.clients}"

    @property
    def title(self) -> str:
        """What it is."""
        title = f"push {size_name(self.size)}, {clients(self.clients)}"
        secure = ", TLS" if self.setting == "tls" else ""
        return f"{title}, {_FLOWS[self.flow]}{secure}"


_PUSHES: Final = (
    *(
        _Push(flow, size, count)
        for flow in _FLOWS
        for size, count in ((100 * MIB, 1), (100 * MIB, 4), (GIB, 1))
    ),
    _Push("patch", GIB, 4),
    *(_Push("patch", 100 * MIB, count, "tls") for count in (1, 4)),
)


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    for push in _PUSHES:
        group = "tls" if push.setting == "tls" else "push"
        row = Row(push.title, "GB/s", cpu="s/GiB")
        yield Workload(push.name, group, {"": row}, partial(_push, push))
    for count in (1, 8, 32):
        title = f"push blobs of 1 KiB, POST and PUT, {clients(count)}"
        rows = {"": Row(title, "/s", cpu="us")}
        yield Workload(f"small-{count}", "small", rows, partial(_push_small, count))
    title = "500 pushers into one repository: a blob of 1 KiB, and a manifest by a tag"
    rows = {
        "": Row(title, "/s", cpu="us"),
        "-p99": Row("500 pushers: 99 of 100 images within", "ms", more=False),
    }
    yield Workload("pushers-500", "pushers", rows, _push_images)


def _push(push: _Push, bench: Bench, kind: Kind) -> list[Sample]:
    measured = _uploads(
        bench,
        kind,
        push.setting,
        f"--flow={push.flow}",
        f"--size={push.size}",
        f"--connections={push.clients}",
        "--count=1",
    )
    return [Sample(measured.load.speed, measured.cpu_per_gib)]


def _push_small(count: int, bench: Bench, kind: Kind) -> list[Sample]:
    measured = _uploads(
        bench,
        kind,
        "plain",
        "--flow=put",
        f"--size={_SMALL}",
        f"--connections={count}",
        bench.for_seconds(),
    )
    return [rate_of(measured)]


def _push_images(bench: Bench, kind: Kind) -> list[Sample]:
    measured = _uploads(
        bench,
        kind,
        "plain",
        "--flow=put",
        f"--size={_SMALL}",
        "--manifest",
        "--connections=500",
        "--count=2",
    )
    return [rate_of(measured), Sample(measured.load.p99)]


def _uploads(bench: Bench, kind: Kind, setting: str, *words: str) -> Measured:
    """Push with the disk at rest before, and move away what was pushed."""
    server = bench.fleet.server(kind, setting)
    os.sync()
    try:
        return bench.measure(server, "uploads", f"--name={_NAME}", *words)
    finally:
        server.tree.remove(_NAME)
