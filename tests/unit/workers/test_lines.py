"""Tests of txregistry.workers.lines and txregistry.workers.assignment."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.workers.assignment import Assignment
from txregistry.workers.lines import LineReader, to_line


class LinesTests(SynchronousTestCase):
    """Messages as lines."""

    @given(
        st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=5),
        st.integers(1, 9),
    )
    def test_cut(self, messages: list[dict[str, str]], size: int) -> None:
        """However they are cut, they come as they were."""
        data = b"".join(map(to_line, messages))
        reader = LineReader()
        found: list[dict[str, str]] = []
        for start in range(0, len(data), size):
            found += reader.feed(data[start : start + size])
        self.assertEqual(messages, found)


class AssignmentTests(SynchronousTestCase):
    """What a worker is given."""

    def test_read(self) -> None:
        """All that have the descriptor can read it, one after the other."""
        given = Assignment("a.yml", "x" * 100_000, "/", "r", sockets={"http": 5})
        descriptor = given.write()
        self.addCleanup(os.close, descriptor)
        for _ in range(2):
            self.assertEqual(given, Assignment.read(descriptor))
