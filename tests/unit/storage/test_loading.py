"""Finding drivers by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from twisted.trial.unittest import SynchronousTestCase

from txregistry.plugins import BrokenPlugin, UnknownPlugin
from txregistry.storage import filesystem, memory
from txregistry.storage.loading import (
    GROUP,
    find_factory,
)


def point(name: str, value: str) -> EntryPoint:
    """Make an entry point of the drivers' group."""
    return EntryPoint(name, value, GROUP)


class FindFactoryTests(SynchronousTestCase):
    """From a name to a factory."""

    def test_built_in(self) -> None:
        """Our own drivers are found though nothing is installed."""
        self.assertIs(filesystem.factory, find_factory("filesystem", ()))
        self.assertIs(memory.factory, find_factory("inmemory", ()))

    def test_installed(self) -> None:
        """What is installed in this environment is looked through by default."""
        self.assertIs(memory.factory, find_factory("inmemory"))

    def test_alias(self) -> None:
        """A factory may have several names."""
        alias = point("ram", "txregistry.storage.memory:factory")
        self.assertIs(memory.factory, find_factory("ram", [alias]))

    def test_unknown(self) -> None:
        """An unknown name is answered with the names that there are."""
        points = [point("zfs", "nowhere:factory")]
        error = self.assertRaises(UnknownPlugin, find_factory, "s4", points)
        self.assertEqual("s4", error.name)
        self.assertEqual(["filesystem", "inmemory", "zfs"], error.known)
        self.assertEqual(
            "unknown storage driver 's4'; known are: filesystem, inmemory, zfs",
            str(error),
        )

    def test_not_importable(self) -> None:
        """A driver whose module is missing is broken, and the error says which."""
        points = [point("zfs", "txregistry_nowhere:factory")]
        error = self.assertRaises(BrokenPlugin, find_factory, "zfs", points)
        self.assertEqual("zfs", error.name)
        self.assertIn("txregistry_nowhere", str(error))

    def test_no_such_object(self) -> None:
        """A driver whose module lacks the factory is broken."""
        points = [point("zfs", "txregistry.storage.memory:nothing")]
        self.assertRaises(BrokenPlugin, find_factory, "zfs", points)

    def test_no_factory(self) -> None:
        """What provides no IStorageDriverFactory is no driver."""
        points = [point("zfs", "txregistry.storage.memory:NAME")]
        error = self.assertRaises(BrokenPlugin, find_factory, "zfs", points)
        self.assertIn("is no IStorageDriverFactory", str(error))
