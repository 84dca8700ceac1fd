"""Durations: lengths of time, written as Go writes them (``1h30m``, ``300ms``)."""

from __future__ import annotations

import re
from typing import Final

_NANOSECONDS: Final = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # micro sign
    "\u03bcs": 10**3,  # Greek letter mu
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_UNITS: Final = "|".join(sorted(_NANOSECONDS, key=len, reverse=True))
_PART: Final = re.compile(rf"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?({_UNITS})")
_MAX_LENGTH: Final = 100
_MAX_NANOSECONDS: Final = 2**63 - 1


def parse_duration(text: str) -> float:
    """Read a duration: numbers, each with a unit, together with an optional sign.

    Returns:
        Seconds.

    Raises:
        ValueError: It is none, or longer than Go can count (292 years).
    """
    digits = text[1:] if text[:1] in ("-", "+") else text
    total = 0 if digits == "0" else _nanoseconds(digits)
    return from_nanoseconds(-total if text.startswith("-") else total)


def from_nanoseconds(count: int) -> float:
    """Return a count of nanoseconds as a duration in seconds.

    Raises:
        ValueError: It is longer than Go can count.
    """
    if abs(count) > _MAX_NANOSECONDS:
        raise ValueError("is too long a duration")
    return count / 10**9


def format_duration(duration: float) -> str:
    """Write a duration so that it reads back the same, in one unit.

    Args:
        duration: Seconds.
    """
    count = min(round(abs(duration) * 10**9), _MAX_NANOSECONDS)
    sign = "-" if duration < 0 and count else ""
    for unit in ("h", "m", "s", "ms", "us"):
        if count and count % _NANOSECONDS[unit] == 0:
            return f"{sign}{count // _NANOSECONDS[unit]}{unit}"
    return f"{sign}{count}ns" if count else "0s"


def _nanoseconds(digits: str) -> int:
    position = total = 0
    while len(digits) <= _MAX_LENGTH and (part := _PART.match(digits, position)):
        whole, fraction, unit = part[1], part[2] or "", _NANOSECONDS[part[3]]
        total += int(whole or 0) * unit
        total += int(fraction or 0) * unit // 10 ** len(fraction)
        position = part.end()
    if not digits or position != len(digits):
        raise ValueError('must be a duration such as "30s" or "1h30m"')
    return total
