"""Whatever a crash of the machine takes, the journal makes what was confirmed again.

Processes change a store, in turn and with checkpoints at any time, and each has a clerk
that dies now and then; then a crash leaves
of what was not synced anything that a file system may leave: files that are as they
were before, empty, away, moved or not moved, removed or not.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage.clerks import InlineClerk
from tests.unit.storage.places import new_place
from txregistry.interfaces import PathNotFound, Publish, Put, Vanish
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.journal import INTERVAL, Journal
from txregistry.storage.journal_files import FOLDER, JournalFiles
from txregistry.storage.records import BLOCK

FILES = [f"/{folder}/{name}" for folder in "ab" for name in ("x", "y/z")]
FOLDERS = ["/a", "/b", "/a/y"]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("put", "put", "put", "delete", "vanish", "publish", "checkpoint"),
                *("clerk dies before", "clerk dies after"),
            ]
        ),
        st.integers(0, 1),
        st.sampled_from(FILES),
        st.sampled_from(FOLDERS),
    ),
    max_size=25,
)


class Store:
    """A folder that two processes change, and what is durable of it.

    Attributes:
        confirmed: What each file holds, as who made the changes was told.
    """

    def __init__(self, root: str, chance: random.Random) -> None:
        """Take the folder, and what decides what a crash leaves."""
        self.root = root
        self.confirmed: dict[str, bytes] = {}
        self._chance = chance
        self._durable: dict[str, bytes] = {}
        self._moved: dict[str, tuple[str, bytes]] = {}
        self._clerks: list[InlineClerk] = []
        self._clocks = [Clock(), Clock()]
        self._drivers = [self._driver(clock) for clock in self._clocks]
        self._number = 0

    def do(self, kind: str, process: int, path: str, folder: str) -> None:
        """Have one of the processes do something."""
        driver = self._drivers[process]
        self._number += 1
        content = str(self._number).encode()
        if kind == "put":
            self._end(driver.apply([Put(path, content)]))
            self.confirmed[path] = content
        elif kind == "publish":
            self._end(self._publish(driver, path, content))
            self.confirmed[path] = content
        elif kind.startswith("clerk"):
            self._clerks[process].dies = kind.rpartition(" ")[2]
        elif kind == "checkpoint":
            self._clocks[process].advance(INTERVAL)
        else:
            with contextlib.suppress(PathNotFound):
                if kind == "delete":
                    self._end(driver.delete(path))
                else:
                    self._end(driver.apply([Vanish(folder, "x")]))
            gone = path if kind == "delete" else folder
            self.confirmed = {
                each: content
                for each, content in self.confirmed.items()
                if each != gone and not each.startswith(f"{gone}/")
            }

    def crash(self) -> None:
        """Let the machine lose what it may lose."""
        for driver in self._drivers:
            assert driver._journal is not None
            driver._journal._files.close()
        for clerk in self._clerks:
            clerk.files.close()
        now = self._files()
        for path in {*now, *self._durable}:
            old, new = self._durable.get(path), now.get(path)
            place = self.root + path
            if old == new or self._chance.random() < 0.3:
                continue
            if path in self._moved and self._moved[path][1] == new:
                source = self.root + self._moved[path][0]
                os.makedirs(os.path.dirname(source), exist_ok=True)
                os.rename(place, source)
            left = self._chance.choice([old, b"" if new is not None else old])
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
            if left is not None:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with open(place, "wb") as file:
                    file.write(left)

    def recovered(self) -> dict[str, bytes]:
        """Start anew; return what the files hold then."""
        self._end(self._driver(Clock()).stop())
        return self._files()

    def _driver(self, clock: Clock) -> FilesystemDriver:
        disk = Disk(self.root)
        files, others = (
            JournalFiles(disk, 3 * BLOCK, lambda _: True, self._synced)
            for _ in range(2)
        )
        self._clerks.append(InlineClerk(Disk(self.root), others))
        clerk: Any = self._clerks[-1]
        journal = Journal(files, execute, clock, clerk=clerk)
        driver = FilesystemDriver(disk, clock, execute, journal=journal)
        self._end(driver.start())
        return driver

    async def _write(self, driver: FilesystemDriver, path: str, content: bytes) -> None:
        source = f"/uploads/{self._number}/data"
        writer = await driver.open_writer(source)
        writer.write(content)
        await driver.apply([Publish(writer, path)])
        self._moved[path] = source, content

    def _publish(
        self, driver: FilesystemDriver, path: str, content: bytes
    ) -> Deferred[None]:
        return Deferred.fromCoroutine(self._write(driver, path, content))

    def _synced(self, _descriptor: int) -> None:
        self._durable = self._files()
        self._moved.clear()

    def _files(self) -> dict[str, bytes]:
        found = {}
        for folder, folders, names in os.walk(self.root):
            if FOLDER in folders:
                folders.remove(FOLDER)
            for name in names:
                place = f"{folder}/{name}"
                with open(place, "rb") as file:
                    found[place.removeprefix(self.root)] = file.read()
        return {
            path: content
            for path, content in found.items()
            if not path.startswith("/uploads/") and "~" not in path
        }

    def _end(self, running: Deferred[Any]) -> None:
        outcomes: list[Any] = []
        running.addBoth(outcomes.append)
        (outcome,) = outcomes
        if isinstance(outcome, Failure):
            outcome.raiseException()


class CrashTests(SynchronousTestCase):
    """Rows of changes, and a crash."""

    @settings(max_examples=150, deadline=None)
    @given(STEPS, st.randoms(use_true_random=False), st.integers(1, 3))
    def test_all(
        self,
        steps: list[tuple[str, int, str, str]],
        chance: random.Random,
        crashes: int,
    ) -> None:
        """All that was confirmed is there then, and nothing else."""
        place = new_place(self)
        try:
            store = Store(place, chance)
            for step in steps:
                store.do(*step)
            for _ in range(crashes):
                store.crash()
            self.assertEqual(store.confirmed, store.recovered())
            self.assertEqual(store.confirmed, store.recovered())
        finally:
            shutil.rmtree(os.path.dirname(place))
