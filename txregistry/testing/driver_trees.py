"""Cases of DriverContract: directories, and what happens to whole trees."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.web.client import Agent, readBody

from txregistry.interfaces import PathNotFound, StorageError
from txregistry.testing.driver_fixture import DriverFixture
from txregistry.testing.streams import Pattern

# As bytes sort, which no object store does with "a/" and "a-b" by itself.
SORTED: Final = (
    *("-", ".x", "0", "00", "A", "Z", "_a"),
    *("a", "a-b", "a.b", "a0", "aa", "b"),
)


class ListCases(DriverFixture):
    """What is directly below a directory."""

    async def test_list_empty(self) -> None:
        """The root of an empty store is empty."""
        self.assertEqual([], await self.driver.list_children("/"))

    async def test_list_missing(self) -> None:
        """A directory that is not there fails with PathNotFound."""
        error = await self.refusal(PathNotFound, self.driver.list_children("/none"))
        self.assertIs(PathNotFound, type(error))
        self.assertEqual(("/none", self.driver.name), (error.path, error.driver))

    async def test_list_file(self) -> None:
        """A file is no directory."""
        await self.driver.put_content("/d/file", b"x")
        await self.refusal(PathNotFound, self.driver.list_children("/d/file"))

    async def test_list_root(self) -> None:
        """The root lists what is directly in it, and nothing below."""
        await self.driver.put_content("/d/e/file", b"x")
        self.assertEqual(["d"], await self.driver.list_children("/"))
        await self.driver.put_content("/file", b"x")
        self.assertEqual(["d", "file"], await self.driver.list_children("/"))

    async def test_list_nested(self) -> None:
        """Directories list directories and files alike, by name."""
        for path in ("/d/e/f/one", "/d/e/two", "/d/three"):
            await self.driver.put_content(path, b"x")
        self.assertEqual(["e", "three"], await self.driver.list_children("/d"))
        self.assertEqual(["f", "two"], await self.driver.list_children("/d/e"))
        self.assertEqual(["one"], await self.driver.list_children("/d/e/f"))

    async def test_list_fifty(self) -> None:
        """Fifty children are listed, each of them once."""
        names = await self._put_fifty()
        self.assertEqual(names, await self.driver.list_children("/d"))

    async def test_list_siblings(self) -> None:
        """A directory whose name begins alike is another one."""
        await self.driver.put_content("/d/one", b"x")
        await self.driver.put_content("/dd/two", b"x")
        await self.driver.put_content("/d-d/three", b"x")
        self.assertEqual(["one"], await self.driver.list_children("/d"))

    async def test_order_of_files(self) -> None:
        """Files are listed in the order of their names' bytes."""
        for name in reversed(SORTED):
            await self.driver.put_content(f"/d/{name}", b"x")
        self.assertEqual(list(SORTED), await self.driver.list_children("/d"))

    async def test_order_of_directories(self) -> None:
        """Directories among files are listed in the order of their names' bytes."""
        await self._put_mixed()
        self.assertEqual(list(SORTED), await self.driver.list_children("/d"))

    async def test_after(self) -> None:
        """A list may begin behind any name, whether it is there or not."""
        await self._put_mixed()
        for after in (*SORTED, "!", "a-", "a-a", "a.", "a/", "aaa", "c", "~"):
            found = await self.driver.list_children("/d", after=after)
            self.assertEqual([name for name in SORTED if name > after], found, after)

    async def test_limit(self) -> None:
        """A list may end after any number of names."""
        await self._put_mixed()
        for limit in (1, 2, len(SORTED) - 1, len(SORTED), len(SORTED) + 1):
            found = await self.driver.list_children("/d", limit=limit)
            self.assertEqual(list(SORTED[:limit]), found)

    async def test_pages(self) -> None:
        """Pages that follow one another hold every name once."""
        names = await self._put_fifty()
        self.assertEqual(names, await self._pages("/d", 7))

    async def test_pages_of_directories(self) -> None:
        """A page may end anywhere among directories whose names begin alike."""
        await self._put_mixed()
        for limit in (1, 2, 3):
            self.assertEqual(list(SORTED), await self._pages("/d", limit))

    async def test_pages_of_root(self) -> None:
        """The root is listed in pages, too."""
        for name in ("one", "three", "two"):
            await self.driver.put_content(f"/{name}/file", b"x")
        found = await self.driver.list_children("/", after="one", limit=1)
        self.assertEqual(["three"], found)

    async def test_holders(self) -> None:
        """Of the directories in one, those are listed that hold something."""
        for path in ("/d/a/x/link", "/d/b/x", "/d/c/x/link", "/d/e/y/link", "/d/link"):
            await self.driver.put_content(path, b"x")
        self.assertEqual(["a", "c"], await self.driver.list_holders("/d", "x/link"))
        self.assertEqual(["d"], await self.driver.list_holders("/", "a"))
        self.assertEqual([], await self.driver.list_holders("/d", "z"))

    async def test_holders_change(self) -> None:
        """What comes is listed at once, and what goes is not."""
        for name in ("a", "b", "c"):
            await self.driver.put_content(f"/d/{name}/x", b"x")
        self.assertEqual(["a"], await self.driver.list_holders("/d", "x", limit=1))
        await self.driver.delete("/d/b")
        await self.driver.put_content("/d/e/y", b"x")
        self.assertEqual(["a", "c"], await self.driver.list_holders("/d", "x"))
        await self.driver.put_content("/d/e/x", b"x")
        self.assertEqual(["a", "c", "e"], await self.driver.list_holders("/d", "x"))

    async def test_pages_of_holders(self) -> None:
        """They are listed in pages, in the order of their names' bytes."""
        for name in SORTED:
            await self.driver.put_content(f"/d/{name}/x", b"x")
            await self.driver.put_content(f"/d/{name}-not/y", b"x")
        for after in (*SORTED, "!", "a-", "a-a", "a.", "a/", "aaa", "c", "~"):
            found = await self.driver.list_holders("/d", "x", after, 2)
            self.assertEqual([name for name in SORTED if name > after][:2], found)

    async def test_deep_holders(self) -> None:
        """They are found at all depths, but for those that are hidden."""
        for path in ("a/_m", "a/b/_m", "a-b/c/_m", "a/_u/e/_m", "_a/b/_m", "f", "g/h"):
            await self.driver.put_content(f"/d/{path}", b"x")
        found = await self.driver.list_holders("/d", "_m", deep=True)
        self.assertEqual(["a", "a-b/c", "a/b"], found)
        found = await self.driver.list_holders("/d", "_m", "a-", 1, deep=True)
        self.assertEqual(["a-b/c"], found)
        found = await self.driver.list_holders("/d", "_m", "a-b/c", 1, deep=True)
        self.assertEqual(["a/b"], found)
        found = await self.driver.list_holders("/", "f", deep=True)
        self.assertEqual(["d"], found)

    async def test_holders_missing(self) -> None:
        """A directory that is not there fails; the root of an empty store is empty."""
        await self.refusal(PathNotFound, self.driver.list_holders("/none", "x"))
        deep = self.driver.list_holders("/none", "x", deep=True)
        await self.refusal(PathNotFound, deep)
        self.assertEqual([], await self.driver.list_holders("/", "x"))
        self.assertEqual([], await self.driver.list_holders("/", "x", deep=True))

    async def _pages(self, path: str, limit: int) -> list[str]:
        found, after = list[str](), ""
        while page := await self.driver.list_children(path, after, limit):
            self.assertLessEqual(len(page), limit)
            self.assertGreater(page[0], after)
            found += page
            after = page[-1]
        return found

    async def _put_fifty(self) -> list[str]:
        names = [f"file-{number:02}" for number in range(50)]
        for name in names:
            await self.driver.put_content(f"/d/{name}", b"x")
        return names

    async def _put_mixed(self) -> None:
        for number, name in enumerate(SORTED):
            path = f"/d/{name}/below" if number % 2 else f"/d/{name}"
            await self.driver.put_content(path, b"x")


class StatCases(DriverFixture):
    """What a driver knows about a path."""

    async def test_stat_missing(self) -> None:
        """What is not there fails with PathNotFound."""
        for path in ("/none", "/none/none"):
            error = await self.refusal(PathNotFound, self.driver.stat(path))
            self.assertEqual((path, self.driver.name), (error.path, error.driver))

    async def test_stat_file(self) -> None:
        """A file has its path and its size."""
        await self.driver.put_content("/d/file", Pattern(1234).content())
        found = await self.driver.stat("/d/file")
        self.assertEqual(
            ("/d/file", False, 1234), (found.path, found.is_directory, found.size)
        )

    async def test_stat_directory(self) -> None:
        """A directory says that it is one."""
        await self.driver.put_content("/d/e/file", b"x")
        for path in ("/d", "/d/e"):
            found = await self.driver.stat(path)
            self.assertEqual(
                (path, True, 0), (found.path, found.is_directory, found.size)
            )

    async def test_stat_root(self) -> None:
        """The root is a directory, also when the store is empty."""
        found = await self.driver.stat("/")
        self.assertEqual(("/", True, 0), (found.path, found.is_directory, found.size))

    async def test_stat_below_file(self) -> None:
        """Nothing is below a file."""
        await self.driver.put_content("/d/file", b"x")
        await self.refusal(PathNotFound, self.driver.stat("/d/file/none"))

    async def test_stat_prefix(self) -> None:
        """What a path merely begins with is nothing."""
        await self.driver.put_content("/directory/file", b"x")
        for path in ("/dir", "/directory/fi"):
            await self.refusal(PathNotFound, self.driver.stat(path))

    async def test_modified(self) -> None:
        """The time of the last write does not go back."""
        await self.driver.put_content("/d/file", b"one")
        before = (await self.driver.stat("/d/file")).modified
        await self.driver.put_content("/d/file", b"two")
        after = (await self.driver.stat("/d/file")).modified
        self.assertGreaterEqual(after, before)
        self.assertIsInstance(after, float)


class MoveCases(DriverFixture):
    """A file goes from one path to another."""

    async def test_move(self) -> None:
        """A file that was moved is at its new path, and not at its old one."""
        await self.driver.put_content("/d/one", b"content")
        await self.driver.move("/d/one", "/e/f/two")
        self.assertEqual(b"content", await self.driver.get_content("/e/f/two"))
        self.assertFalse(await self.exists("/d/one"))
        self.assertEqual(["two"], await self.driver.list_children("/e/f"))

    async def test_move_within(self) -> None:
        """A file is moved within its directory."""
        await self.driver.put_content("/d/one", b"content")
        await self.driver.move("/d/one", "/d/two")
        self.assertEqual(["two"], await self.driver.list_children("/d"))

    async def test_move_stream(self) -> None:
        """A file that was written as a stream is moved whole."""
        pattern = Pattern(300_000)
        await self.write("/d/one", [pattern.content()])
        await self.driver.move("/d/one", "/e/two")
        self.assertEqual(pattern.content(), await self.read("/e/two"))

    async def test_move_over(self) -> None:
        """A file that was moved replaces what was there."""
        await self.driver.put_content("/d/one", b"new")
        await self.driver.put_content("/d/two", b"old and longer")
        await self.driver.move("/d/one", "/d/two")
        self.assertEqual(b"new", await self.driver.get_content("/d/two"))
        self.assertEqual(["two"], await self.driver.list_children("/d"))

    async def test_move_onto_itself(self) -> None:
        """A file that is moved to where it is stays there."""
        await self.driver.put_content("/d/one", b"content")
        await self.driver.move("/d/one", "/d/one")
        self.assertEqual(b"content", await self.driver.get_content("/d/one"))

    async def test_move_missing(self) -> None:
        """A file that is not there is named, and the destination stays as it was."""
        await self.driver.put_content("/d/two", b"old")
        running = self.driver.move("/d/none", "/d/two")
        error = await self.refusal(PathNotFound, running)
        self.assertEqual(("/d/none", self.driver.name), (error.path, error.driver))
        self.assertEqual(b"old", await self.driver.get_content("/d/two"))

    async def test_move_missing_to_nowhere(self) -> None:
        """A file that is not there makes nothing at the destination."""
        await self.refusal(PathNotFound, self.driver.move("/d/none", "/e/f/two"))
        self.assertEqual([], await self.driver.list_children("/"))

    async def test_move_from_below_file(self) -> None:
        """Nothing is moved from below a file to below it."""
        await self.driver.put_content("/d/file", b"x")
        running = self.driver.move("/d/file/foo", "/d/file/bar")
        await self.refusal(StorageError, running)
        self.assertEqual(b"x", await self.driver.get_content("/d/file"))

    async def test_move_directory(self) -> None:
        """A directory is no file to move."""
        await self.driver.put_content("/d/file", b"x")
        await self.refusal(PathNotFound, self.driver.move("/d", "/e"))
        self.assertEqual(b"x", await self.driver.get_content("/d/file"))


class DeleteCases(DriverFixture):
    """A file goes, or a directory with all below it."""

    async def test_delete(self) -> None:
        """A file that was deleted is not there."""
        await self.driver.put_content("/d/file", b"x")
        await self.driver.delete("/d/file")
        await self.refusal(PathNotFound, self.driver.get_content("/d/file"))
        self.assertFalse(await self.exists("/d/file"))

    async def test_delete_missing(self) -> None:
        """What is not there fails with PathNotFound."""
        error = await self.refusal(PathNotFound, self.driver.delete("/none"))
        self.assertEqual(("/none", self.driver.name), (error.path, error.driver))

    async def test_delete_twice(self) -> None:
        """To delete again says that it is done."""
        await self.driver.put_content("/d/file", b"x")
        await self.driver.delete("/d")
        await self.refusal(PathNotFound, self.driver.delete("/d"))

    async def test_delete_below_file(self) -> None:
        """Nothing is below a file."""
        await self.driver.put_content("/d/file", b"x")
        await self.refusal(PathNotFound, self.driver.delete("/d/file/none"))

    async def test_delete_directory(self) -> None:
        """A directory goes with all below it."""
        for path in ("/d/e/one", "/d/e/f/two", "/d/three"):
            await self.driver.put_content(path, b"x")
        await self.driver.delete("/d/e/one")
        self.assertEqual(["f"], await self.driver.list_children("/d/e"))
        await self.driver.delete("/d")
        for path in ("/d", "/d/e", "/d/e/f/two", "/d/three"):
            self.assertFalse(await self.exists(path), path)

    async def test_delete_fifty(self) -> None:
        """A directory of many files goes at once."""
        for number in range(50):
            await self.driver.put_content(f"/d/{number % 5}/{number}", b"x")
        await self.driver.delete("/d")
        self.assertEqual([], await self.driver.list_children("/"))

    async def test_delete_leaves_siblings(self) -> None:
        """Files and directories whose names begin alike stay."""
        for path in ("/d/x", "/d/xsuffix", "/d/y/file", "/d/ysuffix/file", "/d/y-/f"):
            await self.driver.put_content(path, b"x")
        await self.driver.delete("/d/x")
        await self.driver.delete("/d/y")
        found = await self.driver.list_children("/d")
        self.assertEqual(["xsuffix", "y-", "ysuffix"], found)
        self.assertEqual(b"x", await self.driver.get_content("/d/ysuffix/file"))

    async def test_delete_makes_room(self) -> None:
        """Where a directory was, a file can be, and the other way round."""
        await self.driver.put_content("/d/e/file", b"x")
        await self.driver.delete("/d/e")
        await self.driver.put_content("/d/e", b"file")
        self.assertEqual(b"file", await self.driver.get_content("/d/e"))
        await self.driver.delete("/d/e")
        await self.driver.put_content("/d/e/file", b"again")
        self.assertEqual(b"again", await self.driver.get_content("/d/e/file"))


class RedirectCases(DriverFixture):
    """A URL at the store itself."""

    async def test_redirect(self) -> None:
        """If there is a URL, it answers GET with the content, HEAD with its size."""
        await self.driver.put_content("/d/file", Pattern(32).content())
        url = await self.driver.redirect_url("/d/file", "GET", 60.0)
        if url is not None:
            code, _, content = await self._request(b"GET", url)
            self.assertEqual((200, Pattern(32).content()), (code, content))
        url = await self.driver.redirect_url("/d/file", "HEAD", 60.0)
        if url is not None:
            code, lengths, _ = await self._request(b"HEAD", url)
            self.assertEqual((200, ["32"]), (code, lengths))

    async def test_redirect_to_nowhere(self) -> None:
        """A URL may be asked for before the file is there."""
        url = await self.driver.redirect_url("/d/none", "GET", 60.0)
        self.assertIsInstance(url, str | None)

    async def _request(
        self, method: bytes, url: str
    ) -> tuple[int, list[str] | None, bytes]:
        agent: Any = Agent(self.clock())
        response = await agent.request(method, url.encode("ascii"))
        lengths = response.headers.getRawHeaders("content-length")
        body: Deferred[bytes] = readBody(response)
        return response.code, lengths, await body


class TreeCases(ListCases, StatCases, MoveCases, DeleteCases, RedirectCases):
    """All of them."""
