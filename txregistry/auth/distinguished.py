"""Distinguished names: how LDAP names entries, as text (RFC 4514).

``cn=ops,ou=groups,dc=example`` has four parts, the most specific one first.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

_PLAIN: Final = re.compile("[A-Za-z0-9]")
_PAIR: Final = re.compile(rb"\\(?:([0-9A-Fa-f]{2})|(.))", re.DOTALL)

# A type, a value in which a backslash escapes what follows it, and what comes behind.
# (The value's group is not possessive: Python before 3.11.5 gets such groups wrong. Its
# branches begin differently, so that there is little to go back to.)
_ASSERTION: Final = re.compile(
    r" *+([A-Za-z][A-Za-z0-9-]*+|[0-9]++(?:[.][0-9]++)*+) *+= *+"
    r"((?:[^\\,;+\"]|\\(?:[0-9A-Fa-f]{2}|[^0-9A-Fa-f]))*)"
    r"([,;+]|\Z)",
    re.DOTALL,
)

_Part = tuple[tuple[str, str], ...]
"""Types and values; nearly always there is one."""


class NotDistinguished(Exception):
    """A text is no distinguished name."""


@frozen
class DistinguishedName:
    """A distinguished name.

    Attributes:
        parts: Its parts, as they were written, without escapes.
    """

    parts: tuple[_Part, ...]

    @classmethod
    def parse(cls, text: str) -> DistinguishedName:
        """Read a name.

        Raises:
            NotDistinguished: It is none, or empty.
        """
        parts: list[_Part] = []
        part: list[tuple[str, str]] = []
        place, end = 0, ","
        while end:
            match = _ASSERTION.match(text, place)
            if match is None:
                raise NotDistinguished
            place, end = match.end(), match[3]
            part.append((match[1], _unescape(match[2])))
            if end != "+":
                parts.append(tuple(part))
                part = []
        return cls(tuple(parts))

    def first_value(self) -> str:
        """Return the value in the most specific part: ``ops``."""
        return self.parts[0][0][1]

    def is_below(self, other: DistinguishedName) -> bool:
        """Say whether an entry with this name lies below another entry.

        Letters count as the same in either case, as they do in most directories.
        """
        mine, others = self._folded(), other._folded()
        return len(mine) > len(others) and mine[-len(others) :] == others

    def _folded(self) -> list[frozenset[tuple[str, str]]]:
        return [
            frozenset((kind.casefold(), value.casefold()) for kind, value in part)
            for part in self.parts
        ]


def escape(value: str) -> str:
    r"""Escape a value for a place in a distinguished name, or in a filter.

    All ASCII characters but letters and digits become ``\2A``, which both grammars
    know (RFC 4514 and RFC 4515): so there are no exceptions to forget.
    """
    return "".join(
        letter
        if _PLAIN.match(letter) or not letter.isascii()
        else f"\\{ord(letter):02x}"
        for letter in value
    )


def _unescape(value: str) -> str:
    stripped = value.rstrip(" ")
    if len(stripped) < len(value) and _ends_with_escape(stripped):
        stripped += " "
    try:
        return _PAIR.sub(_unescape_one, stripped.encode()).decode()
    except UnicodeError:
        raise NotDistinguished from None


def _unescape_one(match: re.Match[bytes]) -> bytes:
    return match[2] if match[1] is None else bytes.fromhex(match[1].decode())


def _ends_with_escape(text: str) -> bool:
    backslashes = len(text) - len(text.rstrip("\\"))
    return backslashes % 2 == 1
