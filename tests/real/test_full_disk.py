"""Tests of a disk that is full: a file system of 1 MiB, made for the test."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from unittest import SkipTest

from twisted.internet.defer import execute
from twisted.internet.task import Clock

from tests.real.case import RealTestCase
from tests.real.commands import CommandFailed, need, run
from txregistry.interfaces import IFileWriter, StorageFull
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.testing.streams import Pattern

ROOM = 1024 * 1024  # bytes
PIECE = 64 * 1024  # bytes


class FullDiskTests(RealTestCase):
    """The filesystem driver where there is no room for more."""

    def setUp(self) -> None:
        """Mount the file system, and put a driver on it."""
        need("mount", "umount")
        self.root = self.mount() / "registry"
        self.driver = FilesystemDriver(Disk(str(self.root)), Clock(), execute)
        self.successResultOf(self.driver.put_content("/d/old", b"old"))

    def mount(self) -> Path:
        """Mount a file system of 1 MiB for as long as the test."""
        folder = self.folder()
        size = f"size={ROOM}"
        try:
            run("mount", "-t", "tmpfs", "-o", size, "txregistry-test", folder)
        except CommandFailed as error:
            if os.environ.get("CI") == "true":
                raise
            raise SkipTest("may not mount") from error
        self.addCleanup(run, "umount", folder)
        return folder

    def fill(self, writer: IFileWriter) -> None:
        """Write until there is no more room."""
        for _ in range(2 * ROOM // PIECE):
            writer.write(b"x" * PIECE)

    def require_room(self) -> None:
        """Require that there is room again, and that only what should be there is."""
        content = Pattern(ROOM // 2).content()
        self.successResultOf(self.driver.put_content("/d/new", content))
        found = self.driver.get_content("/d/new")
        self.assertEqual(content, self.successResultOf(found))
        self.assertEqual(["new", "old"], sorted(os.listdir(self.root / "d")))

    def test_put(self) -> None:
        """A put without room changes nothing and leaves nothing behind."""
        running = self.driver.put_content("/d/old", b"x" * (ROOM + 1))
        self.failureResultOf(running, StorageFull)
        found = self.driver.get_content("/d/old")
        self.assertEqual(b"old", self.successResultOf(found))
        self.require_room()

    def test_cancel(self) -> None:
        """A writer that finds no room is cancelled, and the room is there again."""
        writer = self.successResultOf(self.driver.open_writer("/d/file"))
        self.assertRaises(StorageFull, self.fill, writer)
        self.successResultOf(writer.cancel())
        self.require_room()

    def test_cancel_replacing(self) -> None:
        """A writer without room leaves the file that it was to replace."""
        writer = self.successResultOf(self.driver.open_writer("/d/old"))
        self.assertRaises(StorageFull, self.fill, writer)
        self.successResultOf(writer.cancel())
        found = self.driver.get_content("/d/old")
        self.assertEqual(b"old", self.successResultOf(found))
        self.require_room()

    def test_go_on(self) -> None:
        """A writer that found no room goes on, when there is some, where it stopped."""
        ballast = self.root / "ballast"
        ballast.write_bytes(b"x" * (ROOM // 2))
        pattern = Pattern(ROOM // 4 * 3)
        writer = self.successResultOf(self.driver.open_writer("/d/file"))
        self.assertRaises(StorageFull, writer.write, pattern.content())
        self.successResultOf(writer.close())
        size = self.successResultOf(self.driver.stat("/d/file")).size
        self.assertEqual(writer.size, size)
        self.assertGreater(pattern.length, size)
        ballast.unlink()
        writer = self.successResultOf(self.driver.open_writer("/d/file", append=True))
        writer.write(pattern.content(size))
        self.successResultOf(writer.commit())
        found = self.driver.get_content("/d/file")
        self.assertEqual(pattern.content(), self.successResultOf(found))

    def test_full_of_files(self) -> None:
        """A file system that takes no more files has no room, and can be cleaned up."""
        self.root.joinpath("ballast").write_bytes(b"x" * (ROOM // 2))
        self.fill_with_files()
        self.failureResultOf(self.driver.put_content("/d/e/more", b"x"), StorageFull)
        self.successResultOf(self.driver.delete("/d/e"))
        self.successResultOf(self.driver.delete("/ballast"))
        self.require_room()

    def fill_with_files(self) -> None:
        """Put small files until there is no more room."""
        disk = Disk(str(self.root))
        with contextlib.suppress(OSError):
            for number in range(ROOM // 4096):
                disk.put(disk.place(f"/d/e/{number}"), b"x")
