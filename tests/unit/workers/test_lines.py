"""Tests of txregistry.workers.lines and txregistry.workers.assignment."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from txregistry.workers.assignment import Assignment
from txregistry.workers.lines import LineReader, to_line


class LinesTests(SynchronousTestCase):
    """Messages as lines."""

    def test_cut(self) -> None:
        """However they are cut, they come as they were."""
        messages = [{"a": "b\n\u2028\xff"}, {}, {"c": 'd" \\', "e": ""}]
        data = b"".join(map(to_line, messages))
        for size in range(1, len(data) + 1):
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
