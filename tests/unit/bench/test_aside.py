"""What is no longer served while something is still to be measured."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.aside import LARGE, Aside
from bench.servers import Fleet, Kind
from bench.trees import IMAGES, TAGS, Tree
from txregistry.oci.digest import Digest
from txregistry.oci.names import Name
from txregistry.registry.layout import RepositoryLayout, blob_data


class AsideCase(SynchronousTestCase):
    """A folder on a disk, and one for what is moved away."""

    def setUp(self) -> None:
        """Take folders."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.place = self.folder / "aside"
        self.aside = Aside(self.place)

    def inodes(self) -> set[int]:
        """Return all that there are."""
        return {each.stat().st_ino for each in self.folder.rglob("*")}


class AsideTests(AsideCase):
    """Files and folders that are moved away."""

    def test_file(self) -> None:
        """A file is no longer where it was, but nothing of it is removed."""
        path = self.write("file", b"content")
        before = self.inodes()
        self.aside.take(path)
        self.assertFalse(path.exists())
        self.assertLessEqual(before, self.inodes())
        self.assertEqual([b"content"], self.contents())

    def test_folder(self) -> None:
        """A folder goes with all that is in it."""
        self.write("some/where/file", b"content")
        before = self.inodes()
        self.aside.take(self.folder / "some")
        self.assertEqual([self.place], list(self.folder.iterdir()))
        self.assertLessEqual(before, self.inodes())
        self.assertEqual([b"content"], self.contents())

    def test_large(self) -> None:
        """A large file gives its space back at once, however deep it lies."""
        self.write("some/where/large", bytes(LARGE))
        self.write("some/where/small", b"s")
        before = self.inodes()
        self.aside.take(self.folder / "some")
        self.assertLessEqual(before, self.inodes())
        self.assertEqual([b"", b"s"], self.contents())

    def test_large_alone(self) -> None:
        """So does one that is taken by itself."""
        self.aside.take(self.write("large", bytes(LARGE)))
        self.assertEqual([b""], self.contents())

    def test_same_name(self) -> None:
        """Many of the same name have room beside one another."""
        for number in range(1_001):
            self.aside.take(self.write("file", b"%d" % number))
        self.assertEqual(1_001, len(set(self.contents())))

    def test_nothing(self) -> None:
        """What is not there is no error."""
        self.aside.take(self.folder / "nothing")
        self.assertFalse(self.place.exists())

    def write(self, name: str, content: bytes) -> Path:
        """Write a file and return where it is."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def contents(self) -> list[bytes]:
        """Return what is in the files that were moved away."""
        files = (each for each in self.place.rglob("*") if each.is_file())
        return sorted(each.read_bytes() for each in files)


class TreeTests(AsideCase):
    """Trees of which something is removed."""

    def test_remove(self) -> None:
        """A repository and its blobs are gone from the tree, and no inode is free."""
        tree = Tree(self.folder / "tree", self.aside)
        digests, blobs = tree.images()
        before = self.inodes()
        tree.remove(IMAGES)
        self.assertFalse(tree.blob_path(digests[0]).exists())
        self.assertFalse(tree.blob_path(blobs[0]).exists())
        self.assertEqual([], [path for path in tree.root.rglob("*") if path.is_file()])
        self.assertLessEqual(before, self.inodes())

    def test_others_stay(self) -> None:
        """What other repositories have stays."""
        tree = Tree(self.folder / "tree", self.aside)
        digests, _ = tree.images()
        content = Digest.of(b"content")
        path = tree.blob_path(str(content))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"content")
        link = RepositoryLayout(Name.parse("some/other")).layer_link(content)
        place = Path(os.path.join(tree.root, link.lstrip("/")))
        place.parent.mkdir(parents=True)
        place.write_text(str(content))
        tree.remove("some/other")
        self.assertFalse(path.exists())
        self.assertEqual(len(TAGS), len(digests))
        self.assertTrue(all(tree.blob_path(digest).exists() for digest in digests))

    def test_link_not_written(self) -> None:
        """A link without content names no blob, and its repository goes anyway."""
        tree = Tree(self.folder / "tree", self.aside)
        link = RepositoryLayout(Name.parse("some/name")).layer_link(Digest.of(b""))
        place = tree.root / link.lstrip("/")
        place.parent.mkdir(parents=True)
        place.touch()
        tree.remove("some/name")
        self.assertFalse(place.exists())
        self.assertFalse((tree.root / blob_data(Digest.of(b"")).lstrip("/")).exists())

    def test_fleet(self) -> None:
        """All registries' trees have the same place for it."""
        fleet = Fleet(self.folder, self.folder, self.aside)
        for name in ("ours", "theirs"):
            tree = fleet.tree(Kind(name, []))
            tree.images()
            tree.remove(IMAGES)
            self.assertEqual([], list(tree.root.rglob("link")))
        self.assertNotEqual([], list(self.place.rglob("link")))
