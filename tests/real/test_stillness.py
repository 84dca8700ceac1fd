"""Tests of stillness on file systems of their own: what the kernel does not tell."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Final

from tests.real.case import RealTestCase
from tests.real.commands import need, run
from tests.real.mounts import insist, mount
from txregistry.storage.disk import has_size
from txregistry.storage.stillness import StillLook, Stillness

_OFTEN: Final = 100
_SIZE: Final = 512 * 1024 * 1024  # bytes of a file system, few of which are used


class StillnessTests(RealTestCase):
    """A file somewhere, and a look at it."""

    def look(self, file: Path) -> StillLook:
        """Make a file, and look at it so often that it is watched, if it can be."""
        file.parent.mkdir(parents=True)
        file.write_bytes(b"content")
        stillness = Stillness(os.fsencode)
        self.addCleanup(stillness.close)
        holds = partial(has_size, os.fsencode(file), len(b"content"))
        look = stillness.look([str(file)], holds)
        for _ in range(_OFTEN):
            self.assertTrue(look.holds())
        return look

    def test_subvolume_deleted(self) -> None:
        """A subvolume of Btrfs is deleted with all that is in it."""
        need("btrfs", "mkfs.btrfs")
        image, folder = self.folder() / "image", self.folder()
        with image.open("wb") as file:
            file.truncate(_SIZE)
        run("mkfs.btrfs", "-q", image)
        mount("-o", "loop", image, folder)
        self.addCleanup(insist, "umount", folder)
        run("btrfs", "subvolume", "create", folder / "volume")
        look = self.look(folder / "volume" / "a" / "file")
        run("btrfs", "subvolume", "delete", folder / "volume")
        self.assertFalse(look.holds())

    def test_mount_renamed(self) -> None:
        """The folder that something is mounted on is renamed where nothing is."""
        need("unshare")
        folder = self.folder() / "here"
        folder.mkdir()
        mount("-t", "tmpfs", "none", folder)
        there = folder.with_name("there")
        self.addCleanup(insist, "umount", there)
        look = self.look(folder / "a" / "file")
        self.assertTrue(look.is_still)
        rename = f"umount '{folder}' && mv '{folder}' '{there}'"
        run("unshare", "--mount", "--propagation", "private", "sh", "-c", rename)
        self.assertFalse(look.holds())
