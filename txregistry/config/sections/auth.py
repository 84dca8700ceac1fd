"""``auth`` and ``access``: who clients are, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from attrs import field, frozen

from txregistry.config.fields import Names, Section
from txregistry.config.types import Parameters

_NONE: Final = "none"
_NAMES: Final = Names("access controller", inert=frozenset([_NONE]))
_NO_PARAMETERS: Final[Parameters] = {}


@frozen
class Auth(Section):
    """``auth``.

    Attributes:
        controllers: The parameters of the one access controller, by its name; empty:
            clients need not say who they are.
    """

    controllers: Annotated[Mapping[str, Parameters], _NAMES] = field(
        factory=dict, repr=False
    )

    @property
    def controller(self) -> str | None:
        """The access controller's name; None: there is none."""
        return next((name for name in self.controllers if name.lower() != _NONE), None)

    @property
    def parameters(self) -> Parameters:
        """The access controller's parameters, not checked."""
        name = self.controller
        return _NO_PARAMETERS if name is None else self.controllers[name]


@frozen
class Access(Section):
    """``access``.

    Attributes:
        rules: The rules, not checked; the first that matches decides. None: there are
            no rules; empty: nobody may do anything.
        file: A file with the rules instead, read anew when it changes; empty: none.
    """

    rules: tuple[Parameters, ...] | None = None
    file: str = ""
