"""Which directories are known to be durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storage.settling import MOST_REMEMBERED, Settled


class SyncedAtOnce(Settled):
    """Settles directories by a function."""

    def __init__(
        self, root: str, sync: Callable[[str], None], most: int = MOST_REMEMBERED
    ) -> None:
        """Take the root, and what makes the names in a folder durable."""
        super().__init__(root, most)
        self._sync = sync

    def settle(self, directories: Iterable[str]) -> None:
        """Make directories durable."""
        with self.settling(directories) as parents:
            for parent in parents:
                self._sync(parent)


class SettledTests(SynchronousTestCase):
    """Directories below ``/r``, with a sync that is only noted down."""

    def setUp(self) -> None:
        """Begin with nothing durable but the root."""
        self.synced: list[str] = []
        self.settled = SyncedAtOnce("/r", self.synced.append)

    def test_up_to_the_root(self) -> None:
        """A directory is durable when its name is, and those of all above it."""
        self.settled.settle(["/r/a/b"])
        self.assertEqual(["/r/a", "/r"], self.synced)

    def test_root(self) -> None:
        """The root needs nothing."""
        self.settled.settle(["/r"])
        self.assertEqual([], self.synced)

    def test_once(self) -> None:
        """What is durable is not synced again."""
        self.settled.settle(["/r/a/b"])
        self.synced.clear()
        self.settled.settle(["/r/a/b"])
        self.settled.settle(["/r/a"])
        self.assertEqual([], self.synced)

    def test_below_what_is_settled(self) -> None:
        """A new directory in a durable one needs its own name synced, no more."""
        self.settled.settle(["/r/a"])
        self.synced.clear()
        self.settled.settle(["/r/a/c"])
        self.assertEqual(["/r/a"], self.synced)

    def test_made_again(self) -> None:
        """A directory that is made again is not durable by what was before."""
        self.settled.settle(["/r/a"])
        self.settled.made("/r/a")
        self.synced.clear()
        self.settled.settle(["/r/a"])
        self.assertEqual(["/r"], self.synced)

    def test_made_while_synced(self) -> None:
        """A directory that is made again while it is synced is not durable by that."""

        def sync(directory: str) -> None:
            self.synced.append(directory)
            if len(self.synced) == 1:
                settled.made("/r/a")

        settled = SyncedAtOnce("/r", sync)
        settled.settle(["/r/a"])
        settled.settle(["/r/a"])
        settled.settle(["/r/a"])
        self.assertEqual(["/r", "/r"], self.synced)

    def test_several(self) -> None:
        """What several directories need is synced once."""
        self.settled.settle(["/r/a/b", "/r/a/c", "/r/a/b/d"])
        self.assertEqual(["/r/a", "/r", "/r/a/b"], self.synced)

    def test_below_what_is_made_again(self) -> None:
        """What was below a directory that is made again is not durable either."""
        self.settled.settle(["/r/a/b", "/r/ab"])
        self.settled.made("/r/a")
        self.synced.clear()
        self.settled.settle(["/r/a/b", "/r/ab"])
        self.assertEqual(["/r/a", "/r"], self.synced)

    def test_together(self) -> None:
        """Who is quicker with a directory does not keep it from being durable."""

        def sync(directory: str) -> None:
            self.synced.append(directory)
            if len(self.synced) == 1:
                settled.settle(["/r/a"])

        settled = SyncedAtOnce("/r", sync)
        settled.settle(["/r/a"])
        settled.settle(["/r/a"])
        self.assertEqual(["/r", "/r"], self.synced)

    def test_made_below_while_synced(self) -> None:
        """Nor is what is below a directory that is made again while both are synced."""

        def sync(directory: str) -> None:
            self.synced.append(directory)
            if len(self.synced) == 1:
                settled.made("/r/a")

        settled = SyncedAtOnce("/r", sync)
        settled.settle(["/r/a/b"])
        self.synced.clear()
        settled.settle(["/r/a/b"])
        self.assertEqual(["/r/a", "/r"], self.synced)

    def test_failure(self) -> None:
        """What could not be synced is not durable."""

        def sync(directory: str) -> None:
            self.synced.append(directory)
            if len(self.synced) == 1:
                raise OSError

        settled = SyncedAtOnce("/r", sync)
        self.assertRaises(OSError, settled.settle, ["/r/a"])
        settled.settle(["/r/a"])
        settled.settle(["/r/a"])
        self.assertEqual(["/r", "/r"], self.synced)

    def test_bounded(self) -> None:
        """It forgets rather than to grow, and what is forgotten is synced again."""
        settled = SyncedAtOnce("/r", self.synced.append, most=2)
        for name in ("a", "b", "c"):
            settled.settle([f"/r/{name}"])
        self.synced.clear()
        settled.settle(["/r/c"])
        self.assertEqual([], self.synced)
        settled.settle(["/r/a"])
        self.assertEqual(["/r"], self.synced)
