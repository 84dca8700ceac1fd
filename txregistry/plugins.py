"""Plugins: from a name in the configuration to the object that a distribution offers.

A distribution offers an object under a name as an entry point (Python packaging's
"entry points specification") of a group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zope.interface.interface import InterfaceClass


class UnknownPlugin(Exception):
    """Nothing has the name.

    Attributes:
        name: The name.
        known: The names that there are, sorted.
    """

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        """Say what was looked for, its name, and the names that are known."""
        self.name = name
        self.known = sorted(known)
        super().__init__(f"unknown {noun} {name!r}; known are: {', '.join(self.known)}")


class BrokenPlugin(Exception):
    """It is there and cannot be used, most likely for want of a dependency.

    Attributes:
        name: The name.
    """

    def __init__(self, noun: str, name: str, problem: object) -> None:
        """Say what was looked for, its name, and the problem."""
        super().__init__(f"{noun} {name!r} cannot be loaded: {problem}")
        self.name = name


@dataclass(frozen=True)
class PluginKind:
    """One kind of plugin.

    Attributes:
        noun: What people call it.
        group: The group of its entry points.
        interface: What the objects provide.
        built_in: Entry points that are found in a checkout that nobody has installed.
    """

    noun: str
    group: str
    interface: InterfaceClass
    built_in: tuple[EntryPoint, ...]

    def known(
        self, installed: Iterable[EntryPoint] | None = None
    ) -> dict[str, EntryPoint]:
        """Return what there is, by name.

        Args:
            installed: Entry points to look through; None: those of what is installed.
        """
        points = entry_points(group=self.group) if installed is None else installed
        return {point.name: point for point in (*self.built_in, *points)}

    def load(self, name: str, installed: Iterable[EntryPoint] | None = None) -> Any:
        """Import the object that has a name.

        Args:
            name: The name, as in the configuration.
            installed: Entry points to look through; None: those of what is installed.

        Returns:
            What provides the interface.

        Raises:
            UnknownPlugin: Nothing has the name.
            BrokenPlugin: It cannot be imported, or does not provide the interface.
        """
        known = self.known(installed)
        if name not in known:
            raise UnknownPlugin(self.noun, name, known)
        try:
            found = known[name].load()
        except (ImportError, AttributeError) as error:
            raise BrokenPlugin(self.noun, name, error) from error
        if not self.interface.providedBy(found):
            problem = f"{known[name].value} is no {self.interface.__name__}"
            raise BrokenPlugin(self.noun, name, problem)
        return found
