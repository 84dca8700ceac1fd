"""Lists: the tags of a large repository, and the catalog of a large registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Final

from attrs import frozen

from bench.listed import MANY_TAGS, REPOSITORIES, TAGS, many_name, many_tag
from bench.processes import cpu_seconds
from bench.results import Row, Sample
from bench.servers import Kind, Server
from bench.workloads.base import Bench, Workload, clients
from bench.workloads.requests import rate_of
from tests.real.wire import connected

_PAGE: Final = 1_000


@frozen
class _List:
    """A list that is asked for.

    Attributes:
        key: The name of its workloads, without the number of clients.
        group: Their group.
        title: What it is.
        targets: What is asked for in turn.
    """

    key: str
    group: str
    title: str
    targets: Sequence[str]


def _pages(base: str, count: int, name: Callable[[int], str]) -> list[str]:
    """Return the targets of all pages of a list."""
    lasts = [f"&last={name(start - 1)}" for start in range(_PAGE, count, _PAGE)]
    return [f"{base}?n={_PAGE}{last}" for last in ["", *lasts]]


_LISTS: Final = (
    _List(
        "tags-whole",
        "tags",
        f"tags list of {TAGS:,}, whole",
        [f"/v2/{MANY_TAGS}/tags/list"],
    ),
    _List(
        "tags-pages",
        "tags",
        f"tags list of {TAGS:,}, its pages of {_PAGE:,}",
        _pages(f"/v2/{MANY_TAGS}/tags/list", TAGS, many_tag),
    ),
    _List(
        "catalog-pages",
        "catalog",
        f"catalog of {REPOSITORIES:,}, its pages of {_PAGE:,}",
        _pages("/v2/_catalog", REPOSITORIES, many_name),
    ),
    _List(
        "catalog-first",
        "catalog",
        f"catalog of {REPOSITORIES:,}, its first 100",
        ["/v2/_catalog?n=100"],
    ),
)


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    asked: set[tuple[int, str]] = set()
    for listed in _LISTS:
        for count in (1, 4):
            row = Row(f"{listed.title}, {clients(count)}", "/s", cpu="us")
            run = partial(_run, asked, listed, count)
            yield Workload(f"{listed.key}-{count}", listed.group, {"": row}, run)
        row = Row(f"{listed.title}, once, just started", "ms", more=False, cpu="us")
        run = partial(_run_once, listed)
        yield Workload(f"{listed.key}-started", listed.group, {"": row}, run)


def _run(
    asked: set[tuple[int, str]], listed: _List, count: int, bench: Bench, kind: Kind
) -> list[Sample]:
    """Ask a server again and again for a list that it was asked for before."""
    server = bench.fleet.server(kind, "lists")
    if (server.pid, listed.key) not in asked:
        asked.add((server.pid, listed.key))
        _ask(server, listed)
    measured = bench.measure(
        server,
        "requests",
        *(f"--target={target}" for target in listed.targets),
        f"--connections={count}",
        bench.for_seconds(),
    )
    return [rate_of(measured)]


def _run_once(listed: _List, bench: Bench, kind: Kind) -> list[Sample]:
    """Ask a server for the list that nobody has asked before."""
    with bench.fleet.fresh(kind, "lists") as server:
        cpu, began = cpu_seconds(server.pid), perf_counter()
        _ask(server, listed)
        spent = perf_counter() - began
        return [Sample(spent * 1000, (cpu_seconds(server.pid) - cpu) * 1e6)]


def _ask(server: Server, listed: _List) -> None:
    with connected(server.port) as wire:
        for target in listed.targets:
            wire.ask("GET", target, expect=200)
