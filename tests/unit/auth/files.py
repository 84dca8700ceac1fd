"""Files: what the tests of txregistry.auth read and change."""

from __future__ import annotations

import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase


class FileTestCase(SynchronousTestCase):
    """Tests with a folder of their own.

    Attributes:
        folder: The folder.
    """

    def setUp(self) -> None:
        """Make the folder."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def write(self, content: str | bytes, name: str = "file") -> str:
        """Write a file as an editor does, in the place of what is there."""
        path = self.folder / name
        temporary = path.with_suffix(".new")
        text = content.encode() if isinstance(content, str) else content
        temporary.write_bytes(text)
        temporary.rename(path)
        return str(path)


def long_after() -> float:
    """Return a time at which what is written now has settled."""
    return time.time() + 3600
