"""Writeback: having the disk begin with what was written, long before it is synced."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Final

# SYNC_FILE_RANGE_WRITE of Linux's <fcntl.h>: begin to write, and do not wait.
_WRITE: Final = 2


def begin_writeback(descriptor: int, offset: int, length: int) -> None:
    """Have the disk begin with a range of a file; durable it is not for that.

    May block while the disk has much to do. Where there is no such thing, or it does
    not work, nothing happens: what goes wrong with the disk, fsync tells.

    Args:
        descriptor: An open file.
        offset: The range's first byte.
        length: Its length in bytes.
    """
    call = _sync_file_range()
    if call is not None:
        call(descriptor, offset, length, _WRITE)


@cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """Find the function in the C library; None: it is not there."""
    try:
        found = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError):
        return None
    found.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    call: Callable[[int, int, int, int], int] = found
    return call
