"""Tests of txregistry.web.chunks and decoding, beside Twisted's decoder."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import _ChunkedTransferDecoder, _MalformedChunkedDataError

from txregistry.web.chunks import LONGEST_LINE, LONGEST_TRAILERS, ChunkFraming
from txregistry.web.decoding import BodyDecoder, LengthFraming, MalformedBody


class Seen:
    """What a decoder made of pieces.

    Attributes:
        content: The content.
        rest: What came behind the end; None: there was no end.
        refused_at: Which piece was malformed; None: none was.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.content = b""
        self.rest: bytes | None = None
        self.refused_at: int | None = None

    def facts(self) -> tuple[bytes, bytes | None, int | None]:
        """Return all of it."""
        return self.content, self.rest, self.refused_at

    def take(self, piece: bytes | memoryview) -> None:
        """Take content."""
        self.content += piece

    def end(self, rest: bytes) -> None:
        """Take what is behind the end."""
        self.rest = rest

    def feed(
        self, decoder: BodyDecoder | _ChunkedTransferDecoder, cut: list[bytes]
    ) -> None:
        """Give pieces to a decoder, up to the body's end or what is malformed."""
        for number, piece in enumerate(cut):
            try:
                decoder.dataReceived(piece)
            except (MalformedBody, _MalformedChunkedDataError):
                self.refused_at = number
            if self.refused_at is not None or self.rest is not None:
                return


def ours(cut: list[bytes]) -> tuple[bytes, bytes | None, int | None]:
    """Return what our decoder makes of pieces."""
    seen = Seen()
    seen.feed(BodyDecoder(ChunkFraming(), seen.take, seen.end), cut)
    return seen.facts()


def theirs(cut: list[bytes]) -> tuple[bytes, bytes | None, int | None]:
    """Return what Twisted's decoder makes of pieces."""
    seen = Seen()
    seen.feed(_ChunkedTransferDecoder(seen.take, seen.end), cut)
    return seen.facts()


def split(whole: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places."""
    ends = sorted({min(place, len(whole)) for place in places} | {0, len(whole)})
    pieces = [whole[a:b] for a, b in pairwise(ends)]
    return [piece for piece in pieces if piece]


CHUNKS = st.builds(
    lambda content, zeros, extension: (
        b"0" * zeros + b"%X%s\r\n%s\r\n" % (len(content), extension, content)
    ),
    st.binary(min_size=1, max_size=40),
    st.integers(0, 3),
    st.sampled_from([b"", b";", b";a=b", b';a="\xff; \t"']),
)
ENDS = st.sampled_from(
    [b"0\r\n\r\n", b"000;x\r\n\r\n", b"0\r\nA: b\r\nC\r\n\r\n", b"0\r\n \r\n\r\n", b""]
)
BODIES = st.builds(
    lambda chunks, end, rest: b"".join(chunks) + end + rest,
    st.lists(CHUNKS, max_size=5),
    ENDS,
    st.sampled_from([b"", b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"0\r\n\r\n"]),
)
PLACES = st.lists(st.integers(0, 300), max_size=12)
NOISE = st.lists(
    st.sampled_from(
        [
            *(b"0", b"1", b"a", b"G", b"\r", b"\n", b"\r\n", b";", b" ", b"\0"),
            *(b"\x7f", b"0x2", b"+1", b"-1", b"1_0", b"\xb2", b"\r\n\r\n"),
        ]
    ),
    max_size=30,
).map(b"".join)


class ChunkTests(SynchronousTestCase):
    """Chunks are taken and refused as Twisted does it, however they are cut."""

    @given(BODIES, PLACES)
    def test_bodies(self, body: bytes, places: list[int]) -> None:
        """Bodies in order."""
        cut = split(body, places)
        self.assertEqual(theirs(cut), ours(cut))

    @given(BODIES)
    def test_byte_by_byte(self, body: bytes) -> None:
        """Bodies that come byte by byte."""
        cut = split(body, list(range(len(body))))
        self.assertEqual(theirs(cut), ours(cut))

    @given(NOISE, PLACES)
    def test_noise(self, noise: bytes, places: list[int]) -> None:
        """What looks like a body and mostly is none."""
        cut = split(noise, places)
        self.assertEqual(theirs(cut), ours(cut))

    @given(BODIES, st.integers(0, 250), NOISE, PLACES)
    def test_spoilt(
        self, body: bytes, place: int, noise: bytes, places: list[int]
    ) -> None:
        """Bodies with something in them that does not belong there."""
        cut = split(body[:place] + noise + body[place:], places)
        self.assertEqual(theirs(cut), ours(cut))

    def test_long_lines(self) -> None:
        """Lines with a size are as long as Twisted has them at the most."""
        for length in range(LONGEST_LINE - 3, LONGEST_LINE + 4):
            for line in (b"1;" + b"x" * (length - 2), b"0" * (length - 1) + b"1"):
                whole = line + b"\r\nx\r\n0\r\n\r\n"
                for place in range(length - 2, length + 4):
                    cut = split(whole, [place])
                    self.assertEqual(theirs(cut), ours(cut))
                self.assertEqual(theirs([line]), ours([line]))

    def test_long_trailers(self) -> None:
        """So are trailers."""
        for length in range(LONGEST_TRAILERS - 6, LONGEST_TRAILERS + 3):
            for trailers in (b"x" * length, b"a: b\r\n" + b"x" * (length - 6)):
                whole = b"0\r\n" + trailers + b"\r\n\r\n"
                for place in range(length - 1, length + 7):
                    cut = split(whole, [place])
                    self.assertEqual(theirs(cut), ours(cut))

    def test_no_copy(self) -> None:
        """Content is returned as views of what arrived."""
        buffer = bytearray(b"3\r\nabc\r\n2\r\nde")
        pieces = ChunkFraming().scan(buffer, len(buffer))
        self.assertEqual([b"abc", b"de"], [bytes(piece) for piece in pieces])
        for piece in pieces:
            self.assertIs(buffer, piece.obj)

    def test_size(self) -> None:
        """What is in a buffer behind the bytes that arrived does not count."""
        framing = ChunkFraming()
        self.assertEqual([], framing.scan(bytearray(b"3\r\nabc"), 2))
        self.assertEqual([b"xyz"], framing.scan(bytearray(b"\nxyz\r\n0\r\n\r\n"), 4))
        self.assertFalse(framing.complete)


class LengthTests(SynchronousTestCase):
    """A body whose length was told."""

    def test_whole(self) -> None:
        """What is behind its end is not its own."""
        seen = Seen()
        decoder = BodyDecoder(LengthFraming(5), seen.take, seen.end)
        seen.feed(decoder, [b"ab", b"cdefg"])
        self.assertEqual((b"abcde", b"fg", None), seen.facts())

    def test_wanted(self) -> None:
        """It is known how much is still to come."""
        framing = LengthFraming(5)
        framing.scan(b"ab", 2)
        self.assertEqual((3, False), (framing.wanted, framing.complete))
        framing.scan(b"cde", 3)
        self.assertEqual((0, True, 3), (framing.wanted, framing.complete, framing.end))

    def test_no_copy(self) -> None:
        """A piece that is content and nothing else is handed on as it is."""
        piece, got = b"abc", list[object]()
        BodyDecoder(LengthFraming(5), got.append, got.append).dataReceived(piece)
        self.assertIs(piece, got[0])
