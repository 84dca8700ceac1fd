"""Lanes: the modules of tests in this folder, some beside one another.

``python -m tests.real.lanes LANES`` runs each module's tests in a process of its own,
one after another, and shows what they said when they have ended.
"""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ALONE: Final = (
    "test_certificate_swap",
    "test_daemon",
    "test_health",
    "test_intake",
    "test_notifications_receivers",
    "test_shutdown",
    "test_tls_pulls",
    "test_tracing",
    "test_wire_limits",
)
"""Nothing runs beside these: they say how soon something is, or how much is used."""

ONE_AT_A_TIME: Final = (
    "test_large_layer",
    "test_auth_clients",
    "test_auth_tokens",
    "test_buildah",
    "test_containerd",
    "test_docker",
    "test_fastpath",
    "test_full_disk",
    "test_notifications",
    "test_podman",
    "test_power_cut",
    "test_shared_tree",
    "test_stillness",
    "test_tls",
)
"""Of these, only one runs at a time: they start container engines, or mount something.

An engine that sees other files has copies of all that is mounted when it starts.
"""

LONG: Final = ("test_crash", "test_workers", "test_notifications_crash", "test_fuzz")
"""Of the others, these come first: at the end no lane is to wait long for another."""

_MOST_LANES: Final = 2
"""More were never tried."""


def main(lanes: int) -> str | None:
    """Run all modules; return which have failed, None if there is none.

    Args:
        lanes: How many may run at a time, if it is not too many.
    """
    failed: list[str] = []

    def follow(*queues: deque[str]) -> None:
        for queue in queues:
            while queue:
                try:
                    name = queue.popleft()
                except IndexError:  # another lane was quicker
                    break
                if not _passes(name):
                    failed.append(name)

    chain, others = deque(ONE_AT_A_TIME), deque([*LONG, *_unnamed()])
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(follow, chain, others)]
        for _ in range(1, min(lanes, _MOST_LANES)):
            running.append(pool.submit(follow, others))
        try:
            for each in running:
                each.result()
        finally:  # who is interrupted begins nothing more
            chain.clear()
            others.clear()
    follow(deque(ALONE))
    return f"failed: {', '.join(sorted(failed))}" if failed else None


def _unnamed() -> Sequence[str]:
    """Return the modules that none of the lists here names.

    Raises:
        LookupError: A list names one that there is not.
    """
    there = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    named = {*ALONE, *ONE_AT_A_TIME, *LONG}
    if named - there:
        raise LookupError(", ".join(sorted(named - there)))
    return sorted(there - named)


def _passes(name: str) -> bool:
    trial = (sys.executable, "-b", "-m", "twisted.trial", "--reporter=timing")
    ended = subprocess.run(
        (*trial, f"tests.real.{name}"),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    # In one piece, for another lane may print, too.
    sys.stdout.buffer.write(ended.stdout)
    sys.stdout.buffer.flush()
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
