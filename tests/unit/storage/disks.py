"""Disks that are watched, full, or shared with somebody who deletes."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable

from txregistry.storage.disk import Disk


class WatchedDisk(Disk):
    """A disk that notes what it makes durable and what it renames, in order.

    Attributes:
        steps: What it did; places are written without the root, temporary ones as
            ``~``.
    """

    def __init__(self, root: str) -> None:
        """Take the folder."""
        super().__init__(root)
        self.steps: list[str] = []

    def sync_file(self, descriptor: int) -> None:
        """Note the file."""
        place = os.readlink(f"/proc/self/fd/{descriptor}")
        self.steps.append(f"sync file {self._shown(place)}")
        super().sync_file(descriptor)

    def sync_directory(self, directory: str) -> None:
        """Note the directory."""
        self.steps.append(f"sync names {self._shown(directory)}")
        super().sync_directory(directory)

    def rename(self, source: str, destination: str) -> None:
        """Note both places."""
        self.steps.append(f"rename {self._shown(source)} {self._shown(destination)}")
        super().rename(source, destination)

    def _shown(self, place: str) -> str:
        directory, _, name = place.rpartition("/")
        if name.startswith("~"):
            place = f"{directory}/~"
        if place == os.path.dirname(self.root):
            return "above"
        return place.removeprefix(self.root) or "/"


class SharedDisk(Disk):
    """A disk where somebody else does something just before a rename or a lock.

    Attributes:
        times: How many more times it is to happen.
    """

    def __init__(self, root: str, meanwhile: Callable[[], None], times: int) -> None:
        """Take the folder, what happens, and how many times."""
        super().__init__(root)
        self.times = times
        self._meanwhile = meanwhile

    def rename(self, source: str, destination: str) -> None:
        """Let it happen, then rename."""
        self._happen()
        super().rename(source, destination)

    def lock(self, descriptor: int) -> None:
        """Let it happen, then lock."""
        self._happen()
        super().lock(descriptor)

    def _happen(self) -> None:
        if self.times:
            self.times -= 1
            self._meanwhile()


class FlickeringDisk(Disk):
    """A disk where others make the same folders, and remove them again at once."""

    def __init__(self, root: str, times: int) -> None:
        """Take the folder and how often that happens."""
        super().__init__(root)
        self._times = times

    def mkdir(self, place: str) -> None:
        """Find the folder made, though it is gone again, or make it."""
        if self._times:
            self._times -= 1
            raise FileExistsError(errno.EEXIST, "File exists")
        super().mkdir(place)


class HastyDisk(WatchedDisk):
    """A disk where somebody settles a folder that is about to be made anew."""

    def mkdir(self, place: str) -> None:
        """Settle the folder, like one who worked in an earlier one; make it."""
        self.settle([place])
        super().mkdir(place)


class MeddledDisk(Disk):
    """A disk where somebody does something before the first part of a tree goes."""

    def __init__(self, root: str, meanwhile: Callable[[], None]) -> None:
        """Take the folder and what happens."""
        super().__init__(root)
        self._meanwhile: Callable[[], None] | None = meanwhile
        self._depth = 0

    def remove_tree(self, place: str) -> None:
        """Let it happen when the tree's parts are known, then go on."""
        meanwhile = self._meanwhile
        if self._depth and meanwhile is not None:
            self._meanwhile = None
            meanwhile()
        self._depth += 1
        super().remove_tree(place)


class FullDisk(Disk):
    """A disk that finds out that it is full when it is to make a file durable."""

    def sync_file(self, descriptor: int) -> None:
        """Fail."""
        raise OSError(errno.ENOSPC, "No space left on device")


class LocklessDisk(Disk):
    """A disk whose file system has no locks."""

    def lock(self, descriptor: int) -> None:
        """Fail."""
        raise OSError(errno.ENOLCK, "No locks available")


class BrokenLockDisk(Disk):
    """A disk that cannot lock, after it could for a number of times."""

    def __init__(self, root: str, works: int = 0) -> None:
        """Take the folder, and how many times it works."""
        super().__init__(root)
        self._works = works

    def lock(self, descriptor: int) -> None:
        """Lock, or fail."""
        if not self._works:
            raise OSError(errno.EIO, "Input/output error")
        self._works -= 1
        super().lock(descriptor)


def remove(place: str) -> Callable[[], None]:
    """Return what removes a tree as another process would."""
    return lambda: shutil.rmtree(place)


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
