"""Subjects: whom a rule is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from txregistry.interfaces import Identity

ANONYMOUS: Final = "anonymous"
AUTHENTICATED: Final = "authenticated"
EVERYBODY: Final = "*"

_GROUP: Final = "group"
_NAMED: Final = ("user", _GROUP, "certificate", "token")
_FORMS: Final = ", ".join(
    [ANONYMOUS, AUTHENTICATED, EVERYBODY, *(f"{kind}:NAME" for kind in _NAMED)]
)


class InvalidSubject(Exception):
    """A text names nobody. Its text says why."""


@frozen
class Subjects:
    """Some people and programs.

    Attributes:
        texts: How they were named.
    """

    texts: tuple[str, ...]
    _words: frozenset[str]
    _names: frozenset[tuple[str, str | None]]
    _groups: frozenset[str]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Subjects:
        """Read how they are named.

        That is ``anonymous``; ``authenticated``, who is not; ``*``, all; or the user,
        the certificate's common name, the token's subject, or the group with a NAME.

        Raises:
            InvalidSubject: A text names nobody.
        """
        given = tuple(texts)
        pairs = [_split(text) for text in given]
        return cls(
            given,
            frozenset(kind for kind, name in pairs if name is None),
            frozenset(pair for pair in pairs if pair[0] != _GROUP),
            frozenset(name for kind, name in pairs if name and kind == _GROUP),
        )

    def include(self, identity: Identity) -> bool:
        """Say whether somebody is among them."""
        anonymous = identity.kind == ANONYMOUS
        return (
            EVERYBODY in self._words
            or (ANONYMOUS if anonymous else AUTHENTICATED) in self._words
            or (identity.kind, identity.name) in self._names
            or not identity.groups.isdisjoint(self._groups)
        )


def _split(text: str) -> tuple[str, str | None]:
    if text in (ANONYMOUS, AUTHENTICATED, EVERYBODY):
        return text, None
    kind, colon, name = text.partition(":")
    if not colon or kind not in _NAMED:
        raise InvalidSubject(f"{text!r} is nobody; there are: {_FORMS}")
    if not name or name != name.strip():
        raise InvalidSubject(f"{text!r} has no name, or spaces around it")
    return kind, name
