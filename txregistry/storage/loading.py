"""Loading: from a driver's name in the configuration to its factory.

A distribution names a driver as an entry point of the group ``txregistry.storage``; one
factory may have several names.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint
from typing import Final

from txregistry.interfaces import IStorageDriverFactory
from txregistry.plugins import PluginKind

GROUP: Final = "txregistry.storage"

_DRIVERS: Final = PluginKind(
    "storage driver",
    GROUP,
    IStorageDriverFactory,
    (
        EntryPoint("filesystem", "txregistry.storage.filesystem:factory", GROUP),
        EntryPoint("inmemory", "txregistry.storage.memory:factory", GROUP),
    ),
)


def find_factory(
    name: str, installed: Iterable[EntryPoint] | None = None
) -> IStorageDriverFactory:
    """Find the factory of a driver.

    Args:
        name: The driver's name, as in the configuration.
        installed: Entry points to look through; None: those of what is installed.

    Raises:
        UnknownPlugin: There is no such driver.
        BrokenPlugin: It cannot be imported, or is no factory.
    """
    factory: IStorageDriverFactory = _DRIVERS.load(name, installed)
    return factory
