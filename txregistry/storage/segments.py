"""Segments: what a path of a driver is made of. Pure.

The grammar is that of IStorageDriver.
"""

from __future__ import annotations

import re
from typing import Final

ROOT: Final = "/"

_SEGMENT_PATTERN = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
_SEGMENT: Final = re.compile(_SEGMENT_PATTERN)
_PATH: Final = re.compile(f"(?:/{_SEGMENT_PATTERN})+")


def is_path(path: str) -> bool:
    """Say whether a text is the path of a file or a directory below the root."""
    return _PATH.fullmatch(path) is not None


def are_segments(path: str) -> bool:
    """Say whether a path without the first slash is one, or nothing."""
    return not path or is_path(f"/{path}")


def is_segment(name: str) -> bool:
    """Say whether a name can stand between two slashes of a path."""
    return _SEGMENT.fullmatch(name) is not None
