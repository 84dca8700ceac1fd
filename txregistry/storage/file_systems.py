"""File systems: which kinds there are, and all of one made durable at once."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

# File systems that keep the order of changes of names, and on which writing over what
# is there needs no room: ext2 to ext4, and XFS.
_KEEP_ORDER: Final = frozenset({0xEF53, 0x58465342})

# Those that are one machine's own: with the two, Btrfs, F2FS and tmpfs.
_OWN: Final = _KEEP_ORDER | {0x9123683E, 0xF2F52010, 0x01021994}

# What containers have for a root: folders there are one machine's own, too. A file in
# one may be another when it is first written to.
_OVERLAY: Final = 0x794C7630


def keeps_order(place: str) -> bool:
    """Say whether a folder is on a file system that a journal can be on."""
    return _kind(os.fsencode(place)) in _KEEP_ORDER


def is_own(place: bytes) -> bool:
    """Say whether nothing but this machine's kernel can change a file."""
    return _kind(place) in _OWN


def is_own_above(place: bytes) -> bool:
    """Say whether nothing but this machine's kernel can rename or remove a folder."""
    return (kind := _kind(place)) in _OWN or kind == _OVERLAY


def _kind(place: bytes) -> int | None:
    """Return the kind of the file system that a file is on; None: nobody knows."""
    if sys.platform != "linux":
        return None
    status = ctypes.create_string_buffer(256)  # struct statfs, f_type first
    if ctypes.CDLL(None).statfs(place, status) != 0:
        return None
    return ctypes.c_long.from_buffer(status).value


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
