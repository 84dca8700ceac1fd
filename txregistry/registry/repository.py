"""Repository: the nouns bound to one name; and the registry that hands them out."""

from __future__ import annotations

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces import IStorageDriver, Tell, tell_nobody
from txregistry.oci.names import Name
from txregistry.registry.blobs import Blobs
from txregistry.registry.catalog import Catalog
from txregistry.registry.layout import RepositoryLayout
from txregistry.registry.locks import Locks
from txregistry.registry.manifests import Manifests
from txregistry.registry.referrers import Referrers
from txregistry.registry.rules import ManifestRules
from txregistry.registry.tags import Tags
from txregistry.registry.uploads import Uploads
from txregistry.threads import InThread
from txregistry.turns import Turns


@frozen
class Repository:
    """One named scope of the registry.

    Attributes:
        name: Its name.
        blobs: Its blobs.
        manifests: Its manifests.
        tags: Its tags.
        uploads: Its upload sessions.
        referrers: What points at its manifests.
    """

    name: Name
    blobs: Blobs
    manifests: Manifests
    tags: Tags
    uploads: Uploads
    referrers: Referrers


class Registry:
    """All repositories on one store."""

    def __init__(
        self,
        driver: IStorageDriver,
        clock: IReactorTime,
        rules: ManifestRules,
        in_thread: InThread,
    ) -> None:
        """Take the store, where time is from, the rules for manifests, and threads."""
        self._driver = driver
        self._clock = clock
        self._rules = evolve(rules, clock=clock)
        self._in_thread = in_thread
        self._locks = Locks()
        self.catalog = Catalog(driver)

    def turns(self) -> Turns:
        """Begin the turns of work on many repositories."""
        return Turns(self._clock)

    def repository(self, name: Name, tell: Tell = tell_nobody) -> Repository:
        """Return the repository of a name, whether it exists or not.

        Args:
            name: The name.
            tell: What is to hear of all that is done to it by way of the result.
        """
        layout = RepositoryLayout(name)
        blobs = Blobs(self._driver, layout, tell)
        tags = Tags(self._driver, layout, self._locks, self._clock, tell)
        referrers = Referrers(self._driver, layout, tags, self._clock, self._in_thread)
        manifests = Manifests(
            self._driver,
            layout,
            blobs,
            tags,
            referrers,
            self._rules,
            self._locks,
            self._in_thread,
            tell,
        )
        uploads = Uploads(self._driver, layout, blobs, self._clock, tell)
        return Repository(name, blobs, manifests, tags, uploads, referrers)
