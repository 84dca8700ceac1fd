r"""Globs: patterns of repository names.

=========== ================================================================
``?``       one character, but no ``/``
``*``       any number of characters, none among them, but no ``/``
``**``      as a component, before others: any number of components, or none;
            as the last one: one component or more
``${user}`` the user's name, if it can be a component; else nothing matches
=========== ================================================================

Anything else stands for itself. A pattern is made into a regular expression that
decides in the time of the name's length, or its square at the worst: behind a ``*`` or
``**`` the first place at which the rest fits up to the next one is as good as any
other, so none is ever gone back to (``(?>…)``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from attrs import field, frozen

from txregistry.oci.errors import NameInvalid
from txregistry.oci.names import Name

LONGEST: Final = 255
"""Of a glob, in characters."""

_USER: Final = "${user}"
_COMPONENTS: Final = "**"
_PIECES: Final = re.compile(r"(?:\$\{user\}|[a-z0-9._*?-])*")
_CHARACTER: Final = "[a-z0-9._-]"
_SKIPPED: Final = f"(?:{_CHARACTER}++/)*?"
_REST: Final = f"{_CHARACTER}++(?:/{_CHARACTER}++)*+"
_NOTHING: Final = re.compile("(?!)")


class InvalidGlob(Exception):
    """A text is no glob. Its text says why."""


@frozen
class Globs:
    """Some globs; together they match what any of them matches.

    Attributes:
        texts: The globs.
    """

    texts: tuple[str, ...]
    _fixed: re.Pattern[str] = field(repr=False, eq=False)
    _of_users: tuple[str, ...] = field(repr=False, eq=False)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Globs:
        """Read globs.

        Raises:
            InvalidGlob: One of the texts is none.
        """
        globs = tuple(texts)
        for text in globs:
            _check(text)
        fixed = tuple(text for text in globs if _USER not in text)
        of_users = tuple(text for text in globs if _USER in text)
        return cls(globs, _compile(fixed), of_users)

    def match(self, name: str, user: str | None) -> bool:
        """Say whether a glob matches a repository's name.

        Args:
            name: The name.
            user: What ``${user}`` stands for; None: there is nobody.
        """
        if self._fixed.fullmatch(name) is not None:
            return True
        if not self._of_users or user is None:
            return False
        return _compile_for(self._of_users, user).fullmatch(name) is not None


def _check(text: str) -> None:
    if not text:
        raise InvalidGlob("is empty")
    if len(text) > LONGEST:
        raise InvalidGlob(f"is longer than {LONGEST} characters")
    for component in text.split("/"):
        if not component:
            raise InvalidGlob("has a / without something on either side")
        if _COMPONENTS in component and component != _COMPONENTS:
            raise InvalidGlob("has ** beside something else than /")
        rest = component[_end_of_pieces(component) :]
        if rest:
            raise InvalidGlob(f"has {rest[0]!r}, which no repository's name has")


def _end_of_pieces(component: str) -> int:
    found = _PIECES.match(component)
    return found.end() if found else 0


@lru_cache(maxsize=4096)
def _compile_for(globs: tuple[str, ...], user: str) -> re.Pattern[str]:
    # A user is taken at the name's word only if that is one whole component: no slash,
    # no glob, nothing that a repository's name cannot have.
    try:
        Name.parse(user)
    except NameInvalid:
        return _NOTHING
    return _NOTHING if "/" in user else _compile(globs, user)


def _compile(globs: tuple[str, ...], user: str = "") -> re.Pattern[str]:
    if not globs:
        return _NOTHING
    return re.compile("|".join(_expression(text, user) for text in globs))


def _expression(glob: str, user: str) -> str:
    first, *others = _segments(glob, user)
    if not others:
        return "/".join(first)
    *middle, last = others
    return (
        "".join(f"{component}/" for component in first)
        + "".join(f"(?>{_SKIPPED}{'/'.join([*segment, ''])})" for segment in middle)
        + (_SKIPPED + "/".join(last) if last else _REST)
    )


def _segments(glob: str, user: str) -> list[list[str]]:
    """Return the expressions of the components, in lists where ``**`` divides them."""
    segments: list[list[str]] = [[]]
    for component in glob.split("/"):
        if component == _COMPONENTS:
            segments.append([])
        else:
            segments[-1].append(_component(component, user))
    return segments


def _component(component: str, user: str) -> str:
    if component == "*":
        return f"{_CHARACTER}++"
    first, *others = (_plain(part, user) for part in component.split("*"))
    if not others:
        return first
    *middle, last = others
    skipped = "".join(f"(?>{_CHARACTER}*?{part})" for part in middle)
    return f"{first}{skipped}{_CHARACTER}*{last}"


def _plain(part: str, user: str) -> str:
    text = re.escape(part.replace(_USER, user))
    return text.replace(re.escape("?"), _CHARACTER)
