"""Cases of DriverContract: files that are written as streams."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

from zope.interface.verify import verifyObject

from txregistry.interfaces import (
    IFileWriter,
    InvalidPath,
    PathBusy,
    PathNotFound,
    StorageError,
)
from txregistry.streams import Tee, pump
from txregistry.testing.driver_fixture import DriverFixture
from txregistry.testing.streams import Digesting, Pattern


class WriterCases(DriverFixture):
    """A sink into a file, in one session or in several."""

    async def test_writer_provides(self) -> None:
        """What is opened for writing provides IFileWriter."""
        writer = await self.driver.open_writer("/d/file")
        verifyObject(IFileWriter, writer)
        await writer.cancel()

    async def test_commit(self) -> None:
        """What was written and committed is read."""
        for content in (b"a", "\N{CYRILLIC SMALL LETTER YA}".encode(), b"\x80" * 4):
            await self.write("/d/file", [content])
            self.assertEqual(content, await self.read("/d/file"))
            self.assertEqual(content, await self.driver.get_content("/d/file"))

    async def test_sync(self) -> None:
        """What was synced is there, and the writer goes on."""
        writer = await self.write_some("/d/file", [b"abc"])
        await writer.sync()
        writer.write(b"def")
        await writer.commit()
        self.assertEqual(b"abcdef", await self.read("/d/file"))

    async def test_commit_elsewhere(self) -> None:
        """A file can be committed to another path, over what is there."""
        for old in (None, b"old"):
            if old is not None:
                await self.driver.put_content("/e/there", old)
            writer = await self.write_some("/d/file", [b"abc"])
            await writer.commit("/e/there")
            self.assertEqual(b"abc", await self.read("/e/there"))
            await self.refusal(PathNotFound, self.driver.stat("/d/file"))

    async def test_commit_elsewhere_keeps_others_out(self) -> None:
        """Nobody who waits for the path gets to write into what was committed."""
        if not self.exclusive_writers:
            return
        writer = await self.write_some("/d/file", [b"abc"])
        committing = writer.commit("/e/there")
        try:
            late = await self.driver.open_writer("/d/file", append=True)
        except (PathBusy, PathNotFound):
            pass
        else:
            late.write(b"def")
            await late.close()
        await committing
        self.assertEqual(b"abc", await self.read("/e/there"))

    async def test_commit_elsewhere_invalid(self) -> None:
        """A destination has to be a path; the writer can still be ended."""
        writer = await self.write_some("/d/file", [b"abc"])
        await self.refusal(InvalidPath, writer.commit("/e/../x"))
        await writer.cancel()

    async def test_pieces(self) -> None:
        """Pieces of any size end up one behind another."""
        content = Pattern(200_000).content()
        ends = [0, 1, 1, 3, 100, 65_636, 65_636, 131_172, 200_000]
        pieces = [content[a:b] for a, b in pairwise(ends)]
        await self.write("/d/file", pieces)
        self.assertEqual(content, await self.read("/d/file"))

    async def test_commit_nothing(self) -> None:
        """A file of no bytes is written like any other."""
        await self.write("/d/file", [])
        self.assertEqual(b"", await self.read("/d/file"))
        self.assertEqual(0, (await self.driver.stat("/d/file")).size)

    async def test_commit_large(self) -> None:
        """Large content is kept byte for byte."""
        pattern, sink = Pattern(self.large), Digesting()
        writer = await self.driver.open_writer("/d/large")
        await pump(pattern.source(self.clock()), writer)
        self.assertEqual(self.large, writer.size)
        await writer.commit()
        await pump(await self.driver.open_reader("/d/large"), sink)
        self.assertEqual((self.large, pattern.digest()), (sink.size, sink.digest()))

    async def test_size(self) -> None:
        """A writer knows how many bytes are in the file so far."""
        writer = await self.driver.open_writer("/d/file")
        self.assertEqual(0, writer.size)
        writer.write(b"abc")
        self.assertEqual(3, writer.size)
        await writer.commit()
        self.assertEqual(3, writer.size)

    async def test_close(self) -> None:
        """A file that was closed is there, with the size that it has."""
        writer = await self.write_some("/d/file", [b"abc"])
        await writer.close()
        stat = await self.driver.stat("/d/file")
        self.assertEqual((False, 3), (stat.is_directory, stat.size))
        self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_sessions(self) -> None:
        """A file is written in several sessions, each behind the last."""
        content = Pattern(96).content()
        for start in (0, 32, 64):
            piece = content[start : start + 32]
            writer = await self.write_some("/d/file", [piece], append=start > 0)
            self.assertEqual(start + 32, writer.size)
            await writer.close()
        await self.write("/d/file", [], append=True)
        self.assertEqual(content, await self.read("/d/file"))

    async def test_large_sessions(self) -> None:
        """Large content in several sessions is kept byte for byte."""
        third, sink = Pattern(self.large // 3), Digesting()
        expected = sha256()
        for session in range(3):
            writer = await self.driver.open_writer("/d/large", append=session > 0)
            self.assertEqual(session * third.length, writer.size)
            await pump(third.source(self.clock()), Tee(writer, [expected.update]))
            await (writer.commit() if session == 2 else writer.close())
        await pump(await self.driver.open_reader("/d/large"), sink)
        self.assertEqual(3 * third.length, sink.size)
        self.assertEqual(expected.hexdigest(), sink.digest())

    async def test_sessions_elsewhere(self) -> None:
        """Another process goes on where this one stopped."""
        writer = await self.write_some("/d/file", [b"one "])
        await writer.close()
        second = await self.make_second_driver().open_writer("/d/file", append=True)
        self.assertEqual(4, second.size)
        second.write(b"two")
        await second.commit()
        self.assertEqual(b"one two", await self.read("/d/file"))

    async def test_append_to_missing(self) -> None:
        """There must be something to append to; nothing is made."""
        running = self.driver.open_writer("/d/none", append=True)
        error = await self.refusal(PathNotFound, running)
        self.assertEqual(("/d/none", self.driver.name), (error.path, error.driver))
        self.assertFalse(await self.exists("/d/none"))

    async def test_append_to_directory(self) -> None:
        """A directory is nothing to append to."""
        await self.driver.put_content("/d/file", b"x")
        running = self.driver.open_writer("/d", append=True)
        await self.refusal(StorageError, running)

    async def test_append_to_empty_stream(self) -> None:
        """A committed file of no bytes can be appended to."""
        await self.write("/d/file", [])
        await self.write("/d/file", [Pattern(32).content()], append=True)
        self.assertEqual(Pattern(32).content(), await self.read("/d/file"))

    async def test_append_to_empty_content(self) -> None:
        """A file of no bytes that was put can be appended to."""
        await self.driver.put_content("/d/file", b"")
        await self.write("/d/file", [Pattern(32).content()], append=True)
        self.assertEqual(Pattern(32).content(), await self.read("/d/file"))

    async def test_append_to_content(self) -> None:
        """A file that was put can be appended to."""
        await self.driver.put_content("/d/file", b"one ")
        await self.write("/d/file", [b"two"], append=True)
        self.assertEqual(b"one two", await self.read("/d/file"))

    async def test_begin_anew(self) -> None:
        """Without append, nothing of what was there is left."""
        await self.write("/d/file", [Pattern(4096).content()])
        await self.write("/d/file", [b"new"])
        self.assertEqual(b"new", await self.read("/d/file"))

    async def test_begin_anew_in_sessions(self) -> None:
        """What is begun anew and closed is gone on with, not what was there before."""
        await self.driver.put_content("/d/file", b"old and long")
        writer = await self.write_some("/d/file", [b"ne"])
        await writer.close()
        await self.write("/d/file", [b"w"], append=True)
        self.assertEqual(b"new", await self.read("/d/file"))

    async def test_old_until_commit(self) -> None:
        """Readers have the old file whole until the new one is committed."""
        await self.driver.put_content("/d/file", b"old")
        writer = await self.write_some("/d/file", [b"brand new"])
        self.assertEqual(b"old", await self.driver.get_content("/d/file"))
        self.assertEqual(["file"], await self.driver.list_children("/d"))
        await writer.commit()
        self.assertEqual(b"brand new", await self.driver.get_content("/d/file"))

    async def test_cancel_writer(self) -> None:
        """A file whose writer was cancelled is not there."""
        writer = await self.write_some("/d/file", [b"abc"])
        await writer.cancel()
        await self.refusal(PathNotFound, self.driver.get_content("/d/file"))
        self.assertFalse(await self.exists("/d/file"))

    async def test_cancel_appending(self) -> None:
        """To cancel deletes what earlier sessions wrote, too."""
        await (await self.write_some("/d/file", [b"abc"])).close()
        writer = await self.write_some("/d/file", [b"def"], append=True)
        await writer.cancel()
        self.assertFalse(await self.exists("/d/file"))

    async def test_cancel_replacing(self) -> None:
        """To cancel what was to replace a file leaves that file as it was."""
        await self.driver.put_content("/d/file", b"old")
        writer = await self.write_some("/d/file", [b"new"])
        await writer.cancel()
        self.assertEqual(b"old", await self.driver.get_content("/d/file"))
        self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_cancel_what_is_gone(self) -> None:
        """To cancel a writer whose file is gone is harmless."""
        await self.driver.put_content("/d/other", b"x")
        writer = await self.write_some("/d/file", [b"abc"])
        await writer.close()
        writer = await self.driver.open_writer("/d/file", append=True)
        await self.driver.delete("/d/file")
        await writer.cancel()
        self.assertFalse(await self.exists("/d/file"))

    async def test_after_the_end(self) -> None:
        """A writer that has ended takes no bytes and cannot be committed."""
        for path in ("/d/close", "/d/commit", "/d/cancel"):
            writer = await self.write_some(path, [b"abc"])
            await getattr(writer, path.rpartition("/")[2])()
            self.assertRaises(StorageError, writer.write, b"more")
            await self.refusal(StorageError, writer.commit())

    async def test_end_again(self) -> None:
        """To close or cancel a writer that was committed changes nothing."""
        writer = await self.write_some("/d/file", [b"abc"])
        await writer.commit()
        await writer.cancel()
        await writer.close()
        self.assertEqual(b"abc", await self.driver.get_content("/d/file"))

    async def test_second_writer(self) -> None:
        """A path has one writer; another one is refused, as long as it is open."""
        if not self.exclusive_writers:
            return
        first = await self.write_some("/d/file", [b"abc"])
        await self._require_busy()
        await first.close()
        await self.write("/d/file", [b"def"], append=True)
        self.assertEqual(b"abcdef", await self.read("/d/file"))

    async def test_second_writer_appending(self) -> None:
        """A path that is appended to has one writer."""
        if not self.exclusive_writers:
            return
        await self.driver.put_content("/d/file", b"abc")
        first = await self.driver.open_writer("/d/file", append=True)
        await self._require_busy()
        await first.cancel()

    async def test_second_writer_replacing(self) -> None:
        """A path whose file is being replaced has one writer."""
        if not self.exclusive_writers:
            return
        await self.driver.put_content("/d/file", b"old")
        first = await self.write_some("/d/file", [b"new"])
        await self._require_busy()
        await first.commit()
        self.assertEqual(b"new", await self.read("/d/file"))

    async def test_writers_of_two_paths(self) -> None:
        """Writers of different paths do not disturb each other."""
        one = await self.write_some("/d/one", [b"1"])
        two = await self.write_some("/d/two", [b"2"])
        one.write(b"one")
        two.write(b"two")
        await two.commit()
        await one.commit()
        self.assertEqual(b"1one", await self.read("/d/one"))
        self.assertEqual(b"2two", await self.read("/d/two"))

    async def _require_busy(self) -> None:
        for driver in (self.driver, self.make_second_driver()):
            for append in (False, True):
                running = driver.open_writer("/d/file", append)
                error = await self.refusal(PathBusy, running)
                self.assertEqual("/d/file", error.path)
