"""Stamps: moments as text, as each kind of log writes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# Not the locale's: whoever reads logs knows these.
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


class Stamp:
    """Says a moment; those of one second cost next to nothing after the first."""

    def __init__(self, render: Callable[[int], str]) -> None:
        """Take what writes a second, which is in seconds since the epoch."""
        self._render = render
        self._second = -1
        self._text = ""

    def of(self, moment: float) -> str:
        """Return the second that a moment is in."""
        second = int(moment)
        if second != self._second:
            self._text = self._render(second)
            self._second = second
        return self._text


def rfc3339(second: int) -> str:
    """Return a second in UTC as RFC 3339 has it, without what follows the seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def milliseconds(moment: float) -> str:
    """Return what follows the seconds, with UTC's ``Z``."""
    return f".{int(moment % 1 * 1000):03d}Z"


def combined(second: int) -> str:
    """Return a second in local time as access logs have it."""
    at = time.localtime(second)
    return (
        f"{at.tm_mday:02d}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}"
        f":{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} " + time.strftime("%z", at)
    )


def time_of_day(second: int) -> str:
    """Return a second's local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(second))
