"""What the journal's files hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.storage.records import BLOCK, Entry, Gone, Moved, Written, pack, unpack

GENERATION = 2**60 + 7

PATHS = st.from_regex(r"(/[A-Za-z0-9._~-]{1,9}){1,3}", fullmatch=True)
ENTRIES = st.one_of(
    st.builds(Written, PATHS, st.binary(max_size=2 * BLOCK)),
    st.builds(Moved, PATHS, PATHS, st.integers(1, 2**64 - 1)),
    st.builds(Gone, PATHS),
)


def written(rows: list[list[Entry]], generation: int = GENERATION) -> bytes:
    """Return a file with records, one for each row of entries."""
    content = b""
    for entries in rows:
        content += pack(generation, len(content), entries)
    return content


class RecordTests(SynchronousTestCase):
    """Records that are packed and unpacked."""

    @given(st.lists(st.lists(ENTRIES, max_size=4), max_size=4), st.binary(max_size=99))
    def test_same(self, rows: list[list[Entry]], rest: bytes) -> None:
        """What was packed is unpacked, whatever lies behind it."""
        generation, entries = unpack(written(rows) + rest)
        self.assertEqual([each for row in rows for each in row], entries)
        self.assertEqual(GENERATION if rows else 0, generation)

    def test_block(self) -> None:
        """A record fills blocks, which no other one shares."""
        self.assertEqual(BLOCK, len(pack(1, 0, [Gone("/a")])))
        long = pack(1, 0, [Written("/a", bytes(BLOCK))])
        self.assertEqual(2 * BLOCK, len(long))

    def test_torn(self) -> None:
        """A record that is not whole ends the row, wherever it was torn."""
        whole: list[Entry] = [Written("/a", b"1"), Gone("/b")]
        content = written([whole, [Written("/c", b"23" * BLOCK)], whole])
        for place in range(BLOCK, 3 * BLOCK, 100):
            torn = bytearray(content)
            torn[place] ^= 1
            found = unpack(bytes(torn))[1]
            with self.subTest(place=place):
                self.assertEqual(whole, found[:2])
                self.assertIn(len(found), (2, 5))  # 5: it was in the padding
        self.assertEqual(whole, unpack(content[: 2 * BLOCK])[1])

    def test_other_generation(self) -> None:
        """What an earlier generation has left behind is no part of the row."""
        old = written([[Written("/old", b"")]] * 3, GENERATION - 2)
        new = written([[Written("/new", b"")]])
        self.assertEqual(
            (GENERATION, [Written("/new", b"")]), unpack(new + old[len(new) :])
        )

    def test_other_place(self) -> None:
        """A record counts only where it was written."""
        record = pack(GENERATION, BLOCK, [Gone("/a")])
        self.assertEqual((0, []), unpack(record))
        first = pack(GENERATION, 0, [Gone("/a")])
        self.assertEqual([Gone("/a")], unpack(first + first)[1])

    def test_empty(self) -> None:
        """A file of zeros, or none at all, has no record."""
        self.assertEqual((0, []), unpack(bytes(3 * BLOCK)))
        self.assertEqual((0, []), unpack(b""))
