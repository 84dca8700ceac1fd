"""Lists: the tags of a large repository, and the catalog of a large registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from attrs import frozen

from bench.results import Row, Sample
from bench.servers import Kind
from bench.trees import MANY_TAGS, Tree, many_name, many_tag
from bench.workloads.base import Bench, Workload, clients
from bench.workloads.requests import rate_of

TAGS: Final = 34_000
REPOSITORIES: Final = 10_000
_PAGE: Final = 1_000


@frozen
class _List:
    """A list that is asked for.

    Attributes:
        key: The name of its workloads, without the number of clients.
        group: Their group.
        title: What it is.
        targets: What is asked for in turn.
        prepare: Makes a tree hold what is listed.
    """

    key: str
    group: str
    title: str
    targets: Sequence[str]
    prepare: Callable[[Tree], None]


def _with_tags(tree: Tree) -> None:
    tree.many_tags(TAGS)


def _with_repositories(tree: Tree) -> None:
    tree.many_repositories(REPOSITORIES)


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
        _with_tags,
    ),
    _List(
        "tags-pages",
        "tags",
        f"tags list of {TAGS:,}, its pages of {_PAGE:,}",
        _pages(f"/v2/{MANY_TAGS}/tags/list", TAGS, many_tag),
        _with_tags,
    ),
    _List(
        "catalog-pages",
        "catalog",
        f"catalog of {REPOSITORIES:,}, its pages of {_PAGE:,}",
        _pages("/v2/_catalog", REPOSITORIES, many_name),
        _with_repositories,
    ),
    _List(
        "catalog-first",
        "catalog",
        f"catalog of {REPOSITORIES:,}, its first 100",
        ["/v2/_catalog?n=100"],
        _with_repositories,
    ),
)


def workloads() -> Iterator[Workload]:
    """Return all of them."""
    for listed in _LISTS:
        for count in (1, 4):
            row = Row(f"{listed.title}, {clients(count)}", "/s", cpu="us")
            run = partial(_run, listed, count)
            yield Workload(f"{listed.key}-{count}", listed.group, {"": row}, run)


def _run(listed: _List, count: int, bench: Bench, kind: Kind) -> list[Sample]:
    server = bench.fleet.server(kind)
    listed.prepare(server.tree)
    measured = bench.measure(
        server,
        "requests",
        *(f"--target={target}" for target in listed.targets),
        f"--connections={count}",
        bench.for_seconds(),
    )
    return [rate_of(measured)]
