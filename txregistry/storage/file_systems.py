"""File systems: which kinds there are, and all of one made durable at once."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

# File systems that keep the order of changes of names, and on which writing over what
# is there needs no room: ext2 to ext4, and XFS.
_KEEP_ORDER: Final = frozenset({0xEF53, 0x58465342})

# Those of which this machine's kernel tells whatever happens: with the two, F2FS and
# tmpfs.
_TELL: Final = _KEEP_ORDER | {0xF2F52010, 0x01021994}

# Those that tell it of the folders above what is mounted in them. What containers have
# for a root is an overlay: a file there may be another when it is first written to.
# Btrfs tells nobody that a subvolume is deleted, with all that is in it; but it is told
# that nothing is mounted there any more.
_TELL_ABOVE: Final = _TELL | {0x794C7630, 0x9123683E}


def keeps_order(place: str) -> bool:
    """Say whether a folder is on a file system that a journal can be on."""
    return _kind(os.fsencode(place)) in _KEEP_ORDER


def tells_of_file(place: bytes) -> bool:
    """Say whether this machine's kernel tells of whatever happens to a file."""
    return _kind(place) in _TELL


def tells_of_folder(place: bytes) -> bool:
    """Say whether it tells if a folder, above such a file, is renamed or removed."""
    return _kind(place) in _TELL_ABOVE


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
