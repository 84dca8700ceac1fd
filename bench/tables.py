"""Tables: results as text for a terminal, and as a document. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from bench.figures import ratio, shown, spread
from bench.results import Found, Results

GROUPS: Final[Mapping[str, str]] = {
    "manifests": "Manifests",
    "head": "Blobs' headers",
    "base": "`/v2/`",
    "auth": "With a password",
    "pull": "Pulls",
    "push": "Pushes",
    "small": "Small pushes",
    "pushers": "Many pushers",
    "tls": "TLS",
    "tags": "Tags",
    "catalog": "The catalog",
    "events": "Telling others",
    "memory": "Memory",
    "startup": "Start-up",
    "skopeo": "Whole images: skopeo",
    "dockerd": "Whole images: a Docker engine",
    "ceiling": "What the load client can take",
}
"""The groups of workloads and their titles, in the order of the document."""

_NONE: Final = "–"


def as_text(results: Results) -> str:
    """Return all results as a table for a terminal, with what went wrong below."""
    lines = []
    for group, found in _grouped(results):
        servers = _servers(results, found.values())
        table = [_head(servers), *(_line(each, servers) for each in found.values())]
        lines += ["", GROUPS.get(group, group), *_aligned(table)]
    lines += ["", *(f"! {problem}" for problem in results.problems)]
    return "\n".join(lines).strip("\n") + "\n"


def as_document(results: Results) -> str:
    """Return all results as ``docs/performance.md``."""
    parts = [_preface(results)]
    for group, found in _grouped(results):
        servers = _servers(results, found.values())
        head = _head(servers)
        rules = ["---"] + ["---:"] * (len(head) - 1)
        table = [head, rules, *(_line(each, servers) for each in found.values())]
        rows = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
        parts.append(f"## {GROUPS.get(group, group)}\n\n{rows}\n")
    if results.problems:
        lines = "\n".join(f"- {_flat(problem)}" for problem in results.problems)
        parts.append(f"## What could not be measured\n\n{lines}\n")
    return "\n".join(parts)


def _preface(results: Results) -> str:
    servers = "\n".join(
        f"- **{name}**: {_flat(version)}" for name, version in results.servers.items()
    )
    machine = "\n".join(
        f"| {name} | {_flat(value)} |" for name, value in results.machine.items()
    )
    return f"""# Performance

Written by `make bench`. Every figure is the median of the rounds of one run, in which
the registries take turns at each workload on one machine, with the clients on the same
cores; ± is half of the range from the lowest round to the highest, as a share of the
median. The ratio is ours over theirs, within each round, and of these the median: more
is better of rates and speeds, less of times, memory and the processors' time (CPU),
which is that of all the server's processes.

{servers}

Each serves a tree of its own on the same disk by its filesystem driver, with its
default logging, to a file; what is listed is the same tree for all, and nothing in it
changes.
What is pushed is random and new, and the disk is at rest before. It lies on the disk
until the end of the run, because ext4 looks at inodes that were removed in the last
minutes whenever a file is made; another run had better wait for five minutes. All free
memory is used once before, because a virtual machine may get it page by page as it is
used first, which takes as long as writing it does.

| to repeat | |
|---|---|
| all of it | `make bench` |
| some workloads | `make bench W="manifests pull"` |
| with a further registry | `make bench PEER="name=command {{config}}"` |
| with more workers of ours | `make bench ARGS="--workers 2"` |
| the workloads' names | `.venv/bin/python -m bench run --list` |

A further registry reads a configuration file as the Go registry's; it is put where
`{{config}}` stands.

| machine | |
|---|---|
{machine}
"""


def _grouped(results: Results) -> list[tuple[str, Mapping[str, Found]]]:
    """Return the rows by their groups, these in the document's order."""
    groups: dict[str, dict[str, Found]] = {name: {} for name in GROUPS}
    for name, found in results.rows.items():
        groups.setdefault(found.group, {})[name] = found
    return [(group, found) for group, found in groups.items() if found]


def _servers(results: Results, rows: Iterable[Found]) -> list[str]:
    """Return the servers that rows have figures of, ours first."""
    there = {name for found in rows for name in found.samples}
    known = [name for name in results.servers if name in there]
    return [*known, *sorted(there - set(known))]


def _head(servers: Sequence[str]) -> list[str]:
    ours, *peers = servers
    cells = ["", ours]
    for peer in peers:
        cells += [peer, "ratio"]
    cells.append("CPU" if not peers else f"CPU, {ours}")
    for peer in peers:
        cells += [f"CPU, {peer}", "ratio"]
    return cells


def _line(found: Found, servers: Sequence[str]) -> list[str]:
    ours, *peers = servers
    row = found.row
    cells = [row.title, _cell(found.values(ours), row.unit)]
    for peer in peers:
        theirs = found.values(peer)
        cells += [_cell(theirs, row.unit), _times(ratio(found.values(ours), theirs))]
    unit = row.cpu or ""
    cells.append(_plain_cell(found.cpu(ours), unit))
    for peer in peers:
        cpu = found.cpu(peer)
        cells += [_plain_cell(cpu, unit), _times(ratio(found.cpu(ours), cpu))]
    return cells


def _cell(values: Sequence[float], unit: str) -> str:
    if not values:
        return _NONE
    text = _plain_cell(values, unit)
    return text if len(values) < 2 else f"{text} ±{spread(values) / 2:.0%}"


def _plain_cell(values: Sequence[float], unit: str) -> str:
    if not values:
        return _NONE
    gap = "" if unit.startswith("/") else " "
    return f"{shown(median(values))}{gap}{unit}"


def _times(value: float | None) -> str:
    return _NONE if value is None else f"{shown(value)}x"


def _flat(text: str) -> str:
    """Return text that cannot break out of its line or cell."""
    return " ".join(text.split()).replace("|", "/")


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cells[at]) for cells in table) for at in range(len(table[0]))]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in table
    ]
