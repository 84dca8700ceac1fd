"""Locks: what must not happen to one repository at the same time.

Between processes there is no lock: there, each step looks again before it destroys.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import define, field
from twisted.internet.defer import Deferred

from txregistry.oci.names import Name, Tag


@define(eq=False)
class _Claim:
    """What somebody wants for itself.

    Attributes:
        tags: Some tags, and that nobody has all; None: all of the repository.
        granted: Fires when it has got that.
    """

    tags: frozenset[Tag] | None
    granted: Deferred[None] = field(factory=Deferred)


@define(eq=False)
class _Lock:
    """Who holds something of one repository, and who waits, in their order.

    Attributes:
        holders: How many hold something.
        whole: Whether one of them holds all.
        tags: Those that are held.
        waiting: The claims that are not granted.
    """

    holders: int = 0
    whole: bool = False
    tags: set[Tag] = field(factory=set)
    waiting: deque[_Claim] = field(factory=deque)

    def claim(self, claim: _Claim) -> None:
        """Take in a claim, and grant it if nothing is in its way."""
        self.waiting.append(claim)
        self._grant()

    def drop(self, claim: _Claim) -> None:
        """Forget a claim that was granted, or has been waited for in vain."""
        if claim in self.waiting:
            self.waiting.remove(claim)
        else:
            self.holders -= 1
            self.whole = False
            self.tags -= claim.tags or frozenset()
        self._grant()

    def _grant(self) -> None:
        while self.waiting and self._is_free(self.waiting[0].tags):
            claim = self.waiting.popleft()
            self.holders += 1
            self.whole = claim.tags is None
            self.tags |= claim.tags or frozenset()
            claim.granted.callback(None)

    def _is_free(self, tags: frozenset[Tag] | None) -> bool:
        if tags is None:
            return not self.holders
        return not self.whole and self.tags.isdisjoint(tags)


@define(eq=False)
class _Held:
    """Holds something of one repository; see ``Locks.held``.

    Attributes:
        locks: Those that somebody wants.
        name: The repository.
        claim: What is to be held.
        lock: The repository's lock, once it is wanted.
    """

    locks: dict[Name, _Lock]
    name: Name
    claim: _Claim
    lock: _Lock = field(init=False)

    async def __aenter__(self) -> None:
        """Wait until nothing is in the way."""
        self.lock = self.locks.setdefault(self.name, _Lock())
        self.lock.claim(self.claim)
        try:
            await self.claim.granted
        except BaseException:
            self._drop()
            raise

    async def __aexit__(self, *_raised: object) -> None:
        """Let others have it."""
        self._drop()

    def _drop(self) -> None:
        lock = self.lock
        lock.drop(self.claim)
        # Those who got it now may be done with it, and the repository have another.
        if not lock.holders and not lock.waiting and self.locks.get(self.name) is lock:
            del self.locks[self.name]


class Locks:
    """A lock for each repository's tags and manifests, while somebody wants it.

    A deletion holds the whole repository. Those who push hold the tags that they make
    point to something, so that pushes of one tag come one after another, and the
    others' go on beside them. First come, first served.
    """

    def __init__(self) -> None:
        """Hold none."""
        self._locks: dict[Name, _Lock] = {}

    def held(self, name: Name, tags: Iterable[Tag] | None = None) -> _Held:
        """Return what holds a repository's lock: ``async with locks.held(name)``.

        Args:
            name: The repository.
            tags: Hold these tags only, together with others who hold other ones, or
                none; None: hold all, alone.
        """
        claim = _Claim(None if tags is None else frozenset(tags))
        return _Held(self._locks, name, claim)
