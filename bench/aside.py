"""Aside: where things are until the end of a run that measures go on without.

ext4 does not take an inode again for one to five minutes after it was removed, and who
makes a file meanwhile looks at every such inode on the way to a free one: up to a fifth
of the processor's time of a small push, whoever's file it was. So nothing with many
inodes is removed while something is still to be measured.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LARGE: Final = 1024 * 1024
"""So many bytes a file needs to have for its space to be given back at once."""
_NAMES: Final = 1000
"""So many names a folder gets."""


class Aside:
    """A folder on the disk to measure with, for what is no longer served."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it need not be there. Whoever made it removes it."""
        self._folder = folder
        self._taken = 0

    def take(self, place: Path) -> None:
        """Move a file, or a folder with all in it, away; harmless if there is none.

        Large files are emptied, so that the disk does not fill up.
        """
        if not place.exists():
            return
        shelf = self._folder / str(self._taken // _NAMES)
        shelf.mkdir(parents=True, exist_ok=True)
        taken = place.rename(shelf / str(self._taken % _NAMES))
        self._taken += 1
        for each in [taken, *taken.rglob("*")]:
            if each.is_file() and each.stat().st_size >= LARGE:
                os.truncate(each, 0)
