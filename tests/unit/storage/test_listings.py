"""Tests of txregistry.storage.listings: what is kept of folders."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from time import time

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage.places import new_place
from txregistry.storage import listings
from txregistry.storage.disk import Disk
from txregistry.storage.listings import LONGEST, Listings

LONG_AGO = 1_000_000_000.0


class ListingsCase(SynchronousTestCase):
    """A folder, and what lists it."""

    most = 100

    def setUp(self) -> None:
        """Make the folder; nothing is in it."""
        self.root = Path(new_place(self))
        self.root.mkdir()
        self.now = time() + 100  # so that all that happens here was long ago
        self.listed: list[str] = []
        names = partial(Disk(str(self.root)).names, after="", limit=None)

        def note(place: str) -> list[str]:
            self.listed.append(os.path.relpath(place, self.root))
            return names(place)

        self.listings = Listings(note, lambda: self.now, self.most)

    def put(self, *paths: str) -> None:
        """Put files into the folder."""
        for path in paths:
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

    def holders(self, after: str = "", limit: int | None = None) -> list[str]:
        """Return what holds "a/link"."""
        return self.listings.holders(str(self.root), "a/link", after, limit)

    def at_hand(self, after: str = "", limit: int | None = None) -> list[str] | None:
        """Return the same, if it is at hand."""
        return self.listings.holders_at_hand(str(self.root), "a/link", after, limit)

    def search(self, after: str = "", limit: int | None = None) -> list[str]:
        """Return what holds "_m" at any depth."""
        return self.listings.search(str(self.root), "_m", after, limit)


class HoldersTests(ListingsCase):
    """What is directly in a folder."""

    def test_kept(self) -> None:
        """A folder that has not changed is not listed again."""
        self.put("1/a/link", "2/a/link", "3/b")
        self.assertIsNone(self.at_hand())
        for _ in range(3):
            self.assertEqual(["1", "2"], self.holders())
            self.assertEqual(["1", "2"], self.at_hand())
        self.assertEqual(["."], self.listed)

    def test_pages(self) -> None:
        """Pages are parts of what is kept."""
        self.put("1/a/link", "2/a/link", "3/a/link", "4/b")
        for list_them in (self.holders, self.at_hand):
            self.assertEqual(["2", "3"], list_them("1"))
            self.assertEqual(["2"], list_them("11", 1))
            self.assertEqual([], list_them("3", 1))
            self.assertEqual([], list_them("", 0))

    def test_changed(self) -> None:
        """One that has changed is listed again."""
        self.put("1/a/link", "2/a/link")
        self.holders()
        (self.root / "2").rename(self.root / "3")
        self.put("4/a/link")
        self.assertIsNone(self.at_hand())
        self.assertEqual(["1", "3", "4"], self.holders())

    def test_came(self) -> None:
        """What comes to hold something is found, though the folder does not change."""
        self.put("1/a/link", "2/a/other", "3/b", "4/a/link")
        self.assertEqual(["1", "4"], self.holders())
        before = self.at_hand()
        self.put("2/a/link")
        self.assertEqual(["1", "2", "4"], self.at_hand())
        self.put("3/a/link")
        self.assertEqual(["1", "2", "3", "4"], self.holders())
        self.assertEqual((["1", "4"], ["."]), (before, self.listed))

    def test_just_now(self) -> None:
        """A folder that has changed just now is listed each time: it may look alike."""
        self.put("1/a/link")
        status = self.root.stat()
        for at in (status.st_mtime + 1.9, status.st_mtime - 10):
            self.now = at
            self.holders()
            self.assertIsNone(self.at_hand())
        self.assertEqual([".", "."], self.listed)

    def test_replaced(self) -> None:
        """Another folder in its place is another one, whatever its age."""
        self.put("1/a/link")
        os.utime(self.root, (LONG_AGO, LONG_AGO))
        self.holders()
        self.root.rename(f"{self.root}-old")
        self.put("2/a/link")
        os.utime(self.root, (LONG_AGO, LONG_AGO))
        self.assertEqual(["2"], self.holders())

    def test_longest(self) -> None:
        """After some minutes nothing is believed any more."""
        self.put("1/a/link", "2/a/link")
        self.holders()
        (self.root / "1" / "a" / "link").unlink()
        self.now += LONGEST - 0.1
        self.assertEqual(["1", "2"], self.holders())
        self.put("3/a/link")
        self.assertEqual(["1", "2", "3"], self.holders())
        self.now += 0.1
        self.assertIsNone(self.at_hand())  # although it was listed just now
        self.assertEqual(["2", "3"], self.holders())

    def test_clock_set_back(self) -> None:
        """A clock that was set back does not make anything last."""
        self.put("1/a/link")
        self.now += 1000
        self.holders()
        self.now -= 1000
        self.assertIsNone(self.at_hand())

    def test_many_others(self) -> None:
        """Where much holds nothing it is not at hand."""
        for number in range(65):
            self.put(f"{number}/b")
        self.assertEqual([], self.holders())
        self.assertIsNone(self.at_hand())
        (self.root / "7").rename(self.root / "7-old")

    def test_none(self) -> None:
        """A folder that is not there, or gone, is an error; so is a file."""
        self.put("1/a/link")
        self.holders()
        for place in ("none", "1/a/link"):
            path = str(self.root / place)
            self.assertRaises(OSError, self.listings.holders, path, "a", "", None)
        self.root.rename(f"{self.root}-old")
        self.assertRaises(FileNotFoundError, self.holders)
        self.assertRaises(FileNotFoundError, self.at_hand)


class SearchTests(ListingsCase):
    """What is in a folder at any depth."""

    def test_kept(self) -> None:
        """Only folders that have changed are listed again."""
        self.put("a/_m/x", "a/b/_m/x", "c/d/_m/x", "_e/f/_m/x", "file")
        found = ["a", "a/b", "c/d"]
        self.assertEqual(found, self.search())
        self.assertEqual([".", "a", "a/b", "c", "c/d", "file"], sorted(self.listed))
        self.listed.clear()
        self.assertEqual(found, self.search())
        self.assertEqual(["file"], self.listed)
        self.put("c/e/_m/x")
        self.now += 1
        self.listed.clear()
        self.assertEqual([*found, "c/e"], self.search())
        self.assertEqual(["c", "c/e", "file"], sorted(self.listed))

    def test_order(self) -> None:
        """Names that prefix one another come in the order of their bytes."""
        names = ["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a_b", "ab"]
        self.put(*(f"{name}/_m/x" for name in names))
        self.assertEqual(names, self.search())
        for index, name in enumerate(names):
            self.assertEqual(names[index + 1 :][:2], self.search(name, 2))

    def test_no_more_than_needed(self) -> None:
        """For a page only those folders are listed that lie in it."""
        self.put(*(f"{one}/{other}/_m/x" for one in "abc" for other in "abc"))
        self.assertEqual(["b/b", "b/c"], self.search("b/a", 2))
        self.assertEqual([".", "b", "b/a", "b/b", "b/c"], sorted(self.listed))

    def test_many(self) -> None:
        """What a long search has found is kept as long as it would find the same."""
        self.patch(listings, "MANY", 3)
        self.put("a/_m/x", "a/b/_m/x", "c/d/_m/x", "file")
        found = ["a", "a/b", "c/d"]
        self.search().clear()
        self.search().clear()
        self.listed.clear()
        self.assertEqual(found, self.search())
        self.assertEqual([], self.listed)
        self.put("c/e/_m/x")
        self.assertEqual([*found, "c/e"], self.search())
        (self.root / "a" / "b" / "_m").rename(self.root / "a" / "b" / "_n")
        self.assertEqual(["a", "c/d", "c/e"], self.search())
        (self.root / "c" / "d").rename(self.root / "d")
        self.assertEqual(["a", "c/e", "d"], self.search())
        self.listed.clear()
        self.now += LONGEST
        self.assertEqual(["a", "c/e", "d"], self.search())
        self.assertIn(".", self.listed)

    def test_none(self) -> None:
        """A folder that is not there is an error."""
        self.root.rmdir()
        self.assertRaises(FileNotFoundError, self.search)


class BoundTests(ListingsCase):
    """How much is kept."""

    most = 8

    def test_forgotten(self) -> None:
        """The folders that were listed first are forgotten when it is too much."""
        self.put(*(f"{number}/_m/x" for number in range(3)))
        self.search()  # 4 for the root, 2 for each of the three
        self.listed.clear()
        self.search()
        self.assertEqual([".", "0", "1", "2"], sorted(self.listed))

    def test_large(self) -> None:
        """A folder that is too large by itself is not kept."""
        self.put(*(f"{number}/a/link" for number in range(9)))
        for _ in range(2):
            self.assertEqual(9, len(self.holders()))
            self.assertIsNone(self.at_hand())
        self.assertEqual([".", "."], self.listed)


class SearchesBoundTests(ListingsCase):
    """How many searches are kept, where nothing else is."""

    most = 0

    def setUp(self) -> None:
        """Have searches kept that have seen little."""
        super().setUp()
        self.patch(listings, "MANY", 2)
        self.put(*(f"{name}/_m/x" for name in "abcdef"))

    def known(self, *pages: str) -> list[str]:
        """Ask for pages of one; return those for which nothing is listed again."""
        known = []
        for after in pages:
            self.listed.clear()
            self.search(after, 1)
            if not self.listed:
                known.append(after)
        return known

    def test_pages(self) -> None:
        """All pages of a list are kept."""
        self.assertEqual([], self.known("", "a", "b", "c"))
        self.assertEqual(["", "a", "b", "c"], self.known("", "a", "b", "c"))

    def test_too_much(self) -> None:
        """The earliest are forgotten when all together have seen too much."""
        self.patch(listings, "SEEN", 9)  # three for each page
        self.assertEqual([], self.known("", "a", "b", "c"))
        self.assertEqual(["c", "b", "a"], self.known("c", "b", "a", ""))

    def test_two(self) -> None:
        """Two are kept however much they have seen."""
        self.patch(listings, "SEEN", 1)
        self.assertEqual([], self.known("", "a", "b"))
        self.assertEqual(["b", "a"], self.known("b", "a"))


class ManyHoldersTests(ListingsCase):
    """A folder with more names than are looked for one by one."""

    most = 1000

    def test_many(self) -> None:
        """Those are found that hold something, and the others when they do."""
        self.put(*(f"t{number:03}/a/link" for number in range(0, 200, 2)))
        self.put(*(f"t{number:03}/b" for number in range(1, 200, 2)))
        some = [f"t{number:03}" for number in range(0, 200, 2)]
        self.assertEqual(some, self.holders())
        self.put(*(f"t{number:03}/a/link" for number in range(1, 200, 2)))
        self.assertEqual([f"t{number:03}" for number in range(200)], self.holders())

    def test_gone(self) -> None:
        """A folder that has gone meanwhile is an error."""
        self.put(*(f"{number}/b" for number in range(100)))
        self.holders()
        self.root.rename(f"{self.root}-moved")
        self.assertRaises(FileNotFoundError, self.holders)
