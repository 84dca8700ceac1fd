"""Locks of files, for which a process waits a while and not for ever."""

from __future__ import annotations

import errno
import fcntl
import time
from typing import Final

# So long a process waits for its turn (seconds). Others need milliseconds of it.
PATIENCE: Final = 30.0
_STEPS: Final = (0.0002, 0.005)  # the first wait and the longest (seconds)


def take(descriptor: int, kind: int) -> None:
    """Lock a file, for oneself (``LOCK_EX``) or with others (``LOCK_SH``).

    Raises:
        TimeoutError: Another process does not give it up.
    """
    deadline = time.monotonic() + PATIENCE
    wait, longest = _STEPS
    while not is_taken(descriptor, kind):
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, "another process keeps the journal")
        time.sleep(wait)
        wait = min(2 * wait, longest)


def is_taken(descriptor: int, kind: int) -> bool:
    """Lock a file, if that can be done at once; say whether it could."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
