"""Tests of txregistry.web.pagecache."""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web import pagecache as module
from txregistry.web.pagecache import missing_pages, would_wait

PAGE = mmap.PAGESIZE


class KernelTests(SynchronousTestCase):
    """The kernel's own."""

    def test_warm(self) -> None:
        """A file that was just written is at hand, whether or not a range is whole."""
        with tempfile.TemporaryFile() as stream:
            stream.write(b"x" * 10_000)
            stream.flush()
            for offset, size in (0, 10_000), (5000, 1), (9_999, 1), (4095, 2):
                self.assertFalse(would_wait(stream.fileno(), offset, size))

    def test_short(self) -> None:
        """Of a file that ends in a range nothing is waited for."""
        with tempfile.TemporaryFile() as stream:
            stream.write(b"x")
            stream.flush()
            self.assertFalse(would_wait(stream.fileno(), 0, 9 * PAGE))

    def test_closed(self) -> None:
        """What cannot be read is not waited for."""
        with tempfile.TemporaryFile() as stream:
            descriptor = os.dup(stream.fileno())
        os.close(descriptor)
        self.assertFalse(would_wait(descriptor, 0, 1))
        self.assertIsNone(missing_pages(descriptor, 0, 1))


class WaitTests(SynchronousTestCase):
    """What is made of what a kernel says."""

    def setUp(self) -> None:
        """Have a kernel that says what the tests want."""
        self.cold: set[int] = set()
        self.here: int | None = 0
        self.overlooked = 0
        self.asked: list[tuple[int, int]] = []
        self.patch(os, "preadv", self.preadv)
        self.patch(module, "_system_call", lambda: self.call)

    def preadv(self, _: int, buffers: Sequence[Any], position: int, flags: int) -> int:
        """Say that a byte is at hand."""
        self.assertEqual(os.RWF_NOWAIT, flags)
        if position in self.cold:
            raise BlockingIOError
        return 1

    def call(self, number: int, _: int, span: Any, counts: Any, flags: int) -> int:
        """Say how many pages are at hand."""
        self.assertEqual((451, 0), (number, flags))
        self.asked.append((span[0], span[1]))
        if self.here is None:
            ctypes.set_errno(38)
            return -1
        counts[0] = self.here - self.overlooked
        self.overlooked = 0
        return 0

    def test_ends(self) -> None:
        """A range whose first or last byte is not at hand would be waited for."""
        self.here = 3
        for cold, expected in (PAGE, True), (3 * PAGE - 1, True), (PAGE + 1, False):
            self.cold = {cold}
            self.assertEqual(expected, would_wait(3, PAGE, 2 * PAGE), cold)

    def test_middle(self) -> None:
        """So would one that has a hole."""
        for here, expected in (5, False), (4, True), (0, True):
            self.here = here
            self.assertEqual(expected, would_wait(3, PAGE - 1, 3 * PAGE + 2))
        self.assertEqual({(PAGE - 1, 3 * PAGE + 2)}, set(self.asked))

    def test_miscounted(self) -> None:
        """A kernel that has overlooked something is asked again."""
        self.here, self.overlooked = 3, 1
        self.assertFalse(would_wait(3, 0, 3 * PAGE))
        self.assertEqual(2, len(self.asked))

    def test_unknown(self) -> None:
        """Where the kernel does not know it, the ends are what there is."""
        self.here = None
        self.assertFalse(would_wait(3, 0, 9 * PAGE))
        self.patch(module, "_system_call", lambda: None)
        self.assertFalse(would_wait(3, 0, 9 * PAGE))
