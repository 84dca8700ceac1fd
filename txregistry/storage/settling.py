"""Settling: which directories are known to outlive a crash of the machine.

A file is durable when every directory above it is: fsync of a directory makes the
names in it durable, not its own name in its parent. Somebody else may have made a
directory a moment ago and not got to that yet, so a process that relies on it makes it
durable itself, once.
"""

from __future__ import annotations

from collections.abc import Callable
from os.path import dirname
from threading import Lock
from typing import Final

MOST_REMEMBERED: Final = 20_000  # directories; about 4 MB


class Settled:
    """The directories that this process has made durable, from a root down.

    Any thread may call any method. What another process removes and makes again is
    still taken for durable; that process answers for it, unless the machine crashes
    within the moment that it needs.
    """

    def __init__(
        self, root: str, sync: Callable[[str], None], most: int = MOST_REMEMBERED
    ) -> None:
        """Take the folder that is durable as it is, and a function.

        Args:
            root: A folder; its own name counts as durable.
            sync: Makes the names in a folder durable; may fail with OSError.
            most: How many directories to remember.
        """
        self._most = most
        self._root = root
        self._sync = sync
        self._lock = Lock()
        self._settled: set[str] = set()
        self._at_work: dict[str, object] = {}

    def made(self, directory: str) -> None:
        """Hear that a directory is about to be made: it is not durable yet."""
        with self._lock:
            self._settled.discard(directory)
            self._at_work.pop(directory, None)

    def settle(self, directory: str) -> None:
        """Make a directory's name durable, and those of all above it.

        Raises:
            OSError: It did not work.
        """
        while directory != self._root:
            if directory not in self._settled:
                self._settle_one(directory)
            directory = dirname(directory)

    def _settle_one(self, directory: str) -> None:
        token = self._begin(directory)
        done = False
        try:
            self._sync(dirname(directory))
            done = True
        finally:
            self._finish(directory, token, done)

    def _begin(self, directory: str) -> object:
        with self._lock:
            token = self._at_work[directory] = object()
            return token

    def _finish(self, directory: str, token: object, done: bool) -> None:
        # Another token, or none: the directory was made anew while this one was synced.
        with self._lock:
            if self._at_work.get(directory) is not token:
                return
            del self._at_work[directory]
            if len(self._settled) >= self._most:
                self._settled.clear()
            if done:
                self._settled.add(directory)
