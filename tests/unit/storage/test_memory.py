"""The memory driver."""

from __future__ import annotations

from txregistry.interfaces import IStorageDriver
from txregistry.storage.memory import MemoryDriver
from txregistry.testing import drivers


class ContractTests(drivers.DriverContract):
    """The memory driver keeps what IStorageDriver promises."""

    def make_driver(self) -> IStorageDriver:
        """Make an empty one."""
        return MemoryDriver(self.clock())
