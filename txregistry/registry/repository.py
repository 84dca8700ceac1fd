"""Repository: the nouns bound to one name; and the registry that hands them out."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, field, frozen
from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces import IStorageDriver, Tell, tell_nobody
from txregistry.oci.names import Name
from txregistry.oci.uuids import RandomUUIDs
from txregistry.registry.blobs import Blobs
from txregistry.registry.catalog import Catalog
from txregistry.registry.layout import RepositoryLayout
from txregistry.registry.locks import Locks
from txregistry.registry.manifests import Manifests
from txregistry.registry.referrers import Referrers
from txregistry.registry.rules import ManifestRules
from txregistry.registry.sessions import Sessions
from txregistry.registry.tags import Tags
from txregistry.registry.uploads import Uploads
from txregistry.threads import InThread
from txregistry.turns import Turns


class Repository:
    """One named scope of the registry.

    A request needs one or two of its nouns, so each is made when it is asked for. They
    keep nothing: it does not matter that it is another one each time.

    Attributes:
        name: Its name.
    """

    def __init__(self, name: Name, tools: _Tools, tell: Tell) -> None:
        """Take the name, what its nouns work with, and what hears of changes."""
        self.name = name
        self._layout = RepositoryLayout(name)
        self._tools = tools
        self._tell = tell

    @property
    def blobs(self) -> Blobs:
        """Its blobs."""
        return Blobs(self._tools.driver, self._layout, self._tell)

    @property
    def manifests(self) -> Manifests:
        """Its manifests."""
        tools = self._tools
        return Manifests(
            tools.driver,
            self._layout,
            self.blobs,
            self.tags,
            self.referrers,
            tools.rules,
            tools.locks,
            tools.in_thread,
            self._tell,
        )

    @property
    def tags(self) -> Tags:
        """Its tags."""
        tools = self._tools
        return Tags(tools.driver, self._layout, tools.locks, tools.clock, self._tell)

    @property
    def uploads(self) -> Uploads:
        """Its upload sessions."""
        tools = self._tools
        return Uploads(
            tools.driver,
            self._layout,
            self.blobs,
            tools.clock,
            self._tell,
            tools.sessions,
            tools.new_id,
        )

    @property
    def referrers(self) -> Referrers:
        """What points at its manifests."""
        tools = self._tools
        return Referrers(
            tools.driver, self._layout, self.tags, tools.clock, tools.in_thread
        )


@frozen
class _Tools:
    """What the nouns of all repositories work with; see Registry.

    Attributes:
        driver: The store.
        clock: Where time is from.
        rules: The rules for manifests.
        in_thread: Threads.
        sessions: Takes down upload sessions.
        locks: What must not happen to one repository at the same time.
        new_id: Makes the ids of upload sessions.
    """

    driver: IStorageDriver
    clock: IReactorTime
    rules: ManifestRules
    in_thread: InThread
    sessions: Sessions
    locks: Locks = field(factory=Locks)
    new_id: Callable[[], object] = field(factory=RandomUUIDs)


class Registry:
    """All repositories on one store.

    Attributes:
        catalog: Their names.
    """

    def __init__(
        self,
        driver: IStorageDriver,
        clock: IReactorTime,
        rules: ManifestRules,
        in_thread: InThread,
        sessions: Sessions | None = None,
    ) -> None:
        """Prepare.

        Args:
            driver: The store.
            clock: Where time is from.
            rules: The rules for manifests.
            in_thread: Threads.
            sessions: Takes down upload sessions; None: nobody wants to know of them.
        """
        rules = evolve(rules, clock=clock)
        self._tools = _Tools(driver, clock, rules, in_thread, sessions or Sessions())
        self.catalog = Catalog(driver)

    def turns(self) -> Turns:
        """Begin the turns of work on many repositories."""
        return Turns(self._tools.clock)

    def repository(self, name: Name, tell: Tell = tell_nobody) -> Repository:
        """Return the repository of a name, whether it exists or not.

        Args:
            name: The name.
            tell: What is to hear of all that is done to it by way of the result.
        """
        return Repository(name, self._tools, tell)
