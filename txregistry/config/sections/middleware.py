"""``middleware``: wrappers around the registry, its repositories and its storage."""

from __future__ import annotations

from attrs import field, frozen

from txregistry.config.fields import Ignored, Section
from txregistry.config.types import Parameters


@frozen
class Wrapper(Section):
    """``middleware.<place>[]``."""

    name: Ignored[str] = ""
    disabled: Ignored[bool] = False
    options: Ignored[Parameters] = field(factory=dict, repr=False)


@frozen
class Middleware(Section):
    """``middleware``."""

    registry: Ignored[tuple[Wrapper, ...]] = ()
    repository: Ignored[tuple[Wrapper, ...]] = ()
    storage: Ignored[tuple[Wrapper, ...]] = ()
