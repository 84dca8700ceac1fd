"""Cases of DriverContract: files that are read as streams."""

from __future__ import annotations

from random import Random

from twisted.internet.defer import CancelledError
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from txregistry.interfaces import InvalidOffset, PathNotFound
from txregistry.streams import Collector, pump
from txregistry.testing.driver_fixture import DriverFixture
from txregistry.testing.streams import Breaking, Digesting, Holding, Pattern, SinkBroke


class ReaderCases(DriverFixture):
    """A source over a file, or over a range of it."""

    async def test_source_provides(self) -> None:
        """What is opened for reading provides IBodyProducer."""
        await self.driver.put_content("/d/file", b"abc")
        source = await self.driver.open_reader("/d/file")
        self.addCleanup(source.stopProducing)
        verifyObject(IBodyProducer, source)

    async def test_offsets(self) -> None:
        """A source begins at the offset and knows how much is left."""
        content = Pattern(96).content()
        await self.driver.put_content("/d/file", content)
        for offset in (0, 1, 32, 64, 95, 96):
            self.assertEqual(content[offset:], await self.read("/d/file", offset))

    async def test_ranges(self) -> None:
        """A source ends after the length asked for, or where the file does."""
        content = Pattern(96).content()
        await self.driver.put_content("/d/file", content)
        for offset, length in ((0, 1), (0, 96), (0, 97), (32, 32), (95, 9), (96, 1)):
            found = await self.read("/d/file", offset, length)
            self.assertEqual(content[offset : offset + length], found)

    async def test_zero_length(self) -> None:
        """A range of no bytes is read like any other."""
        await self.driver.put_content("/d/file", b"abc")
        self.assertEqual(b"", await self.read("/d/file", 1, 0))

    async def test_zero_bytes(self) -> None:
        """A file of no bytes is read like any other."""
        await self.driver.put_content("/d/file", b"")
        self.assertEqual(b"", await self.read("/d/file"))

    async def test_offset_outside(self) -> None:
        """An offset before the file or beyond its end is refused."""
        await self.driver.put_content("/d/file", b"abc")
        for offset in (-1, 4, 2**40):
            running = self.driver.open_reader("/d/file", offset)
            error = await self.refusal(InvalidOffset, running)
            self.assertEqual(("/d/file", offset), (error.path, error.offset))
            self.assertEqual(self.driver.name, error.driver)

    async def test_missing(self) -> None:
        """What is not there cannot be opened, whatever the offset."""
        for offset in (0, 64):
            running = self.driver.open_reader("/d/none", offset)
            error = await self.refusal(PathNotFound, running)
            self.assertEqual("/d/none", error.path)

    async def test_directory(self) -> None:
        """A directory cannot be opened."""
        await self.driver.put_content("/d/file", b"abc")
        await self.refusal(PathNotFound, self.driver.open_reader("/d"))

    async def test_large(self) -> None:
        """Large content comes back byte for byte."""
        pattern = Pattern(self.large)
        await self._write_pattern(pattern)
        source, sink = await self.driver.open_reader("/d/large"), Digesting()
        self.assertEqual(self.large, source.length)
        await pump(source, sink)
        self.assertEqual((self.large, pattern.digest()), (sink.size, sink.digest()))

    async def test_large_ranges(self) -> None:
        """Ranges anywhere in large content come back byte for byte."""
        pattern, random = Pattern(self.large), Random(1)
        await self._write_pattern(pattern)
        for _ in range(8):
            offset, length = random.randrange(self.large), random.randrange(300_000)
            found = await self.read("/d/large", offset, length)
            self.assertEqual(pattern.content(offset, length), found)

    async def test_never_started(self) -> None:
        """A source that never started can be stopped; started later, it fails."""
        await self.driver.put_content("/d/file", b"abc")
        source, sink = await self.driver.open_reader("/d/file"), Collector(3)
        source.stopProducing()
        await self.refusal(CancelledError, source.startProducing(sink))
        self.assertEqual(b"", sink.content())

    async def test_stop(self) -> None:
        """A source that is stopped writes no more, and fails with CancelledError."""
        await self._write_pattern(Pattern(self.large))
        source = await self.driver.open_reader("/d/large")
        sink = Holding(source)
        running = source.startProducing(sink)
        await self._first_piece(sink)
        source.stopProducing()
        await self.refusal(CancelledError, running)
        await self._require_silent(sink)
        self.assertLess(sink.size, self.large)

    async def test_stop_twice(self) -> None:
        """To stop a source that has stopped, or ended, is harmless."""
        await self.driver.put_content("/d/file", b"abc")
        source = await self.driver.open_reader("/d/file")
        await source.startProducing(Collector(3))
        source.stopProducing()
        source.stopProducing()

    async def test_cancel(self) -> None:
        """To cancel a source's Deferred stops the source."""
        await self._write_pattern(Pattern(self.large))
        source = await self.driver.open_reader("/d/large")
        sink = Holding(source)
        running = source.startProducing(sink)
        await self._first_piece(sink)
        running.cancel()
        await self.refusal(CancelledError, running)
        await self._require_silent(sink)
        self.assertLess(sink.size, self.large)

    async def test_sink_breaks(self) -> None:
        """What a sink's write raises comes out, and the file can be read again."""
        await self.driver.put_content("/d/file", b"abc")
        source = await self.driver.open_reader("/d/file")
        try:
            await pump(source, Breaking())
        except SinkBroke:
            pass
        else:
            self.fail("nothing came out")
        self.assertEqual(b"abc", await self.read("/d/file"))

    async def test_pause(self) -> None:
        """A sink that pauses holds the source, and gets all when it goes on."""
        pattern = Pattern(self.large)
        await self._write_pattern(pattern)
        source = await self.driver.open_reader("/d/large")
        sink, result = Holding(source), list[object]()
        running = source.startProducing(sink)
        running.addBoth(result.append)
        await self._first_piece(sink)
        await self.turn(20)
        self.assertLessEqual(sink.overrun, self.read_ahead)
        while not result:
            sink.overrun = 0
            sink.go_on()
            await self.turn()
            self.assertLessEqual(sink.overrun, self.read_ahead)
        self.assertEqual([None], result)
        self.assertEqual((self.large, pattern.digest()), (sink.size, sink.digest()))

    async def test_pause_before_start(self) -> None:
        """A source that is paused first writes nothing until it is resumed."""
        await self.driver.put_content("/d/file", b"abc")
        source, sink = await self.driver.open_reader("/d/file"), Collector(3)
        source.pauseProducing()
        running = source.startProducing(sink)
        await self.turn(3)
        self.assertEqual(b"", sink.content())
        source.resumeProducing()
        await running
        self.assertEqual(b"abc", sink.content())

    async def test_replaced(self) -> None:
        """A source whose file is replaced has the old content or the new, whole."""
        old, new = Pattern(300_000, 1).content(), Pattern(300_000, 2).content()
        await self.driver.put_content("/d/file", old)
        source, sink = await self.driver.open_reader("/d/file"), Collector(300_000)
        await self.driver.put_content("/d/file", new)
        await pump(source, sink)
        self.assertIn(sink.content(), (old, new))
        self.assertEqual(new, await self.read("/d/file"))

    async def _write_pattern(self, pattern: Pattern) -> None:
        writer = await self.driver.open_writer("/d/large")
        await pump(pattern.source(self.clock()), writer)
        await writer.commit()

    async def _first_piece(self, sink: Holding) -> None:
        while not sink.size:
            await self.turn()

    async def _require_silent(self, sink: Holding) -> None:
        size = sink.size
        await self.turn(5)
        self.assertEqual(size, sink.size)
