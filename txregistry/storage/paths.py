"""Paths: which ones drivers take, and what else can be wrong with one.

The grammar is that of IStorageDriver; no driver sees a path that is outside of it.
"""

from __future__ import annotations

from txregistry.interfaces import InvalidPath, PathError
from txregistry.storage.segments import ROOT, is_path


class PathObstructed(PathError):
    """A directory stands where a file is wanted, or a file where a directory is."""

    _problem = "something else is in the way of"


def require_path(path: str, driver: str) -> None:
    """Refuse what is not the path of a file or a directory below the root.

    Args:
        path: The path.
        driver: The driver's name, for the error.

    Raises:
        InvalidPath: It is none.
    """
    if not is_path(path):
        raise InvalidPath(path, driver)


def require_path_or_root(path: str, driver: str) -> None:
    """Refuse what is neither the root nor a path below it.

    Args:
        path: The path.
        driver: The driver's name, for the error.

    Raises:
        InvalidPath: It is neither.
    """
    if path != ROOT:
        require_path(path, driver)
