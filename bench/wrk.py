"""wrk: how many answers a second a server gives."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.real.commands import run


def rate(url: str, headers: Mapping[str, str], connections: int, seconds: int) -> float:
    """Ask a server for a while; return how many answers a second it gave.

    Raises:
        SystemExit: Some were no good; its text is what wrk has printed.
    """
    printed = run(
        "wrk",
        "--threads=1",
        f"--connections={connections}",
        f"--duration={seconds}s",
        "--timeout=30s",
        *(f"-H{name}: {value}" for name, value in headers.items()),
        url,
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if found is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise SystemExit(printed)
    return float(found[1])
