"""Paths: which ones drivers take, and what else can be wrong with one.

The grammar is that of IStorageDriver; no driver sees a path that is outside of it.
"""

from __future__ import annotations

import re
from typing import Final

from txregistry.interfaces import InvalidPath, PathError

ROOT: Final = "/"

_SEGMENT_PATTERN = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
_SEGMENT: Final = re.compile(_SEGMENT_PATTERN)
_PATH: Final = re.compile(f"(?:/{_SEGMENT_PATTERN})+")


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
    if _PATH.fullmatch(path) is None:
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


def are_segments(path: str) -> bool:
    """Say whether a path without the first slash is one, or nothing."""
    return not path or _PATH.fullmatch(f"/{path}") is not None


def is_segment(name: str) -> bool:
    """Say whether a name can stand between two slashes of a path."""
    return _SEGMENT.fullmatch(name) is not None
