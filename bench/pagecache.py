"""The page cache: files that are in it, and files that are not."""

from __future__ import annotations

import os
from pathlib import Path
from time import sleep
from typing import Final

_STEP: Final = 1024 * 1024
_LOOKS: Final = 16
_TRIES: Final = 10
_REST: Final = 0.1
"""So many seconds what uses a page now gets to let go of it."""


class StillHot(Exception):
    """A file's content stays in the page cache."""


def heat(path: Path) -> None:
    """Read a file, so that it is in the page cache."""
    buffer = bytearray(_STEP)
    with path.open("rb", buffering=0) as content:
        while content.readinto(buffer):
            pass


def chill(path: Path) -> None:
    """Drop a file from the page cache.

    Raises:
        StillHot: Some of it is still there.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        for _ in range(_TRIES):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            hot = _hot_places(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            if not hot:
                return
            sleep(_REST)
    finally:
        os.close(descriptor)
    raise StillHot(f"{hot} of {_LOOKS} places of {path.name}")


def _hot_places(descriptor: int) -> int:
    """Look into a file here and there; return in how many places it is there."""
    size = os.fstat(descriptor).st_size
    step = max(size // _LOOKS, 1)
    # To look is to have the kernel read ahead, so the looks are far between.
    return sum(_is_hot(descriptor, at) for at in range(step // 2, size, step))


def _is_hot(descriptor: int, offset: int) -> bool:
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) > 0
    except BlockingIOError:
        return False
