"""Paths and the segments they are made of."""

from __future__ import annotations

import posixpath

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces import InvalidPath
from txregistry.storage.paths import require_path, require_path_or_root
from txregistry.storage.segments import is_segment

SEGMENTS = st.text("abcXYZ019._-", min_size=1).filter(lambda s: s not in (".", ".."))
ANYTHING = st.text(st.sampled_from("/._-aZ0 \\:%~\0\näé٣\ud800"), max_size=12)


class PathTests(SynchronousTestCase):
    """What is a path and what is none."""

    @given(st.lists(SEGMENTS, min_size=1))
    def test_segments(self, segments: list[str]) -> None:
        """Valid segments, each behind a slash, are a path."""
        require_path("".join(f"/{segment}" for segment in segments), "d")

    @given(ANYTHING)
    def test_stays_below(self, text: str) -> None:
        """Whatever is accepted leads to one place, below the root, by one spelling."""
        try:
            require_path(text, "d")
        except InvalidPath:
            return
        self.assertEqual(f"/root{text}", posixpath.normpath(f"/root{text}"))
        self.assertNotIn(text, ("", "/"))
        self.assertTrue(text.isascii() and text.isprintable())

    def test_refusal(self) -> None:
        """A refusal names the path and the driver."""
        error = self.assertRaises(InvalidPath, require_path, "/a b", "d")
        self.assertEqual(("/a b", "d"), (error.path, error.driver))

    def test_root(self) -> None:
        """The root is no path of a file."""
        self.assertRaises(InvalidPath, require_path, "/", "d")

    def test_path_or_root(self) -> None:
        """Where the root will do, paths do as well, and nothing else."""
        require_path_or_root("/", "d")
        require_path_or_root("/a", "d")
        for path in ("", "//", "/a/", "a", "/.."):
            self.assertRaises(InvalidPath, require_path_or_root, path, "d")


class SegmentTests(SynchronousTestCase):
    """What may stand between two slashes."""

    def test_segment(self) -> None:
        """Letters, digits, dots, underscores and dashes make a segment."""
        for name in ("a", "_uploads", "1.2", "...", ".a", "-"):
            self.assertTrue(is_segment(name), name)

    def test_no_segment(self) -> None:
        """Nothing, dots that lead elsewhere, and other characters make none."""
        for name in ("", ".", "..", "a/b", "~a.tmp", "lost+found", "a\n", "\udcff"):
            self.assertFalse(is_segment(name), name)
