"""``catalog`` and ``tags``: how much a listing holds at once."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from txregistry.config.fields import Section, must

_DEFAULT: Final = 1000


def _positive(count: int) -> int:
    return count if count > 0 else _DEFAULT


def _not_zero(count: int) -> int:
    return count or _DEFAULT


@frozen
class Catalog(Section):
    """``catalog``.

    Attributes:
        maxentries: The most repositories in one answer; given as 0 or less: 1000.
    """

    maxentries: int = field(default=_DEFAULT, converter=_positive)


@frozen
class Tags(Section):
    """``tags``.

    Attributes:
        maxtags: The most tags in one answer; given as 0: 1000.
    """

    maxtags: int = field(
        default=_DEFAULT,
        converter=_not_zero,
        validator=must(lambda count: count > 0, "must not be negative"),
    )
