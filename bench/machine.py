"""The machine: what was measured on, for whoever reads the figures."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

# Bytes that are left to others while memory is used.
_LEFT: Final = 512 * 1024 * 1024

_USE: Final = """
import mmap, sys
size = int(sys.argv[1])
with mmap.mmap(-1, size) as memory:
    for place in range(0, size, mmap.PAGESIZE):
        memory[place] = 1
"""


def use_memory() -> None:
    """Use all memory that is free, once, in a process of its own.

    A virtual machine may be given its memory page by page as it is used for the first
    time. That takes as long as writing the page does, and would count for whoever's
    files come to lie there: on a new machine, all large pushes were as slow as that.
    """
    size = _free() - _LEFT
    if size > 0:
        subprocess.run([sys.executable, "-c", _USE, str(size)], check=True)


def describe(folder: Path) -> dict[str, str]:
    """Describe this machine.

    Args:
        folder: A folder on the disk that is measured with.
    """
    release = platform.freedesktop_os_release()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "disk": _filesystem(folder),
        "system": f"{release.get('PRETTY_NAME', 'Linux')}, kernel {platform.release()}",
        "Python": f"{platform.python_version()}, Twisted {version('twisted')}",
        "load before": f"{load} (1, 5 and 15 minutes)",
    }


def version_of(argv: Sequence[str]) -> str:
    """Return what a program prints first when asked for its version, without paths."""
    try:
        ended = subprocess.run(
            [argv[0], "--version"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Path(argv[0]).name
    lines = (ended.stdout + ended.stderr).splitlines()
    if not lines or ended.returncode != 0:
        return Path(argv[0]).name
    return " ".join(word for word in lines[0].split() if not word.startswith("/"))


def _free() -> int:
    """Return how many bytes of memory nobody uses, be it for files."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemFree:"):
            return int(line.split()[1]) * 1024
    return 0


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem(folder: Path) -> str:
    """Return the type of the file system that a folder lies on."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, place, found, *_ = line.split()
        inside = folder.resolve().is_relative_to(place)
        if inside and len(place) >= len(best):
            best, kind = place, found
    return kind
