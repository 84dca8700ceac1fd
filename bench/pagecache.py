"""The page cache: files that are in it, and files that are not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_STEP: Final = 1024 * 1024
_LOOKS: Final = 16


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
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        size = os.fstat(descriptor).st_size
        step = max(size // _LOOKS, 1)
        # To look is to have the kernel read ahead, so the looks are far between.
        places = range(step // 2, size, step)
        hot = sum(_is_hot(descriptor, offset) for offset in places)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    if hot:
        raise StillHot(f"{path}: {hot} of {_LOOKS} places")


def _is_hot(descriptor: int, offset: int) -> bool:
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) > 0
    except BlockingIOError:
        return False
