"""Paint: colours on a terminal."""

from __future__ import annotations

from typing import Final

_CODES: Final = {
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "cyan": "\x1b[36m",
}
_END: Final = "\x1b[0m"


class Paint:
    """Colours text, or leaves it as it is."""

    def __init__(self, coloured: bool) -> None:
        """Take whether there are colours."""
        self._coloured = coloured

    def __call__(self, colour: str, text: str) -> str:
        """Return text in a colour: a key of ``_CODES``."""
        return f"{_CODES[colour]}{text}{_END}" if self._coloured else text
