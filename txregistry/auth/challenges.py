"""Challenges: the texts in ``WWW-Authenticate`` headers."""

from __future__ import annotations

import re
from typing import Final

from txregistry.interfaces import InvalidOption

_ESCAPED: Final = re.compile(r'["\\]')


def parameter(name: str, value: str) -> str:
    """Write a parameter of a challenge: ``realm="R"``.

    Args:
        name: A token.
        value: Printable ASCII; quotes and backslashes in it are escaped.
    """
    return f'{name}="{_ESCAPED.sub(_escape, value)}"'


def require_printable(option: str, text: str) -> str:
    """Return a text that can stand in a header.

    Raises:
        InvalidOption: It is empty, or has other characters than printable ASCII.
    """
    if not text or not text.isascii() or not text.isprintable():
        raise InvalidOption(option, "has to be of printable ASCII characters")
    return text


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[0]
