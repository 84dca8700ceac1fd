"""Fields: what the attributes of a settings class say about configuration keys.

A settings class is a frozen attrs class derived from ``Section``. Its attributes are
the keys that are known: reading, environment variables, warnings and the effective
settings are all derived from them. An attribute's type says what its key takes and,
where this version does not act on it, so: ``Ignored[str]``, or ``Annotated`` with
``Refused``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import cache
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import attrs

_T = TypeVar("_T")

KEY: Final = "txregistry.key"
"""Metadata: the key in the file, where it cannot be the attribute's name (str)."""

VARIABLE: Final = "txregistry.variable"
"""Metadata: the key's part of an environment variable's name, where the Go registry's
is not the key in capitals (str)."""

NO_KEY: Final = "txregistry.nokey"
"""Metadata: the attribute is no key at all."""


class Section:
    """Base of the settings classes."""

    __slots__ = ()


class Status(Enum):
    """What this version does with a key."""

    ACTED_ON = auto()
    """What the key says; or it is a section, and each key below has its own status."""
    IGNORED = auto()
    """Nothing: a warning, if the Go registry would do something."""
    REFUSED = auto()
    """Nothing, although the key is there to protect: it refuses to start."""


Ignored = Annotated[_T, Status.IGNORED]


@attrs.frozen
class Refused:
    """Marks a key that would protect, if this version acted on it.

    Attributes:
        subject: What is not supported yet, for the message.
        advice: What to do; empty: nothing helps but to do without.
    """

    subject: str
    advice: str = ""


@attrs.frozen
class Instead:
    """Says what to do instead of using a key that this version does not act on.

    Attributes:
        advice: What to do.
    """

    advice: str


@attrs.frozen
class Names:
    """Marks the attribute for keys that are names of something, one at the most.

    Attributes:
        noun: What they name.
        inert: Names that do nothing.
    """

    noun: str
    inert: frozenset[str] = frozenset()


_MARKS: Final = (Status, Refused, Instead, Names)


@attrs.frozen
class Field:
    """An attribute of a settings class, ready for use.

    Attributes:
        name: The attribute's name.
        key: The key in the file.
        variable: Its part of an environment variable's name.
        kind: The attribute's type, without what is said here.
        default: The value when the key is not given.
        status: What this version does with the key.
        subject: What a refused key is about.
        advice: What to do instead; empty: nothing helps.
        names: What is said about names; None: it is an ordinary key.
    """

    name: str
    key: str
    variable: str
    kind: Any
    default: object
    status: Status
    subject: str
    advice: str
    names: Names | None


class Invalid(ValueError):
    """A value has the right type, but cannot be used.

    Attributes:
        name: The attribute it was meant for.
        problem: What is wrong with it.
    """

    def __init__(self, name: str, problem: str) -> None:
        """Name the attribute and the problem."""
        super().__init__(f"{name} {problem}")
        self.name = name
        self.problem = problem


def must(
    condition: Callable[[Any], object], problem: str
) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Make an attribute's validator.

    Args:
        condition: Says whether a value is right.
        problem: What is wrong with one that is not.
    """

    def check(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not condition(value):
            raise Invalid(attribute.name, problem)

    return check


def is_section(kind: Any) -> bool:
    """Say whether a type is a settings class."""
    return isinstance(kind, type) and issubclass(kind, Section)


def fields_of(cls: type) -> Mapping[str, Field]:
    """Return the known keys of a settings class and their fields."""
    return {field.key: field for field in _all_fields(cls) if field.names is None}


def names_of(cls: type) -> Field | None:
    """Return the field for the keys that are names; None: the class has none."""
    return next((field for field in _all_fields(cls) if field.names is not None), None)


@cache
def _all_fields(cls: Any) -> tuple[Field, ...]:
    attributes = attrs.fields(attrs.resolve_types(cls))
    return tuple(_field(part) for part in attributes if NO_KEY not in part.metadata)


def _field(attribute: attrs.Attribute[Any]) -> Field:
    kind, marks = _split(attribute.type)
    key = attribute.metadata.get(KEY, attribute.name)
    default: Any = attribute.default
    status = Status.ACTED_ON
    subject, advice, names = "", "", None
    for mark in marks:
        if isinstance(mark, Status):
            status = mark
        elif isinstance(mark, Refused):
            status, subject, advice = Status.REFUSED, mark.subject, mark.advice
        elif isinstance(mark, Instead):
            advice = mark.advice
        else:
            names = mark
    return Field(
        name=attribute.name,
        key=key,
        variable=attribute.metadata.get(VARIABLE, key.upper()),
        kind=kind,
        default=default.factory() if hasattr(default, "factory") else default,
        status=status,
        subject=subject,
        advice=advice,
        names=names,
    )


def _split(kind: Any) -> tuple[Any, list[Any]]:
    """Separate what this module says of a type from the type.

    ``Annotated`` flattens: what is left of it (``Seconds``) is put together again.
    """
    if get_origin(kind) is not Annotated:
        return kind, []
    base, *notes = get_args(kind)
    marks = [note for note in notes if isinstance(note, _MARKS)]
    for note in notes:
        if note not in marks:
            base = Annotated[base, note]
    return base, marks
