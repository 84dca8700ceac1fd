"""Page cache: whether the kernel has at hand what a file holds.

``preadv`` with RWF_NOWAIT says so of single bytes, where the file system knows it. Of a
whole range Linux says it since 6.5, by ``cachestat``, in 3 us a mebibyte. To ask of
each 128 KiB takes 15, and may overlook what is missing between. Older kernels, and
sandboxes that do not know it, leave us with the first and the last byte.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable
from functools import cache
from typing import Any, Final

_CACHESTAT: Final = 451  # the system call's number, whatever the processor


def would_wait(descriptor: int, offset: int, size: int) -> bool:
    """Say whether somebody who reads a range would have to wait for the disk.

    Args:
        descriptor: The open file.
        offset: The range's first byte.
        size: Its length in bytes, at least 1.
    """
    probe = [bytearray(1)]
    try:
        for position in (offset, offset + size - 1):
            if not os.preadv(descriptor, probe, position, os.RWF_NOWAIT):
                return False  # the file ends before, which sending will tell
    except BlockingIOError:
        return True
    except OSError:
        return False  # it cannot say; or reading will fail, too, and tell
    # Twice: the kernel overlooks some if it is interrupted while it counts, which was
    # one time in 4,000 on a busy machine.
    return all(missing_pages(descriptor, offset, size) for _ in range(2))


def missing_pages(descriptor: int, offset: int, size: int) -> int | None:
    """Return how many pages of a range are not at hand; None: that cannot be said."""
    call = _system_call()
    if call is None:
        return None
    counts = (ctypes.c_uint64 * 5)()
    if call(_CACHESTAT, descriptor, (ctypes.c_uint64 * 2)(offset, size), counts, 0):
        return None
    first, last = offset // mmap.PAGESIZE, (offset + size - 1) // mmap.PAGESIZE
    return max(last - first + 1 - int(counts[0]), 0)


@cache
def _system_call() -> Callable[..., Any] | None:
    try:
        # Keeps Python's lock: it waits for nothing.
        function: Any = ctypes.PyDLL(None).syscall
    except (OSError, AttributeError):
        return None
    function.argtypes = (
        ctypes.c_long,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_uint,
    )
    function.restype = ctypes.c_long
    return function  # type: ignore[no-any-return]
