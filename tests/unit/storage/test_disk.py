"""Atomic and durable changes in a folder."""

from __future__ import annotations

import errno
import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage.disks import (
    FlickeringDisk,
    FullDisk,
    HastyDisk,
    MeddledDisk,
    SharedDisk,
    WatchedDisk,
    remove,
)
from tests.unit.storage.places import new_place
from txregistry.storage.disk import ATTEMPTS, Disk, write_all

GO_LEFTOVER = "link.0a1b2c3d-0000-4000-8000-0123456789ab.tmp"


class DiskCase(SynchronousTestCase):
    """A folder that is not there yet, in one that is."""

    def setUp(self) -> None:
        """Choose the folder."""
        self.root = os.path.join(new_place(self), "root")
        os.mkdir(os.path.dirname(self.root))

    def content(self, path: str) -> bytes:
        """Return what a file holds."""
        with open(self.root + path, "rb") as file:
            return file.read()

    def everything(self, path: str = "") -> list[str]:
        """Return the names in a folder, hidden ones too."""
        return sorted(os.listdir(self.root + path))


class DurabilityTests(DiskCase):
    """What is synced, and in which order."""

    def setUp(self) -> None:
        """Watch a disk."""
        super().setUp()
        self.disk = WatchedDisk(self.root)

    def put(self, path: str) -> list[str]:
        """Put a file; return what was done for it."""
        self.disk.steps.clear()
        self.disk.put(self.disk.place(path), b"content")
        return self.disk.steps

    def test_root(self) -> None:
        """The folder itself is made durable before anything is in it."""
        self.assertEqual("sync names above", self.put("/file")[0])

    def test_put(self) -> None:
        """Content is durable before its name is, and then every new folder's name."""
        self.put("/file")
        self.assertEqual(
            [
                "sync file /a/b/~",
                "rename /a/b/~ /a/b/file",
                "sync names /a/b",
                "sync names /a",
                "sync names /",
            ],
            self.put("/a/b/file"),
        )

    def test_put_again(self) -> None:
        """In a folder that is durable, only the name is to be synced."""
        self.put("/a/b/file")
        self.assertEqual(
            ["sync file /a/b/~", "rename /a/b/~ /a/b/file", "sync names /a/b"],
            self.put("/a/b/file"),
        )

    def test_folder_of_somebody_else(self) -> None:
        """A folder that was found and not made is made durable all the same."""
        os.makedirs(f"{self.root}/a/b")
        self.assertEqual(
            ["sync names /a/b", "sync names /a", "sync names /"],
            self.put("/a/b/file")[2:],
        )

    def test_folder_made_again(self) -> None:
        """A folder that was removed and made again is made durable again."""
        self.put("/a/b/file")
        self.disk.drop(f"{self.root}/a")
        self.assertEqual(
            ["sync names /a/b", "sync names /a", "sync names /"],
            self.put("/a/b/file")[2:],
        )

    def test_folder_settled_before_it_is_made(self) -> None:
        """A sync that was made before a folder says nothing of the folder's name."""
        self.disk = HastyDisk(self.root)
        steps = self.put("/a/file")
        written = steps.index("sync names /a")
        self.assertEqual(["sync names /"], steps[written + 1 :])

    def test_move(self) -> None:
        """A moved file is durable at its new place before it is gone from the old."""
        self.put("/a/file")
        self.disk.steps.clear()
        self.disk.move(f"{self.root}/a/file", f"{self.root}/b/c/file")
        self.assertEqual(
            [
                "rename /a/file /b/c/file",
                "sync names /b/c",
                "sync names /b",
                "sync names /",
                "sync names /a",
            ],
            self.disk.steps,
        )

    def test_move_within(self) -> None:
        """A file that is moved within its folder needs one sync."""
        self.put("/a/one")
        self.disk.steps.clear()
        self.disk.move(f"{self.root}/a/one", f"{self.root}/a/two")
        self.assertEqual(["rename /a/one /a/two", "sync names /a"], self.disk.steps)

    def test_sync_of_gone_folder(self) -> None:
        """A folder that is gone needs no sync."""
        self.disk.sync_directory(f"{self.root}/none")

    def test_no_sync_of_folders(self) -> None:
        """A file system that cannot sync folders is put up with."""
        # Linux answers EINVAL for /proc, as some file systems in user space do.
        self.disk.sync_directory("/proc")


class AtomicTests(DiskCase):
    """What is left when something fails or somebody else interferes."""

    def test_failed_put(self) -> None:
        """A put that fails leaves what was there, and no temporary file."""
        Disk(self.root).put(f"{self.root}/file", b"old")
        error = self.assertRaises(
            OSError, FullDisk(self.root).put, f"{self.root}/file", b"new"
        )
        self.assertEqual(errno.ENOSPC, error.errno)
        self.assertEqual(b"old", self.content("/file"))
        self.assertEqual(["file"], self.everything())

    def test_put_while_removed(self) -> None:
        """A folder that somebody removes under a put is made again."""
        disk = SharedDisk(self.root, remove(f"{self.root}/a"), times=3)
        disk.put(f"{self.root}/a/b/file", b"content")
        self.assertEqual(b"content", self.content("/a/b/file"))
        self.assertEqual(["file"], self.everything("/a/b"))

    def test_put_while_always_removed(self) -> None:
        """A put against somebody who removes and removes gives up."""
        disk = SharedDisk(self.root, remove(f"{self.root}/a"), times=99)
        self.assertRaises(
            FileNotFoundError, disk.put, f"{self.root}/a/file", b"content"
        )
        self.assertEqual(99 - ATTEMPTS, disk.times)

    def test_folder_made_and_removed(self) -> None:
        """A folder that others make and remove meanwhile is made all the same."""
        disk = FlickeringDisk(self.root, times=3)
        disk.put(f"{self.root}/a/file", b"content")
        self.assertEqual(b"content", self.content("/a/file"))

    def test_move_while_removed(self) -> None:
        """A destination that somebody removes under a move is made again."""
        disk = SharedDisk(self.root, remove(f"{self.root}/b"), times=3)
        os.mkdir(self.root)
        self.put_plainly("/file")
        disk.move(f"{self.root}/file", f"{self.root}/b/c/file")
        self.assertEqual(b"plain", self.content("/b/c/file"))

    def test_remove_while_written(self) -> None:
        """A tree into which somebody puts files is moved aside, where nobody does."""
        os.makedirs(f"{self.root}/a/b")
        disk = MeddledDisk(self.root, lambda: self.put_plainly("/a/file"))
        disk.drop(f"{self.root}/a")
        self.assertEqual([], self.everything())

    def test_remove_while_removed(self) -> None:
        """A tree of which somebody else removes parts is removed."""
        os.makedirs(f"{self.root}/a/b")
        for path in ("/a/b/one", "/a/c", "/a/d"):
            self.put_plainly(path)
        disk = MeddledDisk(self.root, remove(f"{self.root}/a"))
        disk.drop(f"{self.root}/a")
        self.assertEqual([], self.everything())

    def test_remove_fails(self) -> None:
        """A removal that fails for another reason leaves the tree where it is."""
        os.makedirs(f"{self.root}/a/b")

        def fail() -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        disk = MeddledDisk(self.root, fail)
        self.assertRaises(PermissionError, disk.drop, f"{self.root}/a")
        self.assertEqual(["b"], self.everything("/a"))

    def test_remove_link_to_folder(self) -> None:
        """Of a symbolic link, the link is removed and not what it leads to."""
        os.makedirs(f"{self.root}/a")
        self.put_plainly("/a/file")
        os.symlink(f"{self.root}/a", f"{self.root}/link")
        Disk(self.root).drop(f"{self.root}/link")
        self.assertEqual(["a"], self.everything())
        self.assertEqual(["file"], self.everything("/a"))

    def test_folder_is_file(self) -> None:
        """A folder cannot be made where a file is."""
        os.mkdir(self.root)
        self.put_plainly("/file")
        disk = Disk(self.root)
        self.assertRaises(
            NotADirectoryError, disk.put, f"{self.root}/file/a/b", b"content"
        )

    def put_plainly(self, path: str) -> None:
        """Write a file as another process might."""
        with open(self.root + path, "wb") as file:
            file.write(b"plain")


class NamesTests(DiskCase):
    """What a list shows, and what it hides."""

    def names(self, *found: str) -> list[str]:
        """List a folder in which these files are."""
        os.mkdir(self.root)
        for name in found:
            with open(f"{self.root}/{name}", "wb"):
                pass
        return Disk(self.root).names(self.root, "", None)

    def test_own_temporary_files(self) -> None:
        """A temporary file is not shown."""
        own = Disk(self.root).temporary(f"{self.root}/link")
        self.assertEqual(["link"], self.names("link", os.path.basename(own)))

    def test_temporary_files_of_go(self) -> None:
        """What the Go registry leaves when it is killed is not shown."""
        self.assertEqual(["link"], self.names("link", GO_LEFTOVER))

    def test_folder_like_a_temporary_file(self) -> None:
        """A tag may be called like a temporary file of the Go registry: it is shown."""
        os.makedirs(f"{self.root}/{GO_LEFTOVER}")
        self.assertEqual([GO_LEFTOVER], Disk(self.root).names(self.root, "", None))

    def test_like_a_temporary_file(self) -> None:
        """Other names that end alike are shown."""
        found = ["a.tmp", "link.0a1b2c3d.tmp"]
        self.assertEqual(found, self.names(*found))

    def test_no_segments(self) -> None:
        """Names that no path has are not shown."""
        self.assertEqual(["a"], self.names("a", "lost+found", "b c", "ä", "\udcff"))


class ModeTests(DiskCase):
    """What others may do with files and folders."""

    def test_modes(self) -> None:
        """Files and folders get all that the umask leaves, as the Go registry's do."""
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        Disk(self.root).put(f"{self.root}/a/file", b"")
        self.assertEqual(0o750, stat.S_IMODE(os.stat(f"{self.root}/a").st_mode))
        self.assertEqual(0o640, stat.S_IMODE(os.stat(f"{self.root}/a/file").st_mode))


class WriteAllTests(SynchronousTestCase):
    """Writing bytes, all of them."""

    def test_short_writes(self) -> None:
        """What the operating system does not take at once is offered again."""
        # A pipe takes a part of this, and refuses the rest when it is offered.
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.set_blocking(writing, False)
        self.addCleanup(os.close, writing)
        self.assertRaises(BlockingIOError, write_all, writing, b"x" * 10_000_000)
        self.assertLess(0, len(os.read(reading, 10_000_000)))

    def test_nothing(self) -> None:
        """Nothing is written easily."""
        descriptor = os.open(os.devnull, os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        write_all(descriptor, b"")
