"""Tests of txregistry.webhooks.ledger: what is forgotten, and what is given up."""

from __future__ import annotations

from tests.unit.webhooks.doubles import entry
from tests.unit.webhooks.test_ledger import PLENTY, LedgerCase
from txregistry.webhooks.inspecting import purge, replay
from txregistry.webhooks.ledger import Dropped, Tally, Tried

FOREVER = 1e9
NOTHING = Dropped({}, {})


class SweepTests(LedgerCase):
    """Sweeping."""

    def sweep(
        self,
        now: float,
        max_age: float = FOREVER,
        keep: float = FOREVER,
        max_size: int = PLENTY,
    ) -> Dropped:
        """Sweep to the end; without bounds but for those given."""
        old: dict[str, int] = {}
        crowded: dict[str, int] = {}
        for _ in range(100):
            dropped = self.ledger.sweep(now, max_age, keep, max_size)
            for lost, more in ((old, dropped.old), (crowded, dropped.crowded)):
                for name, count in more.items():
                    lost[name] = lost.get(name, 0) + count
            if not dropped.more:
                break
        return Dropped(old, crowded)

    def events(self) -> list[object]:
        """Return the identifiers of all events that the ledger has."""
        rows = self.ledger.select("SELECT id FROM events ORDER BY seq")
        return [event_id for (event_id,) in rows]

    def fill(self, count: int, *endpoints: str, start: int = 0) -> None:
        """Take in events of some 1000 bytes, from the oldest on."""
        numbers = range(start, start + count)
        self.ledger.append(
            [entry(str(n), *endpoints, at=float(n), size=1000) for n in numbers]
        )

    def test_nothing(self) -> None:
        """What is young enough stays."""
        self.ledger.append([entry("a", at=10.0)])
        self.assertEqual(NOTHING, self.sweep(20.0, max_age=10.0))
        self.assertEqual(["a"], self.ids())

    def test_age(self) -> None:
        """What has waited for too long is dropped, and counted for who waited."""
        events = [entry("a", "hook", "other"), entry("b", "other"), entry("c", at=2.0)]
        self.ledger.append(events)
        dropped = self.sweep(11.0, max_age=10.0)
        self.assertEqual(Dropped({"hook": 1, "other": 2}, {}), dropped)
        self.assertEqual(["c"], self.events())
        self.assertEqual((1, 2), (self.tally().dropped, self.tally("other").dropped))

    def test_age_delivered(self) -> None:
        """Who has got an event does not lose it when it is dropped."""
        self.ledger.append([entry("a", "hook", "other")])
        self.note("a")
        dropped = self.sweep(11.0, max_age=10.0)
        self.assertEqual({"other": 1}, dropped.old)
        self.assertEqual(0, self.tally().dropped)

    def test_keep(self) -> None:
        """What all have got is kept for a while."""
        self.ledger.append([entry("a"), entry("b", at=2.0), entry("c", "hook", "x")])
        for name in "abc":
            self.note(name)
        self.assertEqual(NOTHING, self.sweep(11.0, keep=10.0))
        self.assertEqual(["b", "c"], self.events())

    def test_keep_dead(self) -> None:
        """What somebody would not take is kept for longer."""
        self.ledger.append([entry("a")])
        self.note("a", "answered 400", final=True)
        self.sweep(11.0, keep=10.0)
        self.assertEqual(1, self.tally().dead)

    def test_dead_age(self) -> None:
        """What somebody would not take goes in the end, and is counted as lost."""
        self.ledger.append([entry("a")])
        self.note("a", "answered 400", final=True)
        self.assertEqual(Dropped({"hook": 1}, {}), self.sweep(11.0, max_age=10.0))
        self.assertEqual([], self.events())
        self.assertEqual((0, 0, 1), _numbers(self.tally()))

    def test_keep_from_delivery(self) -> None:
        """The time that an event is kept for begins when all have got it."""
        self.ledger.append([entry("a")])
        (waiting,) = self.waiting()
        self.ledger.advance("hook", [Tried(waiting.seq)], 0, 0, now=100.0)
        self.assertEqual(NOTHING, self.sweep(109.0, keep=10.0))
        self.assertEqual(["a"], self.events())
        self.sweep(111.0, keep=10.0)
        self.assertEqual([], self.events())

    def test_keep_replayed(self) -> None:
        """What waits again is kept, and anew when it is delivered again."""
        self.ledger.append([entry("a")])
        self.note("a")
        replay(self.ledger, 0.0, None)
        self.sweep(50.0, keep=10.0)
        self.assertEqual(["a"], self.events())

    def test_tally(self) -> None:
        """What is gone waits no more, and is dead no more, in the counts too."""
        self.ledger.append([entry(name) for name in "abc"])
        self.note("a")
        self.note("b", "answered 400", final=True)
        self.assertEqual((1, 1, 0), _numbers(self.tally()))
        purge(self.ledger, False, None, None)
        self.assertEqual((0, 1, 0), _numbers(self.tally()))
        self.sweep(50.0, max_age=10.0)
        self.assertEqual((0, 0, 1), _numbers(self.tally()))

    def test_size_kept(self) -> None:
        """For want of room what is delivered goes first, before older events."""
        self.fill(2000)
        self.fill(1000, "other", start=2000)
        delivered = [Tried(each.seq) for each in self.waiting("other")]
        self.ledger.advance("other", delivered, 0, 0)
        size = self.ledger.size
        self.assertEqual(NOTHING, self.sweep(0.0, max_size=size - 1))
        self.assertEqual(2000, len(self.events()))
        self.assertLess(self.ledger.size, size)

    def test_size_oldest(self) -> None:
        """Then the oldest go, whoever waits for them, and are counted."""
        self.fill(1500, "hook", "other")
        self.fill(1500, start=1500)
        size = self.ledger.size
        dropped = self.sweep(0.0, max_size=size - 1)
        self.assertEqual(Dropped({}, {"hook": 1000, "other": 1000}), dropped)
        self.assertEqual("1000", self.events()[0])
        self.assertEqual((1000, 2000), (self.tally().dropped, self.tally().waiting))

    def test_size_fits(self) -> None:
        """Nothing goes where there is room."""
        self.fill(100)
        self.assertEqual(NOTHING, self.sweep(0.0, max_size=self.ledger.size))
        self.assertEqual(100, len(self.events()))

    def test_size_impossible(self) -> None:
        """A bound that even an empty ledger exceeds empties it, and no more."""
        self.fill(3)
        dropped = self.sweep(0.0, max_size=1)
        self.assertEqual({"hook": 3}, dropped.crowded)
        self.assertEqual([], self.events())

    def test_order_afterwards(self) -> None:
        """Events that come after all others were dropped wait in their order."""
        self.fill(2)
        self.sweep(100.0, max_age=10.0)
        self.fill(2, start=5)
        self.assertEqual(["5", "6"], self.ids())


def _numbers(tally: Tally) -> tuple[int, int, int]:
    """Return how many wait, are dead, and were dropped."""
    return tally.waiting, tally.dead, tally.dropped
