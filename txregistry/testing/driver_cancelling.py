"""Cases of DriverContract: everything that can be cancelled, at each moment.

When a Deferred that was cancelled has fired, the work is undone or completed: nothing
goes on behind it, so that what is done next does not race with it.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import CancelledError, Deferred

from txregistry.interfaces import PathNotFound
from txregistry.streams import pump
from txregistry.testing.driver_fixture import DriverFixture
from txregistry.testing.streams import Holding, Pattern

# How many turns the reactor has between a call and its cancelling.
MOMENTS = (0, 1, 2, 5)


class CancellingCases(DriverFixture):
    """Each operation, cancelled, and then done again."""

    async def test_cancel_get(self) -> None:
        """To get content can be cancelled."""
        await self.driver.put_content("/d/file", b"abc")
        for turns in MOMENTS:
            found = await self.cancelled(self.driver.get_content("/d/file"), turns)
            self.assertIn(found, (None, b"abc"))
            self.assertEqual(b"abc", await self.driver.get_content("/d/file"))

    async def test_cancel_put(self) -> None:
        """A put that is cancelled leaves the old content or the new, whole."""
        old, new = b"o" * 100_000, b"n" * 100_000
        for turns in MOMENTS:
            await self.driver.put_content("/d/file", old)
            await self.cancelled(self.driver.put_content("/d/file", new), turns)
            self.assertIn(await self.driver.get_content("/d/file"), (old, new))
            await self.driver.put_content("/d/file", b"next")
            await self.turn(3)
            self.assertEqual(b"next", await self.driver.get_content("/d/file"))
            self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_cancel_put_of_new(self) -> None:
        """A put of a new file that is cancelled leaves nothing, or all of it."""
        for turns in MOMENTS:
            await self.cancelled(self.driver.put_content("/d/e/file", b"new"), turns)
            if await self.exists("/d/e/file"):
                self.assertEqual(b"new", await self.driver.get_content("/d/e/file"))
            await self.driver.put_content("/d/e/file", b"again")
            self.assertEqual(["file"], await self.driver.list_children("/d/e"))
            await self.driver.delete("/d")

    async def test_cancel_open_reader(self) -> None:
        """To open a reader can be cancelled."""
        await self.driver.put_content("/d/file", b"abc")
        for turns in MOMENTS:
            source = await self.cancelled(self.driver.open_reader("/d/file"), turns)
            if source is not None:
                source.stopProducing()
            self.assertEqual(b"abc", await self.read("/d/file"))

    async def test_cancel_reading(self) -> None:
        """To read can be cancelled; the file can be read again."""
        content = Pattern(500_000).content()
        await self.driver.put_content("/d/file", content)
        for turns in MOMENTS:
            source = await self.driver.open_reader("/d/file")
            running = source.startProducing(Holding(source))
            await self.turn(turns)
            running.cancel()
            await self.refusal(CancelledError, running)
            self.assertEqual(content, await self.read("/d/file"))

    async def test_cancel_open_writer(self) -> None:
        """To open a writer can be cancelled; the path is free afterwards."""
        for turns in MOMENTS:
            await self._open_and_cancel("/d/e/file", turns)
            await self.write("/d/e/file", [b"abc"])
            self.assertEqual(b"abc", await self.read("/d/e/file"))
            await self.driver.delete("/d")

    async def test_cancel_open_to_replace(self) -> None:
        """To open a writer over a file can be cancelled; the file stays."""
        await self.driver.put_content("/d/file", b"old")
        for turns in MOMENTS:
            await self._open_and_cancel("/d/file", turns)
            self.assertEqual(b"old", await self.driver.get_content("/d/file"))
            self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_cancel_open_to_append(self) -> None:
        """To open a writer behind a file can be cancelled; nothing is lost."""
        await self.driver.put_content("/d/file", b"abc")
        for turns in MOMENTS:
            running = self.driver.open_writer("/d/file", append=True)
            writer = await self.cancelled(running, turns)
            if writer is not None:
                await writer.close()
            self.assertEqual(3, (await self.driver.stat("/d/file")).size)
        await self.write("/d/file", [b"def"], append=True)
        self.assertEqual(b"abcdef", await self.read("/d/file"))

    async def test_cancel_close(self) -> None:
        """A close that is cancelled frees the path; what is there can be continued."""
        for turns in MOMENTS:
            writer = await self.write_some("/d/file", [b"abc"])
            await self.cancelled(writer.close(), turns)
            await writer.close()
            if await self.exists("/d/file"):
                self.assertEqual(3, (await self.driver.stat("/d/file")).size)
                await self.write("/d/file", [b"def"], append=True)
                self.assertEqual(b"abcdef", await self.read("/d/file"))
                await self.driver.delete("/d")

    async def test_cancel_commit(self) -> None:
        """A commit that is cancelled frees the path; a file that is there is whole."""
        content = Pattern(200_000).content()
        for turns in MOMENTS:
            writer = await self.write_some("/d/file", [content])
            await self.cancelled(writer.commit(), turns)
            await writer.close()
            if await self.exists("/d/file"):
                self.assertEqual(content, await self.read("/d/file"))
            await self.write("/d/file", [b"again"])
            self.assertEqual(b"again", await self.read("/d/file"))
            self.assertEqual(["file"], await self.driver.list_children("/d"))
            await self.driver.delete("/d")

    async def test_cancel_commit_over(self) -> None:
        """A commit over a file that is cancelled leaves one of both, whole."""
        old, new = b"o" * 100_000, b"n" * 100_000
        for turns in MOMENTS:
            await self.driver.put_content("/d/file", old)
            writer = await self.write_some("/d/file", [new])
            await self.cancelled(writer.commit(), turns)
            await writer.cancel()
            self.assertIn(await self.driver.get_content("/d/file"), (old, new))
            self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_cancel_cancel(self) -> None:
        """Even a cancel can be cancelled; the path is free afterwards."""
        for turns in MOMENTS:
            writer = await self.write_some("/d/file", [b"abc"])
            await self.cancelled(writer.cancel(), turns)
            await writer.cancel()
            await self.write("/d/file", [b"again"])
            self.assertEqual(b"again", await self.read("/d/file"))
            await self.driver.delete("/d")

    async def test_cancel_pumping(self) -> None:
        """To write from a source can be cancelled; the writer can be ended then."""
        for turns in MOMENTS:
            source = Pattern(self.large).source(self.clock())
            writer = await self.driver.open_writer("/d/file")
            running = Deferred.fromCoroutine(pump(source, writer))
            await self.cancelled(running, turns)
            await writer.cancel()
            self.assertFalse(await self.exists("/d/file"))

    async def test_cancel_stat(self) -> None:
        """To ask about a path can be cancelled."""
        await self.driver.put_content("/d/file", b"abc")
        for turns in MOMENTS:
            await self.cancelled(self.driver.stat("/d/file"), turns)
            self.assertEqual(3, (await self.driver.stat("/d/file")).size)

    async def test_cancel_list(self) -> None:
        """To list a directory can be cancelled."""
        await self.driver.put_content("/d/file", b"abc")
        for turns in MOMENTS:
            await self.cancelled(self.driver.list_children("/d"), turns)
            self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_cancel_move(self) -> None:
        """A move that is cancelled leaves the file at one of both paths, whole."""
        for turns in MOMENTS:
            await self.driver.put_content("/d/one", b"content")
            await self.cancelled(self.driver.move("/d/one", "/e/f/two"), turns)
            moved = await self.exists("/e/f/two")
            self.assertNotEqual(moved, await self.exists("/d/one"))
            if not moved:
                await self.driver.move("/d/one", "/e/f/two")
            self.assertEqual(b"content", await self.driver.get_content("/e/f/two"))
            self.assertEqual(["two"], await self.driver.list_children("/e/f"))

    async def test_cancel_delete(self) -> None:
        """A deletion that is cancelled can be repeated until nothing is left."""
        for turns in MOMENTS:
            for name in ("one", "two/three"):
                await self.driver.put_content(f"/d/{name}", b"x")
            await self.cancelled(self.driver.delete("/d"), turns)
            with suppress(PathNotFound):
                await self.driver.delete("/d")
            self.assertEqual([], await self.driver.list_children("/"))

    async def test_cancel_redirect(self) -> None:
        """To ask for a URL can be cancelled."""
        for turns in MOMENTS:
            running = self.driver.redirect_url("/d/file", "GET", 60.0)
            await self.cancelled(running, turns)

    async def _open_and_cancel(self, path: str, turns: int) -> None:
        writer = await self.cancelled(self.driver.open_writer(path), turns)
        if writer is not None:
            await writer.cancel()
