"""``policy``: what may be kept in repositories."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from txregistry.config.fields import Section


@frozen
class Repository(Section):
    """``policy.repository``.

    Attributes:
        classes: The classes of artifacts that are taken; empty: all.
    """

    classes: tuple[Literal["image", "plugin"], ...] = ()


@frozen
class Policy(Section):
    """``policy``.

    Attributes:
        repository: For every repository.
    """

    repository: Repository = field(factory=Repository)
