"""File systems: which kinds there are, and all of one made durable at once."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

# File systems that keep the order of changes of names, and on which writing over what
# is there needs no room: ext2 to ext4, and XFS. All are one machine's own.
_KINDS: Final = (0xEF53, 0x58465342)


def keeps_order(place: str) -> bool:
    """Say whether a folder is on a file system that a journal can be on."""
    if sys.platform != "linux":
        return False
    status = ctypes.create_string_buffer(256)  # struct statfs, f_type first
    if ctypes.CDLL(None).statfs(os.fsencode(place), status) != 0:
        return False
    return ctypes.c_long.from_buffer(status).value in _KINDS


def sync_file_system(descriptor: int) -> None:
    """Make durable all that is on a file system.

    Args:
        descriptor: A file on it, open since before what is to be synced was written:
            so it hears of what could not be.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
