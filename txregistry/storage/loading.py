"""Loading: from a driver's name in the configuration to its factory.

A distribution names a driver as an entry point of the group ``txregistry.storage``; one
factory may have several names.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from txregistry.interfaces import IStorageDriverFactory

GROUP: Final = "txregistry.storage"

# These are found in a checkout that nobody has installed, too.
_BUILT_IN: Final = (
    EntryPoint("filesystem", "txregistry.storage.filesystem:factory", GROUP),
    EntryPoint("inmemory", "txregistry.storage.memory:factory", GROUP),
)


class UnknownDriver(Exception):
    """No driver has the name.

    Attributes:
        name: The name.
        known: The names that there are, sorted.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Name the driver and those that are known."""
        self.name = name
        self.known = sorted(known)
        super().__init__(
            f"unknown storage driver {name!r}; known are: {', '.join(self.known)}"
        )


class BrokenDriver(Exception):
    """A driver is there and cannot be loaded, most likely for want of a dependency.

    Attributes:
        name: The driver's name.
    """

    def __init__(self, name: str, problem: object) -> None:
        """Name the driver and the problem."""
        super().__init__(f"storage driver {name!r} cannot be loaded: {problem}")
        self.name = name


def find_factory(
    name: str, installed: Iterable[EntryPoint] | None = None
) -> IStorageDriverFactory:
    """Find the factory of a driver.

    Args:
        name: The driver's name, as in the configuration.
        installed: Entry points to look through; None: those of what is installed.

    Raises:
        UnknownDriver: There is no such driver.
        BrokenDriver: It cannot be imported, or is no factory.
    """
    known = _known(entry_points(group=GROUP) if installed is None else installed)
    if name not in known:
        raise UnknownDriver(name, known)
    try:
        found = known[name].load()
    except (ImportError, AttributeError) as error:
        raise BrokenDriver(name, error) from error
    if not IStorageDriverFactory.providedBy(found):
        raise BrokenDriver(name, f"{known[name].value} is no IStorageDriverFactory")
    factory: IStorageDriverFactory = found
    return factory


def _known(installed: Iterable[EntryPoint]) -> dict[str, EntryPoint]:
    return {point.name: point for point in (*_BUILT_IN, *installed)}
