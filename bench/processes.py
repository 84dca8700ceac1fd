"""Processes: what a server and all that it started take of the machine."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _fields(int(entry.name))
            if fields:
                children[int(fields[1])].append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children[each])
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processors' seconds of a tree of processes, ended ones included."""
    ticks = 0
    for each in tree(pid):
        fields = _fields(each)
        if fields:
            # Of itself, and of the children that it has waited for, in user mode and
            # in the kernel.
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS


def resident(pid: int) -> float:
    """Return the resident memory of a tree of processes, in MiB.

    Of one process it is what ``ps`` shows. Of several it is the sum of their
    proportional shares (PSS), so that what they share counts once.
    """
    processes = tree(pid)
    key = "Rss:" if len(processes) == 1 else "Pss:"
    return sum(_memory(each, key) for each in processes) / 1024


def _memory(pid: int, key: str) -> int:
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def _fields(pid: int) -> list[str]:
    """Return a process's fields in stat from its state on; none if it has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
