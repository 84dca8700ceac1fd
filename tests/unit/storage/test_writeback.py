"""Having the disk begin early."""

from __future__ import annotations

import ctypes
import os

from tests.unit.storage.test_disk import DiskCase
from txregistry.storage import drafts, writeback
from txregistry.storage.disk import Disk, write_pieces
from txregistry.storage.drafts import open_draft


class WritebackTests(DiskCase):
    """What the disk is told to begin with."""

    def test_called(self) -> None:
        """It changes nothing that can be seen, and no error of it is one."""
        place = self.mktemp()
        with open(place, "wb") as file:
            file.write(b"abc")
            file.flush()
            writeback.begin_writeback(file.fileno(), 0, 3)
            writeback.begin_writeback(-1, 0, 3)
        with open(place, "rb") as file:
            self.assertEqual(b"abc", file.read())

    def test_not_there(self) -> None:
        """Where the C library has no such function nothing happens."""
        self.patch(writeback, "_sync_file_range", lambda: None)
        writeback.begin_writeback(-1, 0, 3)

    def test_not_found(self) -> None:
        """A C library that has none is found out."""

        def empty(_name: None) -> object:
            return object()

        self.patch(ctypes, "CDLL", empty)
        self.assertIsNone(writeback._sync_file_range.__wrapped__())

    def test_from_time_to_time(self) -> None:
        """A draft hands on what has come together, each byte once."""
        self.patch(drafts, "HANDED_ON", 4)
        begun: list[tuple[int, int]] = []

        def begin(_descriptor: int, offset: int, length: int) -> None:
            begun.append((offset, length))

        self.patch(drafts, "begin_writeback", begin)
        draft = open_draft(Disk(self.root), f"{self.root}/new", append=False)
        self.addCleanup(draft.close)
        for pieces in ([b"ab"], [b"c", b"def"], [b"ghi"], [b"j"]):
            draft.write_pieces(pieces)
            draft.hand_on()
        self.assertEqual([(0, 6), (6, 4)], begun)

    def test_torn(self) -> None:
        """What the system writes in part is written to its end."""
        real, sizes = os.writev, list[int]()

        def writev(descriptor: int, pieces: list[bytes]) -> int:
            sizes.append(len(pieces))
            return real(descriptor, [pieces[0], pieces[1][:1]])

        self.patch(os, "writev", writev)
        place = self.mktemp()
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        write_pieces(descriptor, [b"abc", memoryview(bytearray(b"def")), b"g"])
        with open(place, "rb") as file:
            self.assertEqual(b"abcdefg", file.read())
        self.assertEqual([3], sizes)
