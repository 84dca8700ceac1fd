"""Tests of what provides IQuickLook: drivers, and what is around them."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.storage.places import new_place
from txregistry.interfaces import InvalidPath, IQuickLook
from txregistry.storage import disk
from txregistry.storage.disk import Disk, SameContent
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.timed import TimedDriver


class QuickLookTests(SynchronousTestCase):
    """Looks at a driver in memory; subclasses have others."""

    def setUp(self) -> None:
        """Make the driver, and put a file into it."""
        self.driver: Any = self.make_driver()
        self.put(b"content")

    def make_driver(self) -> object:
        """Make an empty driver."""
        return MemoryDriver(Clock())

    def put(self, content: bytes) -> None:
        """Write the file."""
        self.successResultOf(self.driver.put_content("/a/file", content))

    def test_interface(self) -> None:
        """It provides the interface."""
        verifyObject(IQuickLook, self.driver)

    def test_same(self) -> None:
        """It is noticed when a file gets another content, and its own again."""
        look = self.driver.same("/a/file", b"content")
        self.assertTrue(look())
        for other in (b"another", b"content and more", b"cont", b""):
            self.put(other)
            self.assertFalse(look(), other)
        self.put(b"content")
        self.assertTrue(look())

    def test_space(self) -> None:
        """White space around a content does not matter, as with links it does not."""
        self.put(b" content\n")
        self.assertTrue(self.driver.same("/a/file", b"content")())

    def test_there(self) -> None:
        """It is noticed when a file has another size."""
        look = self.driver.there("/a/file", 7)
        self.assertTrue(look())
        self.put(b"another")
        self.assertTrue(look())
        self.put(b"longer than that")
        self.assertFalse(look())

    def test_gone(self) -> None:
        """It is noticed when a file is gone, and when it comes back."""
        looks = [self.driver.same("/a/file", b"content")]
        looks.append(self.driver.there("/a/file", 7))
        self.successResultOf(self.driver.delete("/a/file"))
        self.assertEqual([False, False], [look() for look in looks])
        self.put(b"content")
        self.assertEqual([True, True], [look() for look in looks])

    def test_still(self) -> None:
        """What is looked at again and again is noticed, too."""
        look = self.driver.still(["/a/file"], self.driver.same("/a/file", b"content"))
        for _ in range(3):
            self.assertEqual({True}, {look() for _ in range(50)})
            self.put(b"another")
            self.assertFalse(look())
            self.put(b"content")

    def test_absent(self) -> None:
        """It is noticed when something is at a path, be it a folder, and when not."""
        for path in ("/a/other", "/b", "/b/c/d"):
            self.assertTrue(self.driver.absent(path), path)
        for path in ("/a/file", "/a"):
            self.assertFalse(self.driver.absent(path), path)
        self.successResultOf(self.driver.delete("/a/file"))
        self.assertTrue(self.driver.absent("/a/file"))

    def test_directory(self) -> None:
        """A directory is no file."""
        self.assertFalse(self.driver.same("/a", b"")())
        self.assertFalse(self.driver.there("/a", 0)())


class FilesystemTests(QuickLookTests):
    """Looks at a folder."""

    def make_driver(self) -> object:
        """Make a driver on a new folder."""
        self.folder = new_place(self)
        return FilesystemDriver(Disk(os.path.abspath(self.folder)), Clock(), execute)

    def test_invalid(self) -> None:
        """A path that is none is refused at once."""
        for look in (lambda: self.driver.same("/../a", b""), self.driver.there):
            arguments = ("a", 1) if look == self.driver.there else ()
            self.assertRaises(InvalidPath, look, *arguments)

    def test_pipe(self) -> None:
        """A named pipe is no file, and nobody waits for its writer."""
        os.mkfifo(os.path.join(self.folder, "pipe"))
        self.assertFalse(self.driver.same("/pipe", b"x")())
        self.assertFalse(self.driver.there("/pipe", 0)())

    def test_not_known(self) -> None:
        """What the system does not say is not taken for nothing being there."""
        os.symlink("loop", os.path.join(self.folder, "loop"))
        self.assertFalse(self.driver.absent("/loop"))
        self.assertRaises(InvalidPath, self.driver.absent, "a")


class TimedTests(QuickLookTests):
    """Looks through the timed driver."""

    def make_driver(self) -> object:
        """Make one around another."""
        return TimedDriver(MemoryDriver(Clock()), Clock(), lambda *done: None)

    def test_cannot(self) -> None:
        """What the driver within cannot do, it cannot."""
        driver: Any = TimedDriver(_Slow(), Clock(), lambda *done: None)  # type: ignore[arg-type]  # it is asked nothing else
        self.assertIsNone(driver.same("/a", b""))
        self.assertIsNone(driver.there("/a", 1))
        self.assertFalse(driver.absent("/a"))
        self.assertIs(bool, driver.still(["/a"], bool))


class _Slow:
    """A driver that cannot look."""

    name = "slow"


class RestingTests(SynchronousTestCase):
    """Files that have not changed for a while, and then do."""

    def setUp(self) -> None:
        """Write a file."""
        self.path = new_place(self)
        self.write(b"content")
        self.look = SameContent(os.fsencode(self.path), b"content")
        self.now = os.stat(self.path).st_ctime + 10
        self.patch(disk, "time", SimpleNamespace(time=lambda: self.now))

    def write(self, content: bytes) -> None:
        """Write the file over, in its place."""
        with open(self.path, "wb") as stream:
            stream.write(content)

    def reads(self) -> int:
        """Look twice; return how often the file was read."""
        count = 0
        read = self.look._has_content

        def counted() -> bool:
            nonlocal count
            count += 1
            return read()

        self.patch(SameContent, "_has_content", lambda _: counted())
        self.look.holds()
        self.look.holds()
        return count

    def test_read_once(self) -> None:
        """A file that rests is read once."""
        self.assertEqual(1, self.reads())

    def test_fresh(self) -> None:
        """A file that was written just now is read each time."""
        self.now = os.stat(self.path).st_ctime + 1
        self.assertEqual(2, self.reads())

    def test_in_place(self) -> None:
        """What is written over in its place is noticed."""
        self.assertTrue(self.look.holds())
        self.write(b"another")
        self.assertFalse(self.look.holds())
        self.write(b"content")
        self.assertTrue(self.look.holds())

    def test_renamed_over(self) -> None:
        """What another file takes the place of is noticed."""
        self.assertTrue(self.look.holds())
        other = new_place(self)
        with open(other, "wb") as stream:
            stream.write(b"another")
        os.rename(other, self.path)
        self.assertFalse(self.look.holds())
