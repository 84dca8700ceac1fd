"""Writeback: having the disk begin with what was written, long before it must be there.

What was written lies in memory until somebody syncs it: the disk is idle meanwhile, and
in the end everybody waits for it. To hand it the pages (``sync_file_range``) is not
enough. A disk takes them into a cache of its own, that of a virtual machine into its
host's memory, and may begin when it is told to flush. So a long file is synced again
and again while it is written.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Thread
from typing import Final

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Writeback:
    """Syncs a file while somebody else writes it, in a thread that ends with that.

    Attributes:
        running: Whether it does so now.
    """

    def __init__(self) -> None:
        """Prepare."""
        self.running = False

    def begin(self, place: str) -> None:
        """Begin to sync what a file has so far, and do not wait. One at a time.

        Nobody may take the file for durable because of it. The thread opens the file
        by itself: the system tells each who has it open once of what went wrong, and
        whoever wrote it is to hear of it. It holds no lock on the file either.

        Args:
            place: Where the file is; if there is none, nothing happens.
        """
        self.running = True
        try:
            Thread(target=self._run, args=(place,), daemon=True).start()
        except RuntimeError:  # no more threads
            self.running = False

    def _run(self, place: str) -> None:
        try:
            with suppress(OSError):
                sync_at(place)
        finally:
            self.running = False


def sync_at(place: str) -> None:
    """Sync what a file has. Blocks, and fails with OSError."""
    descriptor = os.open(place, _FLAGS)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
