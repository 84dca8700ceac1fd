"""What the journal makes again."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from tests.unit.storage.test_disk import DiskCase
from txregistry.storage.disk import Disk
from txregistry.storage.records import Entry, Gone, Moved, Written
from txregistry.storage.redoing import Outcome


class OutcomeTests(DiskCase):
    """Rows of changes on a disk that may show some of them already."""

    def setUp(self) -> None:
        """Have a disk."""
        super().setUp()
        self.disk = Disk(self.root)

    def redo(self, *entries: Entry, anew: bool = False) -> int:
        """Make changes again; return how many things had to be changed."""
        return Outcome(entries).bring_about(self.disk, anew)

    def put(self, path: str, content: bytes = b"") -> int:
        """Put a file; return its inode number."""
        self.disk.write(self.disk.place(path), content)
        return os.stat(self.disk.place(path)).st_ino

    def files(self) -> list[str]:
        """Return the paths of all files."""
        found = []
        for folder, _, names in os.walk(self.root):
            found += [f"{folder}/{name}".removeprefix(self.root) for name in names]
        return sorted(found)

    def test_written(self) -> None:
        """The last content of each file is there then, whatever was."""
        self.put("/torn", b"")
        self.put("/same", b"same")
        entries = [
            Written("/torn", b"first"),
            Written("/lost/deep", b"x"),
            Written("/same", b"same"),
            Written("/torn", b"last"),
        ]
        self.assertEqual(2, self.redo(*entries))
        self.assertEqual(b"last", self.content("/torn"))
        self.assertEqual(b"x", self.content("/lost/deep"))
        self.assertEqual(0, self.redo(*entries))
        self.assertEqual(3, self.redo(*entries, anew=True))

    def test_gone(self) -> None:
        """What was removed is away, and nothing else."""
        for path in ("/d/a", "/d/e/b", "/f", "/dd/c"):
            self.put(path)
        self.assertEqual(2, self.redo(Gone("/d"), Gone("/f"), Gone("/none")))
        self.assertEqual(["/dd/c"], self.files())

    def test_gone_and_written(self) -> None:
        """What was put after a removal stays, and what was there before goes."""
        for path in ("/d/a", "/d/e/b", "/d/e/c"):
            self.put(path)
        entries: Sequence[Entry] = [
            Written("/d/a", b"old"),
            Gone("/d"),
            Written("/d/e/c", b"new"),
        ]
        self.redo(*entries)
        self.assertEqual(["/d/e/c"], self.files())
        self.assertEqual(b"new", self.content("/d/e/c"))

    def test_written_and_gone(self) -> None:
        """What was removed after it was put does not come back."""
        self.redo(Written("/d/a", b""), Written("/d/b", b""), Gone("/d/a"))
        self.assertEqual(["/d/b"], self.files())
        self.redo(Written("/d/a", b""), Gone("/d"), Written("/d", b"a file"))
        self.assertEqual(["/d"], self.files())

    def test_moved(self) -> None:
        """A file that is not where it was moved to goes there."""
        inode = self.put("/uploads/data", b"content")
        self.assertEqual(1, self.redo(Moved("/blobs/data", "/uploads/data", inode)))
        self.assertEqual(b"content", self.content("/blobs/data"))
        self.assertEqual(0, self.redo(Moved("/blobs/data", "/uploads/data", inode)))

    def test_moved_out(self) -> None:
        """It goes there before what it was in is removed."""
        inode = self.put("/uploads/data", b"content")
        self.put("/blobs/data/in/the/way")
        entries: list[Entry] = [
            Gone("/blobs"),
            Moved("/blobs/data", "/uploads/data", inode),
            Moved("/other", "/uploads/none", inode + 1),
        ]
        self.redo(*entries)
        self.assertEqual(b"content", self.content("/blobs/data"))
        moved = Moved("/a", "/blobs/data", inode)
        self.redo(moved, Gone("/blobs"))
        self.assertEqual(["/a"], self.files())

    def test_moved_over(self) -> None:
        """It is what is there then, and not what somebody had put there before."""
        inode = self.put("/uploads/data", b"content")
        self.put("/blobs/data")
        moved = Moved("/blobs/data", "/uploads/data", inode)
        self.redo(Written("/blobs/data", b"other"), moved)
        self.assertEqual(b"content", self.content("/blobs/data"))

    def test_moved_and_begun_anew(self) -> None:
        """A file that is where it had been is another one, and stays."""
        inode = self.put("/uploads/data", b"content")
        os.link(self.disk.place("/uploads/data"), self.disk.place("/aside"))
        self.put("/uploads/data", b"half")
        self.put("/blobs/data", b"content")
        self.redo(Moved("/blobs/data", "/uploads/data", inode))
        self.assertEqual(b"content", self.content("/blobs/data"))
        self.assertEqual(b"half", self.content("/uploads/data"))

    def test_moved_and_gone(self) -> None:
        """What was moved and then removed, or written over, stays so."""
        inode = self.put("/a")
        self.redo(Written("/a", b""), Moved("/b", "/a", inode), Gone("/b"))
        self.assertEqual(["/a"], self.files())  # never wanted there; a leftover
        self.redo(Moved("/b", "/a", inode), Written("/b", b"new"))
        self.assertEqual(b"new", self.content("/b"))

    def test_removed_before_moved(self) -> None:
        """What came after a removal is not removed, also if it is there already."""
        inode = self.put("/blobs/data", b"content")
        self.redo(Gone("/blobs"), Moved("/blobs/data", "/uploads/data", inode))
        self.assertEqual(b"content", self.content("/blobs/data"))

    def test_no_place(self) -> None:
        """What could not be made then is not made now, and the rest is."""
        self.put("/file")
        entries: list[Entry] = [
            Written("/file/below", b""),
            Written("/" + 300 * "a", b""),
            Moved("/file/below/2", "/file", os.stat(f"{self.root}/file").st_ino),
            Written("/good", b""),
        ]
        self.redo(*entries)
        self.assertEqual(["/file", "/good"], self.files())

    def test_full(self) -> None:
        """A disk that is full is no reason to go on without it."""

        class FullDisk(Disk):
            def write(self, place: str, content: bytes) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

        self.disk = FullDisk(self.root)
        error = self.assertRaises(OSError, self.redo, Written("/a", b""))
        self.assertEqual(errno.ENOSPC, error.errno)
