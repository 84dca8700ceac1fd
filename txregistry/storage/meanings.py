"""Meanings: what the operating system's errors mean to those who use a driver."""

from __future__ import annotations

import errno
from typing import Final

from txregistry.interfaces import (
    InvalidPath,
    PathBusy,
    PathNotFound,
    StorageError,
    StorageFull,
)
from txregistry.storage.disk import NO_ROOM
from txregistry.storage.paths import PathObstructed

NAME: Final = "filesystem"

_NOTHING_THERE: Final = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENXIO,
)
_IN_THE_WAY: Final = (
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENOTEMPTY,
    errno.ENXIO,
)


class translated:  # noqa: N801 - it reads as a verb, as contextlib's own do
    """Turn the operating system's errors into ours, inside a ``with``."""

    __slots__ = ("_missing", "_path", "_writing")

    def __init__(
        self, path: str, writing: bool = False, missing: str | None = None
    ) -> None:
        """Say what the errors are about.

        Args:
            path: What the work is about.
            writing: Whether something is to be there afterwards.
            missing: The path that is not there when one is not; None: ``path``.
        """
        self._path = path
        self._writing = writing
        self._missing = missing or path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> None:
        """Raise what an OSError means."""
        if isinstance(error, OSError):
            raise _meaning(error, self._path, self._writing, self._missing) from error


def _meaning(error: OSError, path: str, writing: bool, missing: str) -> StorageError:
    code = error.errno
    if code in NO_ROOM:
        return StorageFull(f"{NAME}: {error.strerror}: {path}")
    if code == errno.ENOENT or (code in _NOTHING_THERE and not writing):
        return PathNotFound(missing, NAME)
    if code == errno.EAGAIN:
        return PathBusy(path, NAME)
    if code == errno.ENAMETOOLONG:
        return InvalidPath(path, NAME)
    if code in _IN_THE_WAY:
        return PathObstructed(path, NAME)
    return StorageError(f"{NAME}: {error.strerror}: {path}")
