"""Scalars: what YAML takes a piece of text for.

The types are YAML 1.1's, as the Go registry's configuration has them, with one
exception: digits behind a leading zero, and times of day, stay text. YAML 1.1 would
make other numbers of them (octal, base 60), which nobody means in a password or a name.
"""

from __future__ import annotations

import math
import re
from typing import Final

_BOOLEANS: Final = {
    spelling: word in ("true", "yes", "on")
    for word in ("true", "yes", "on", "false", "no", "off")
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS: Final = frozenset(["", "~", "null", "Null", "NULL"])
_INTEGER: Final = re.compile("[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+)")
_FLOAT: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LONGEST: Final = 72  # characters of the longest 64-bit number, in binary


def resolve(text: str) -> bool | int | float | str | None:
    """Return the value of a plain (not quoted) scalar."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    return _number(text)


def _number(text: str) -> int | float | str:
    if len(text) > _LONGEST:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _integer(text: str) -> int | str:
    try:
        number = int(text.replace("_", ""), 0)
    except ValueError:
        return text
    return number if abs(number) < 1 << 64 else text
