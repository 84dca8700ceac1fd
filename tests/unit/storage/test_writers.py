"""Which calls to a writer are in order."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.storage.memory import MemoryDriver
from txregistry.testing.streams import Pattern


class ProducerTests(SynchronousTestCase):
    """Producers of a writer."""

    def setUp(self) -> None:
        """Open a writer."""
        clock = Clock()
        self.writer = self.successResultOf(MemoryDriver(clock).open_writer("/d/file"))
        self.source = Pattern(3).source(clock)

    def test_one_at_a_time(self) -> None:
        """A second producer is refused, until the first is unregistered."""
        self.writer.registerProducer(self.source, True)
        self.assertRaises(RuntimeError, self.writer.registerProducer, self.source, True)
        self.writer.unregisterProducer()
        self.writer.registerProducer(self.source, True)

    def test_pull_producer(self) -> None:
        """A producer that must be asked for each piece is refused."""
        self.assertRaises(ValueError, self.writer.registerProducer, self.source, False)
