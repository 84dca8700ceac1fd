"""The filesystem driver."""

from __future__ import annotations

import os

from txregistry.interfaces import IStorageDriver
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.threads import in_threads_of
from txregistry.testing import drivers


class ContractTests(drivers.DriverContract):
    """The filesystem driver keeps what IStorageDriver promises."""

    def setUp(self) -> None:
        """Choose a folder."""
        self.root = os.path.abspath(self.mktemp())
        super().setUp()

    def make_driver(self) -> IStorageDriver:
        """Make one on a folder that is not there yet."""
        return FilesystemDriver(
            Disk(self.root), self.clock(), in_threads_of(self.clock())
        )

    def make_second_driver(self) -> IStorageDriver:
        """Make another one on the same folder."""
        return self.make_driver()

    async def clean(self) -> None:
        """Clean up, and see that no file of the store is left open."""
        self.assertEqual([], open_below(self.root))
        await super().clean()


def open_below(root: str) -> list[str]:
    """Return the files below a folder that this process has open."""
    places = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            place = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:
            continue
        if place.startswith(root):
            places.append(place)
    return places
