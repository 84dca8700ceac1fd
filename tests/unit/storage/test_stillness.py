"""Tests of stillness: nothing is taken for still that has changed, in whatever way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from mmap import mmap
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage.places import new_place
from txregistry.storage import stillness
from txregistry.storage.disk import has_size
from txregistry.storage.file_systems import tells_of_file, tells_of_folder
from txregistry.storage.stillness import StillLook, Stillness

CONTENT: Final = b"content"
OFTEN: Final = 300


class StillnessCase(SynchronousTestCase):
    """A file some folders deep, and looks at it that are counted."""

    def setUp(self) -> None:
        """Make the file; the kernel tells all of whatever file system it is on."""
        for name in ("tells_of_file", "tells_of_folder"):
            self.patch(stillness, name, lambda _: True)
        self.root = os.path.realpath(new_place(self))
        self.folder = os.path.join(self.root, "a", "b")
        self.file = os.path.join(self.folder, "file")
        os.makedirs(self.folder)
        self.write(self.file)
        self.stillness = self.make_stillness()
        self.looks = 0

    def make_stillness(self, most: int = stillness.MOST) -> Stillness:
        """Make one, of which nothing is left in the end."""
        made = Stillness(os.fsencode, most)
        self.addCleanup(made.close)
        return made

    def write(self, place: str, content: bytes = CONTENT) -> None:
        """Write a file as it stands there."""
        with open(place, "wb") as file:
            file.write(content)

    def look(
        self, place: str | None = None, made: Stillness | None = None
    ) -> StillLook:
        """Return a look at a file: whether it is there, with as many bytes as ours."""
        place = place or self.file

        def holds() -> bool:
            self.looks += 1
            return has_size(os.fsencode(place), len(CONTENT))

        return (made or self.stillness).look([place], holds)

    def is_watched(self, look: StillLook) -> bool:
        """Say whether it is no more looked at, after it has been often enough."""
        for _ in range(OFTEN):
            self.assertTrue(look.holds())
        before = self.looks
        self.assertTrue(look.holds())
        return self.looks == before

    def watched(self) -> StillLook:
        """Return a look at the file, which is watched by now."""
        look = self.look()
        self.assertTrue(self.is_watched(look))
        return look


class ChangeTests(StillnessCase):
    """What happens to a file."""

    def assert_noticed(self, change: Callable[[], object], holds: bool = False) -> None:
        """Check that after a change it is looked at again, and what is found then."""
        look = self.watched()
        change()
        before = self.looks
        self.assertIs(holds, look.holds())
        self.assertEqual(before + 1, self.looks)

    def test_nothing(self) -> None:
        """A file to which nothing happens is not looked at any more."""
        look = self.watched()
        self.write(os.path.join(self.folder, "another"))
        os.chmod(os.path.join(self.folder, "another"), 0o600)
        os.mkdir(os.path.join(self.folder, "folder"))
        os.rename(os.path.join(self.folder, "folder"), f"{self.root}/folder")
        before = self.looks
        self.assertTrue(look.holds())
        self.assertEqual(before, self.looks)

    def test_removed(self) -> None:
        """It is removed."""
        self.assert_noticed(lambda: os.unlink(self.file))

    def test_removed_while_open(self) -> None:
        """It is removed while somebody has it open."""
        with open(self.file, "rb"):
            self.assert_noticed(lambda: os.unlink(self.file))

    def test_written(self) -> None:
        """It is written over where it stands, as old Go registries do."""
        self.assert_noticed(lambda: self.write(self.file, b"longer than that"))

    def test_appended(self) -> None:
        """It gets longer."""
        with open(self.file, "ab", buffering=0) as file:
            self.assert_noticed(lambda: file.write(b"!"))

    def test_cut(self) -> None:
        """It gets shorter."""
        self.assert_noticed(lambda: os.truncate(self.file, 1))

    def test_mapped(self) -> None:
        """It is written to by a mapping, which is noticed when that is closed."""

        def change() -> None:
            with open(self.file, "r+b") as file, mmap(file.fileno(), 0) as mapping:
                mapping[:1] = b"!"

        self.assert_noticed(change, holds=True)

    def test_replaced(self) -> None:
        """Another one is renamed over it, as we do and new Go registries do."""
        other = os.path.join(self.root, "other")
        self.write(other, b"another content")
        self.assert_noticed(lambda: os.rename(other, self.file))

    def test_replaced_by_link(self) -> None:
        """It is renamed away, and a symbolic link is in its place."""

        def change() -> None:
            os.rename(self.file, f"{self.file}.old")
            os.symlink(f"{self.file}.old", self.file)

        self.assert_noticed(change, holds=True)

    def test_folder_renamed(self) -> None:
        """A folder above it is renamed."""
        above = os.path.dirname(self.folder)
        self.assert_noticed(lambda: os.rename(above, f"{above}2"))

    def test_root_renamed(self) -> None:
        """The folder of the whole store is."""
        self.addCleanup(shutil.rmtree, f"{self.root}2")
        self.assert_noticed(lambda: os.rename(self.root, f"{self.root}2"))

    def test_tree_removed(self) -> None:
        """All of it is removed."""
        self.assert_noticed(lambda: shutil.rmtree(os.path.dirname(self.folder)))

    def test_folder_closed(self) -> None:
        """A folder above it gets another mode, so that it may not be reached."""
        self.assert_noticed(lambda: os.chmod(self.folder, 0o755), holds=True)

    def test_comes_back(self) -> None:
        """Once it is as it was it holds again, and is watched again in time."""
        look = self.watched()
        os.unlink(self.file)
        for _ in range(3):
            self.assertFalse(look.holds())
        self.write(self.file)
        self.assertTrue(self.is_watched(look))

    def test_many(self) -> None:
        """Of two files, the one that nothing has happened to is left alone."""
        other = os.path.join(self.root, "other")
        self.write(other)
        first, second = self.watched(), self.look(other)
        self.assertTrue(self.is_watched(second))
        os.unlink(self.file)
        before = self.looks
        self.assertTrue(second.holds())
        self.assertEqual(before, self.looks)
        self.assertFalse(first.holds())

    def test_taken_for_folder(self) -> None:
        """It is noticed, too, if somebody has looked for something below it."""
        look, below = self.watched(), self.look(f"{self.file}/below")
        for _ in range(OFTEN):
            self.assertFalse(below.holds())
        self.write(self.file, b"longer than that")
        self.assertFalse(look.holds())

    def test_busy(self) -> None:
        """What changes again and again is watched ever less often."""
        look, times = self.look(), []
        for _ in range(3):
            before = self.looks
            while not look.is_still:
                self.assertTrue(look.holds())
            times.append(self.looks - before)
            os.utime(self.file)
            self.assertTrue(look.holds())
        self.assertEqual(sorted(set(times)), times)

    def test_overflow(self) -> None:
        """When the kernel has more to tell than it keeps, all are looked at again."""
        look = self.watched()
        read, overflow = os.read, stillness._EVENT.pack(-1, 0x4000, 0, 0)
        self.patch(os, "read", lambda *_: overflow)
        os.utime(self.file)
        before = self.looks
        self.assertTrue(look.holds())
        self.assertEqual(before + 1, self.looks)
        self.patch(os, "read", read)
        self.assertTrue(self.is_watched(look))

    def test_mounts(self) -> None:
        """When something is mounted, all are looked at again.

        But the kernel is not to begin anew, for which it would have to wait.
        """
        look = self.watched()
        mounts = self.stillness._mounts
        self.stillness.hear([(mounts, 10)])
        before = self.looks
        self.assertTrue(look.holds())
        self.assertEqual(before + 1, self.looks)
        self.assertEqual(mounts, self.stillness._mounts)  # -1 if it had been closed
        self.assertTrue(self.is_watched(look))
        os.unlink(self.file)
        self.assertFalse(look.holds())

    def test_closed(self) -> None:
        """Nothing is watched any more when it is closed; looks go on."""
        look = self.watched()
        self.stillness.close()
        self.assertTrue(look.holds())
        os.unlink(self.file)
        self.assertFalse(look.holds())


class WatchTests(StillnessCase):
    """What is watched, and what is not."""

    def test_once(self) -> None:
        """What is looked at but a few times is not watched."""
        look = self.look()
        for _ in range(3):
            look.holds()
        self.assertFalse(look.is_still)
        self.assertEqual(3, self.looks)

    def test_missing(self) -> None:
        """What is not there is not."""
        look = self.look(f"{self.file}2")
        for _ in range(OFTEN):
            self.assertFalse(look.holds())
        self.assertFalse(look.is_still)

    def test_failing(self) -> None:
        """A look that fails has not seen anything that could be still."""

        def fail() -> bool:
            raise MemoryError

        look = self.stillness.look([self.file], fail)
        for _ in range(OFTEN):
            with self.assertRaises(MemoryError):
                look.holds()

    def test_folder(self) -> None:
        """A folder where a file should be is not."""
        look = self.stillness.look([self.folder], lambda: True)
        self.assertFalse(self.is_still_after_looks(look))

    def test_link(self) -> None:
        """What is reached by a symbolic link is not: it could point elsewhere."""
        os.symlink("a", os.path.join(self.root, "link"))
        linked = os.path.join(self.root, "link", "b", "file")
        self.assertFalse(self.is_still_after_looks(self.look(linked)))

    def test_others(self) -> None:
        """Nor is what other machines may change, or what lies below it."""
        for name in ("tells_of_file", "tells_of_folder"):
            self.patch(stillness, name, lambda _: False)
            made = self.make_stillness()
            look = self.look(made=made)
            self.assertFalse(self.is_still_after_looks(look), name)
            self.patch(stillness, name, lambda _: True)

    def test_of_others(self) -> None:
        """Of a file that other machines may change, no folder is watched either."""
        self.patch(stillness, "tells_of_file", lambda _: False)
        self.assertFalse(self.is_still_after_looks(self.look()))
        self.assertEqual({}, self.stillness._looks)

    def test_too_many(self) -> None:
        """Beyond so many it begins anew; what was watched is looked at again."""
        made = self.make_stillness(most=1)
        first, second = self.look(made=made), self.look(made=made)
        self.assertTrue(self.is_watched(first))
        self.assertTrue(self.is_watched(second))
        self.assertFalse(first.is_still)
        os.unlink(self.file)
        self.assertFalse(first.holds())
        self.assertFalse(second.holds())

    def test_share(self) -> None:
        """So it is beyond a part of what the kernel allows a user's processes."""
        allowed = os.path.join(self.root, "allowed")
        self.write(allowed, b"8\n")
        self.patch(stillness, "_ALLOWED", allowed)
        first, second = self.watched(), self.look()
        self.assertTrue(self.is_watched(second))
        self.assertFalse(first.is_still)

    def test_no_more(self) -> None:
        """Where the kernel takes no more it is looked at, as ever; nothing is left."""

        def refuse(*_: object) -> int:
            return -1

        library = stillness._library()
        for name in ("inotify_init1", "inotify_add_watch"):
            real = getattr(library, name)
            setattr(library, name, refuse)
            self.addCleanup(setattr, library, name, real)
            made, before = self.make_stillness(), len(os.listdir("/proc/self/fd"))
            self.assertFalse(self.is_still_after_looks(self.look(made=made)), name)
            made.close()
            self.assertEqual(before, len(os.listdir("/proc/self/fd")), name)
            setattr(library, name, real)

    def test_descriptors(self) -> None:
        """Whatever becomes of it, no descriptor is left."""
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            made = self.make_stillness()
            self.assertTrue(self.is_watched(self.look(made=made)))
            made.close()
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))

    def test_forgotten(self) -> None:
        """Looks that nobody has any more are not kept, or not for long."""
        for _ in range(1000):
            look = self.look()
            self.stillness.watch(look)
        kept = {len(looks) for looks in self.stillness._looks.values()}
        self.assertLess(max(kept), 2 * stillness._MANY)

    def is_still_after_looks(self, look: StillLook) -> bool:
        """Say whether it is watched after it was looked at often."""
        for _ in range(OFTEN):
            self.assertTrue(look.holds())
        return look.is_still


class KindTests(SynchronousTestCase):
    """Of which file systems the kernel tells all."""

    def test_proc(self) -> None:
        """What is no disk is not known; a file that is not there neither."""
        for place in (b"/proc/self/mounts", b"/nowhere/at/all"):
            self.assertFalse(tells_of_file(place), place)
            self.assertFalse(tells_of_folder(place), place)


class AnyChangeTests(StillnessCase):
    """Whatever is done, a look says what looking says."""

    PATHS: Final = ("file", "a", "a/file", "a/b", "a/b/file", "a/b/other")

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(("write", "remove", "rename", "link", "mode", "look")),
                st.sampled_from(PATHS),
                st.sampled_from(PATHS),
                st.sampled_from((CONTENT, b"", b"longer than that")),
            ),
            max_size=30,
        )
    )
    def test_any(self, steps: list[tuple[str, str, str, bytes]]) -> None:
        """Changes of all kinds, one after another."""
        self.patch(stillness, "_MOST_OFTEN", 1)
        shutil.rmtree(self.root)
        os.makedirs(self.folder)
        self.write(self.file)
        places = [os.path.join(self.root, path) for path in self.PATHS]
        checks = [
            partial(has_size, os.fsencode(place), len(CONTENT)) for place in places
        ]
        looks = [
            self.stillness.look([place], holds)
            for place, holds in zip(places, checks, strict=True)
        ]
        for _ in range(OFTEN):
            self.assertEqual(
                [holds() for holds in checks], [look.holds() for look in looks]
            )
        for what, path, other, content in steps:
            place, to = (os.path.join(self.root, each) for each in (path, other))
            self.change(what, place, to, content)
            self.assertEqual(
                [holds() for holds in checks],
                [look.holds() for look in looks],
                (what, path, other),
            )

    def change(self, what: str, place: str, other: str, content: bytes) -> None:
        """Do something, if it can be done."""
        try:
            if what == "write":
                self.write(place, content)
            elif what == "remove":
                shutil.rmtree(place) if os.path.isdir(place) else os.unlink(place)
            elif what == "rename":
                os.rename(place, other)
            elif what == "link":
                os.symlink(other, place)
            elif what == "mode":
                os.utime(place)
        except OSError:
            pass
