"""Running: the rounds, in which every registry takes its turn at every workload."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from time import monotonic

from bench.figures import shown
from bench.progress import Progress
from bench.results import Results
from bench.servers import Kind
from bench.workloads import (
    ceiling,
    events,
    images,
    lists,
    memory,
    pulls,
    pushes,
    requests,
)
from bench.workloads.base import Bench, Workload

LEAST = "least"
"""The name of the load client's own server."""


def all_workloads() -> list[Workload]:
    """Return all workloads, in the order in which they are run and shown."""
    found: Iterator[Workload] = chain(
        ceiling.workloads(),
        requests.workloads(),
        pulls.workloads(),
        pushes.workloads(),
        lists.workloads(),
        events.workloads(),
        memory.workloads(),
        images.workloads(),
    )
    return list(found)


def chosen(workloads: Sequence[Workload], names: Sequence[str]) -> list[Workload]:
    """Return those that are asked for.

    Args:
        workloads: All of them.
        names: Groups, workloads, or what workloads' names begin with if there are none
            of that name; none: all.

    Raises:
        ValueError: A name is none of these.
    """
    if not names:
        return list(workloads)
    wanted = set()
    for name in names:
        found = [each.name for each in workloads if name in (each.group, each.name)]
        if not found:
            found = [each.name for each in workloads if each.name.startswith(name)]
        if not found:
            raise ValueError(f"no workload, and no group of workloads: {name}")
        wanted.update(found)
    return [each for each in workloads if each.name in wanted]


def run(
    bench: Bench,
    kinds: Sequence[Kind],
    workloads: Sequence[Workload],
    rounds: int,
    results: Results,
    keep: Callable[[Results], None],
) -> None:
    """Run workloads and add what they find.

    What goes wrong is noted, and the run goes on.

    Args:
        bench: What they work with.
        kinds: The registries that take part.
        workloads: The workloads.
        rounds: How often.
        results: Where to add what is found.
        keep: Called with the results after each workload.
    """
    plan = [
        (number, place, workload)
        for number in range(rounds)
        for place, workload in enumerate(workloads)
        if number == 0 or not workload.once
    ]
    progress = Progress([workload.name for _, _, workload in plan], monotonic())
    for number, place, workload in plan:
        line = progress.line(monotonic())
        _say(f"{line}, round {number + 1} of {rounds}  {workload.name:28}")
        least = [Kind(LEAST, [])]
        turns = least if workload.alone else _turned(kinds, number + place)
        for kind in turns:
            _run_one(bench, kind, workload, results)
        keep(results)
        progress.done(monotonic())
        _say("\n")
    _say(f"{progress.line(monotonic())}\n")


def _turned(kinds: Sequence[Kind], by: int) -> list[Kind]:
    """Return the registries with another one first."""
    first = by % len(kinds)
    return [*kinds[first:], *kinds[:first]]


def _run_one(bench: Bench, kind: Kind, workload: Workload, results: Results) -> None:
    try:
        samples = workload.run(bench, kind)
    except Exception as error:
        problem = f"{workload.name}, {kind.name}: {error!r}"
        results.problems.append(problem)
        _say(f"  {problem}")
        return
    for (key, row), sample in zip(workload.rows.items(), samples, strict=True):
        name = f"{workload.name}{key}"
        results.add(name, workload.group, row, kind.name, sample)
        _say(f"  {kind.name} {shown(sample.value)} {row.unit}")


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
