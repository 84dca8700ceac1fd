"""Tests of txregistry.webhooks.ledger: what waits for whom, and what came of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from tests.unit.webhooks.doubles import entry
from txregistry.webhooks.ledger import (
    IN_MEMORY,
    BrokenLedger,
    Ledger,
    Tally,
    Tried,
    Waiting,
)

PLENTY = 1 << 30


class LedgerCase(SynchronousTestCase):
    """A ledger in memory.

    Attributes:
        ledger: The ledger.
    """

    def setUp(self) -> None:
        """Make the ledger."""
        self.ledger = Ledger(IN_MEMORY)
        self.addCleanup(self.ledger.close)

    def waiting(
        self, endpoint: str = "hook", most: int = 1000, most_bytes: int = PLENTY
    ) -> list[Waiting]:
        """Return what waits for an endpoint."""
        return self.ledger.advance(endpoint, [], most, most_bytes)

    def ids(self, endpoint: str = "hook") -> list[str]:
        """Return the identifiers of what waits for an endpoint."""
        return [each.id for each in self.waiting(endpoint)]

    def note(self, event_id: str, problem: str = "", final: bool = False) -> None:
        """Note what came of sending an event to ``hook``."""
        (seq,) = (each.seq for each in self.waiting() if each.id == event_id)
        self.ledger.advance("hook", [Tried(seq, problem, final)], 0, 0)

    def tally(self, endpoint: str = "hook") -> Tally:
        """Return how an endpoint stands."""
        (tally,) = (each for each in self.ledger.tallies() if each.name == endpoint)
        return tally


class OrderTests(LedgerCase):
    """What is sent next."""

    def test_order(self) -> None:
        """Events wait in the order that they were taken in, whatever their times."""
        self.ledger.append([entry("b", at=2.0), entry("a", at=1.0)])
        self.ledger.append([entry("c", at=0.0)])
        self.assertEqual(["b", "a", "c"], self.ids())

    def test_members(self) -> None:
        """An event comes out as it went in."""
        given_entry = entry("1", at=7.25)
        self.ledger.append([given_entry])
        expected = Waiting(1, "1", 7.25, given_entry.content(), attempts=0)
        self.assertEqual([expected], self.waiting())

    def test_many(self) -> None:
        """Many events at once go to whom they are for, in order."""
        endpoints = [("hook",), ("hook", "other"), ("other",)]
        names = [str(number) for number in range(300)]
        self.ledger.append([entry(name, *endpoints[int(name) % 3]) for name in names])
        self.ledger.append([entry("last", "other", "hook")])
        mine = [name for name in names if int(name) % 3 != 2]
        others = [name for name in names if int(name) % 3]
        self.assertEqual([*mine, "last"], self.ids())
        self.assertEqual([*others, "last"], self.ids("other"))
        self.assertEqual(201, self.tally().waiting)

    def test_places(self) -> None:
        """A place is never taken twice, nor by an older version that counts itself."""
        self.ledger.append([entry("a"), entry("b")])
        self.ledger.select("DELETE FROM events")
        self.ledger.select("INSERT INTO events (id, at, body) VALUES ('c', 0.0, x'')")
        self.ledger.append([entry("d")])
        found = self.ledger.select("SELECT id, seq FROM events ORDER BY seq")
        self.assertEqual([("c", 3), ("d", 4)], found)

    def test_many_or_none(self) -> None:
        """If one of many cannot be taken in, none is."""
        self.ledger.append([entry("a")])
        again = [entry(str(number)) for number in range(100)] + [entry("a")]
        self.assertRaises(BrokenLedger, self.ledger.append, again)
        self.assertEqual(["a"], self.ids())
        self.assertEqual(1, self.tally().waiting)

    def test_nothing(self) -> None:
        """Nothing waits for an endpoint that the ledger has never heard of."""
        self.assertEqual([], self.waiting("nobody"))

    def test_count(self) -> None:
        """No more events come out than are wanted."""
        self.ledger.append([entry(name) for name in "abc"])
        self.assertEqual(["a", "b"], [each.id for each in self.waiting(most=2)])
        self.assertEqual([], self.waiting(most=0))

    def test_bytes(self) -> None:
        """Events come out as long as all together are not too large."""
        self.ledger.append([entry(name, size=100) for name in "abc"])
        size = len(entry("a", size=100).content())
        for most_bytes, count in ((3 * size, 3), (3 * size - 1, 2), (2 * size - 1, 1)):
            self.assertEqual(count, len(self.waiting(most_bytes=most_bytes)))

    def test_large(self) -> None:
        """The first event comes out however large it is."""
        self.ledger.append([entry("a", size=100), entry("b")])
        self.assertEqual(["a"], [each.id for each in self.waiting(most_bytes=1)])

    def test_independent(self) -> None:
        """What one endpoint has got still waits for another."""
        self.ledger.append([entry("a", "hook", "other"), entry("b", "other")])
        self.note("a")
        self.assertEqual([], self.ids())
        self.assertEqual(["a", "b"], self.ids("other"))

    @generated
    @given(
        st.lists(
            st.tuples(st.lists(st.sampled_from("xyz"), unique=True), st.booleans()),
            max_size=8,
        )
    )
    def test_any(self, steps: list[tuple[list[str], bool]]) -> None:
        """Each endpoint gets what is for it, once, in order, however it goes."""
        ledger = Ledger(IN_MEMORY)
        expected: dict[str, list[str]] = {"x": [], "y": [], "z": []}
        got: dict[str, list[str]] = {"x": [], "y": [], "z": []}
        for number, (names, takes) in enumerate(steps):
            ledger.append([entry(str(number), *names)] if names else [])
            for name in names:
                expected[name].append(str(number))
            for name in "xyz" if takes else ():
                self._take(ledger, name, got[name])
        for name in "xyz":
            self._take(ledger, name, got[name])
        self.assertEqual(expected, got)
        ledger.close()

    def _take(self, ledger: Ledger, name: str, got: list[str]) -> None:
        waiting = ledger.advance(name, [], 9, PLENTY)
        got += [each.id for each in waiting]
        left = ledger.advance(name, [Tried(each.seq) for each in waiting], 9, PLENTY)
        self.assertEqual([], left)


class NotesTests(LedgerCase):
    """What came of sending."""

    def setUp(self) -> None:
        """Let two events wait."""
        super().setUp()
        self.ledger.append([entry("a"), entry("b", at=5.0)])

    def test_delivered(self) -> None:
        """What is delivered waits no longer; the next one does."""
        (first,) = self.waiting(most=1)
        following = self.ledger.advance("hook", [Tried(first.seq)], 1, PLENTY)
        self.assertEqual(["b"], [each.id for each in following])

    def test_failed(self) -> None:
        """What was sent in vain waits at its place, and how often is known."""
        self.note("a", "answered 500")
        self.note("a", "answered 502")
        self.assertEqual([("a", 2), ("b", 0)], self._attempts())

    def test_problem(self) -> None:
        """The last problem is kept."""
        self.note("a", "answered 500")
        self.note("a", "answered 502")
        rows = self.ledger.select("SELECT problem FROM deliveries ORDER BY seq")
        self.assertEqual([("answered 502",), ("",)], rows)

    def test_problem_solved(self) -> None:
        """A problem is forgotten when the event is delivered."""
        self.note("a", "answered 500")
        self.note("a")
        rows = self.ledger.select("SELECT problem, attempts FROM deliveries")
        self.assertEqual([("", 2), ("", 0)], rows)

    def test_dead(self) -> None:
        """What will never be taken is kept, and waits no longer."""
        self.note("a", "answered 400", final=True)
        self.assertEqual(["b"], self.ids())
        self.assertEqual(1, self.tally().dead)

    def test_unknown(self) -> None:
        """A note on what the ledger has dropped meanwhile is no error."""
        self.ledger.execute("DELETE FROM events")
        self.assertEqual([], self.ledger.advance("hook", [Tried(1, "x")], 1, PLENTY))

    def test_tally(self) -> None:
        """A tally counts what waits, is dead, was delivered and has failed."""
        self.ledger.append([entry("c", at=7.0), entry("d", at=8.0)])
        self.note("a")
        self.note("b", "answered 500")
        self.note("b", "answered 400", final=True)
        expected = Tally(
            "hook", waiting=2, oldest=7.0, dead=1, delivered=1, failures=2, dropped=0
        )
        self.assertEqual([expected], self.ledger.tallies())

    def test_tally_idle(self) -> None:
        """Nothing that waits has no time."""
        self.note("a")
        self.note("b")
        self.assertEqual((0, None), (self.tally().waiting, self.tally().oldest))

    def test_tallies_sorted(self) -> None:
        """Endpoints are tallied by name, each on its own."""
        self.ledger.append([entry("c", "z", "another")])
        names = [(each.name, each.waiting) for each in self.ledger.tallies()]
        self.assertEqual([("another", 1), ("hook", 2), ("z", 1)], names)

    def _attempts(self) -> list[tuple[str, int]]:
        return [(each.id, each.attempts) for each in self.waiting()]


class AppendTests(LedgerCase):
    """Taking in."""

    def test_all_or_none(self) -> None:
        """Of events of which one cannot be taken in, none is."""
        with self.assertRaises(BrokenLedger):
            self.ledger.append([entry("a"), entry("b"), entry("a")])
        self.assertEqual([], self.ids())

    def test_goes_on(self) -> None:
        """After a failure the ledger takes events in as before."""
        self.test_all_or_none()
        self.ledger.append([entry("c")])
        self.assertEqual(["c"], self.ids())

    def test_nothing(self) -> None:
        """Nothing can be taken in."""
        self.ledger.append([])
        self.assertEqual([], self.ids())

    def test_execute(self) -> None:
        """Whoever changes something is told how many rows that concerned."""
        self.ledger.append([entry("a"), entry("b")])
        statement = "DELETE FROM events WHERE id = ?"
        self.assertEqual(1, self.ledger.execute(statement, ("a",)))
        self.assertEqual(0, self.ledger.execute(statement, ("a",)))

    def test_bad_statement(self) -> None:
        """What SQLite does not take is an error of the ledger's."""
        for do in (self.ledger.execute, self.ledger.select):
            error = self.assertRaises(BrokenLedger, do, "DELETE FROM nowhere")
            self.assertEqual(":memory:: no such table: nowhere", str(error))

    def test_closed(self) -> None:
        """A ledger that is closed takes nothing in."""
        self.ledger.close()
        with self.assertRaises(BrokenLedger):
            self.ledger.append([entry("a")])
