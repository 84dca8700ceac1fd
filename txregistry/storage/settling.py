"""Settling: which directories are known to outlive a crash of the machine.

A file is durable when every directory above it is: fsync of a directory makes the
names in it durable, not its own name in its parent. Somebody else may have made a
directory a moment ago and not got to that yet, so a process that relies on it makes it
durable itself, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
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

    def __init__(self, root: str, most: int = MOST_REMEMBERED) -> None:
        """Take the folder that is durable as it is.

        Args:
            root: A folder; its own name counts as durable.
            most: How many directories to remember.
        """
        self._most = most
        self._root = root
        self._lock = Lock()
        self._settled: set[str] = set()
        self._at_work: dict[str, set[object]] = {}

    def made(self, directory: str) -> None:
        """Hear that a directory is about to be made: it is not durable yet."""
        with self._lock:
            self._at_work.pop(directory, None)
            if directory in self._settled:
                self._settled.remove(directory)
                self._forget_below(f"{directory}/")

    @contextmanager
    def settling(self, directories: Iterable[str]) -> Iterator[Sequence[str]]:
        """Let somebody make the names of directories durable, and of all above them.

        Inside the ``with`` the folders that are given are to be synced, in any order.
        If it is left by an exception, nothing was made durable.
        """
        names = chain.from_iterable(map(self._unsettled, directories))
        work = list(dict.fromkeys(names))
        if not work:
            yield ()
            return
        token = self._begin(work)
        done = False
        try:
            yield list(dict.fromkeys(map(dirname, work)))
            done = True
        finally:
            self._finish(work, token, done)

    def _unsettled(self, directory: str) -> Iterator[str]:
        # Above what is settled, all is.
        while directory != self._root and directory not in self._settled:
            yield directory
            directory = dirname(directory)

    def _begin(self, directories: Iterable[str]) -> object:
        token = object()
        with self._lock:
            for directory in directories:
                self._at_work.setdefault(directory, set()).add(token)
        return token

    def _finish(self, directories: Iterable[str], token: object, done: bool) -> None:
        # The token is gone where a directory was made anew while it was synced.
        with self._lock:
            for directory in directories:
                tokens = self._at_work.get(directory, set())
                done = done and token in tokens
                tokens.discard(token)
                if not tokens:
                    self._at_work.pop(directory, None)
            if done:
                if len(self._settled) >= self._most:
                    self._settled.clear()
                self._settled.update(directories)

    def _forget_below(self, prefix: str) -> None:
        # What was below a directory that was removed went with it.
        self._settled = {each for each in self._settled if not each.startswith(prefix)}
        for directory in [each for each in self._at_work if each.startswith(prefix)]:
            del self._at_work[directory]
