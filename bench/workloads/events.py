"""Events: what it costs those who push and pull that others are told of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Final

from bench.results import Row, Sample
from bench.servers import Kind, told
from bench.workloads.base import Bench, Workload
from bench.workloads.requests import by_tag, headers, rate_of

_AUDIENCES: Final = {
    0: "nobody told",
    1: "1 endpoint told",
    10: "10 endpoints told",
}
_CONNECTIONS: Final = 16
_NAME: Final = "bench/pushed"


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    for count in _AUDIENCES:
        to = _AUDIENCES[count]
        push = f"push a blob of 1 KiB and a manifest, 1 client, {to}"
        rows = {
            "-push": Row(f"{push}: half within", "ms", more=False, cpu="us"),
            "-push-p99": Row(f"{push}: 99 of 100 within", "ms", more=False),
            "-pull": Row(
                f"GET manifest by tag, {_CONNECTIONS} connections, {to}",
                "/s",
                cpu="us",
            ),
        }
        yield Workload(f"events-{count}", "events", rows, partial(_run, count))


def _run(count: int, bench: Bench, kind: Kind) -> list[Sample]:
    setting = told(count)
    tree = bench.fleet.tree(kind, setting)
    targets = by_tag(tree)
    try:
        with bench.fleet.fresh(kind, setting) as server:
            os.sync()
            pushed = bench.measure(
                server,
                "uploads",
                f"--name={_NAME}",
                "--flow=put",
                "--manifest",
                bench.for_seconds(),
            )
            pulled = bench.measure(
                server,
                "requests",
                *(f"--target={target}" for target in targets),
                f"--connections={_CONNECTIONS}",
                bench.for_seconds(),
                *headers(setting),
            )
    finally:
        tree.remove(_NAME)
        # With what is still to be told, for which nobody waits.
        bench.aside.take(tree.root / "_txregistry")
    load = pushed.load
    return [Sample(load.p50, pushed.cpu_each), Sample(load.p99), rate_of(pulled)]
