"""The case under tests of the registry's use cases, which need no wire."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces import Change, IStorageDriver
from txregistry.oci.names import Name
from txregistry.registry.changes import apply
from txregistry.registry.repository import Registry, Repository
from txregistry.registry.rules import ManifestRules
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.sources import RangeSource

_T = TypeVar("_T")
_E = TypeVar("_E", bound=BaseException)


class StoreCase(SynchronousTestCase):
    """A store in memory, and a repository ``a/b`` on it.

    Attributes:
        clock: The time that the registry knows.
        driver: The store.
        repository: The repository.
    """

    def setUp(self) -> None:
        """Make the store."""
        self.clock = Clock()
        self.use(MemoryDriver(self.clock))

    def use(self, driver: IStorageDriver, rules: ManifestRules | None = None) -> None:
        """Take another store, or rules."""
        self.driver = driver
        self.registry = Registry(driver, self.clock, rules or ManifestRules(), execute)
        self.repository = self.open("a/b")

    def open(self, name: str) -> Repository:
        """Return a repository."""
        return self.registry.repository(Name.parse(name))

    def run_now(self, work: Coroutine[Deferred[Any], Any, _T]) -> _T:
        """Do some work that has to wait for nothing; return what comes of it."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def refusal(
        self, error: type[_E], work: Coroutine[Deferred[Any], Any, object]
    ) -> _E:
        """Do some work that has to fail; return the error."""
        failure = self.failureResultOf(Deferred.fromCoroutine(work), error)
        value = failure.value
        assert isinstance(value, error)
        return value

    def source(self, content: bytes) -> RangeSource:
        """Return a source of some content."""

        def read(position: int, size: int) -> bytes:
            return content[position : position + size]

        return RangeSource(self.clock, 0, len(content), read, lambda: None)

    def put(self, path: str, content: bytes) -> None:
        """Put a small file into the store."""
        self.successResultOf(self.driver.put_content(path, content))

    def make(self, *changes: Change) -> None:
        """Make changes to the store."""
        self.run_now(apply(self.driver, changes))

    def paths(self, folder: str = "/") -> list[str]:
        """Return the paths of all files below a folder, sorted."""
        return self.run_now(_paths(self.driver, folder))


async def _paths(driver: IStorageDriver, folder: str) -> list[str]:
    found = []
    for name in await driver.list_children(folder):
        path = f"{folder.rstrip('/')}/{name}"
        if (await driver.stat(path)).is_directory:
            found += await _paths(driver, path)
        else:
            found.append(path)
    return found
