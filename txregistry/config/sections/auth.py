"""``auth``: who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from attrs import field, frozen

from txregistry.config.fields import Names, Refused, Section
from txregistry.config.types import Parameters

_NAMES: Final = Names("access controller", inert=frozenset(["none"]))


@frozen
class Auth(Section):
    """``auth``.

    Attributes:
        controllers: The parameters of the one access controller, by its name; empty:
            everyone may do everything.
    """

    controllers: Annotated[
        Mapping[str, Parameters], _NAMES, Refused("access control")
    ] = field(factory=dict, repr=False)
