"""Cases of DriverContract: many things at a time."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults

from txregistry.interfaces import PathNotFound
from txregistry.streams import pump
from txregistry.testing.driver_fixture import DriverFixture
from txregistry.testing.streams import Digesting, Pattern

_T = TypeVar("_T")

_SIZE = 200_000  # bytes; more than a reader holds at a time


class ConcurrencyCases(DriverFixture):
    """Readers and writers that do not wait for one another."""

    async def test_readers_together(self) -> None:
        """Ten readers of one file, each at its place, do not disturb one another."""
        pattern, random = Pattern(self.large), Random(2)
        writer = await self.driver.open_writer("/d/large")
        await pump(pattern.source(self.clock()), writer)
        await writer.commit()
        offsets = [random.randrange(self.large) for _ in range(10)]
        found = await together(self.read("/d/large", at, _SIZE) for at in offsets)
        self.assertEqual([pattern.content(at, _SIZE) for at in offsets], found)

    async def test_writers_together(self) -> None:
        """Eight writers of files of their own do not disturb one another."""
        patterns = [Pattern(self.large, seed) for seed in range(8)]
        await together(self._write_and_check(pattern) for pattern in patterns)

    async def test_puts_of_different_files(self) -> None:
        """Files that are put in one new directory at a time are all there."""
        paths = [f"/d/e/{number:02}/f" for number in range(20)]
        await together(self._put(path, path.encode("ascii")) for path in paths)
        found = await together(self._get(path) for path in paths)
        self.assertEqual([path.encode("ascii") for path in paths], found)

    async def test_puts_of_one_file(self) -> None:
        """Of many puts to one path at a time, one is there, whole."""
        contents = [bytes([number]) * _SIZE for number in range(10)]
        await together(self._put("/d/file", content) for content in contents)
        self.assertIn(await self.driver.get_content("/d/file"), contents)
        self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_put_is_atomic(self) -> None:
        """Whoever gets a file while it is put has the old content or the new, whole."""
        await self._change_while(self._get("/d/file") for _ in range(4))

    async def test_put_is_atomic_for_streams(self) -> None:
        """Whoever reads a file while it is put has the old or the new one, whole."""
        await self._change_while(self.read("/d/file") for _ in range(4))

    async def test_commit_is_atomic(self) -> None:
        """Whoever reads a file while it is replaced has one of both, whole."""
        old, new = b"o" * _SIZE, b"n" * _SIZE
        await self.driver.put_content("/d/file", old)
        writing = Deferred.fromCoroutine(self._replace_slowly(new))
        while not writing.called:
            self.assertIn(await self.read("/d/file"), (old, new))
            await self.turn()
        await writing
        self.assertEqual(new, await self.read("/d/file"))

    async def test_move_is_atomic(self) -> None:
        """Whoever reads a destination while files are moved there has one whole."""
        contents = [bytes([number]) * _SIZE for number in range(5)]
        for number, content in enumerate(contents):
            await self.driver.put_content(f"/d/{number}", content)
        await self.driver.move("/d/0", "/d/file")
        moves = [self.driver.move(f"/d/{n}", "/d/file") for n in range(1, 5)]
        found = await together(self.read("/d/file") for _ in range(8))
        await gatherResults(moves)
        for content in (*found, await self.read("/d/file")):
            self.assertIn(content, contents)
        self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_put_while_deleted(self) -> None:
        """A file is put though its directory is deleted again and again."""
        for _ in range(20):
            await together([self._put("/d/e/f/file", b"x"), self._delete("/d")])
        await self.driver.put_content("/d/e/f/file", b"last")
        self.assertEqual(b"last", await self.driver.get_content("/d/e/f/file"))

    async def test_delete_together(self) -> None:
        """Many deletions of one tree at a time leave nothing of it."""
        for number in range(20):
            await self.driver.put_content(f"/d/{number % 4}/{number}", b"x")
        await together(self._delete("/d") for _ in range(4))
        self.assertFalse(await self.exists("/d"))

    async def test_list_while_changed(self) -> None:
        """A list that is taken while others come and go has those that stay."""
        for name in ("a", "m", "z"):
            await self.driver.put_content(f"/d/{name}", b"x")
        coming = [self._put(f"/d/b{number}", b"x") for number in range(10)]
        changing = Deferred.fromCoroutine(together(coming))
        while not changing.called:
            found = await self.driver.list_children("/d")
            self.assertEqual(found, sorted(found))
            self.assertLessEqual({"a", "m", "z"}, set(found))
            await self.turn()
        await changing
        self.assertEqual(13, len(await self.driver.list_children("/d")))

    async def _change_while(
        self, readings: Iterable[Coroutine[Any, Any, bytes]]
    ) -> None:
        contents = [bytes([number]) * _SIZE for number in range(8)]
        await self.driver.put_content("/d/file", contents[0])
        changing = Deferred.fromCoroutine(self._put_each(contents))
        for content in await together(readings):
            self.assertIn(content, contents)
        while not changing.called:
            self.assertIn(await self.driver.get_content("/d/file"), contents)
            self.assertIn(await self.read("/d/file"), contents)
            await self.turn()
        await changing
        self.assertEqual(contents[-1], await self.driver.get_content("/d/file"))

    async def _put_each(self, contents: list[bytes]) -> None:
        for content in contents:
            await self.driver.put_content("/d/file", content)
            await self.turn()

    async def _replace_slowly(self, content: bytes) -> None:
        writer = await self.driver.open_writer("/d/file")
        for start in range(0, len(content), 20_000):
            writer.write(content[start : start + 20_000])
            await self.turn()
        await writer.commit()

    async def _write_and_check(self, pattern: Pattern) -> None:
        path, sink = f"/d/{pattern.digest()}", Digesting()
        writer = await self.driver.open_writer(path)
        await pump(pattern.source(self.clock()), writer)
        await writer.commit()
        await pump(await self.driver.open_reader(path), sink)
        self.assertEqual(f"/d/{sink.digest()}", path)

    async def _put(self, path: str, content: bytes) -> None:
        await self.driver.put_content(path, content)

    async def _get(self, path: str) -> bytes:
        return await self.driver.get_content(path)

    async def _delete(self, path: str) -> None:
        with suppress(PathNotFound):
            await self.driver.delete(path)


async def together(running: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Run coroutines at a time; return their results, in their order."""
    return await gatherResults(
        [Deferred.fromCoroutine(each) for each in running], consumeErrors=True
    )
