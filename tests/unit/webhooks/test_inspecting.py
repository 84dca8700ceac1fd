"""Tests of txregistry.webhooks.inspecting: what people do with a ledger."""

from __future__ import annotations

from tests.unit.webhooks.doubles import entry
from tests.unit.webhooks.test_ledger import LedgerCase
from txregistry.webhooks.inspecting import (
    Listed,
    NoSuchEvent,
    list_events,
    purge,
    replay,
    revive,
)
from txregistry.webhooks.ledger import Tried


class InspectingCase(LedgerCase):
    """Five events for ``hook``, two for ``other``; ``a`` is delivered, ``b`` dead."""

    def setUp(self) -> None:
        """Fill the ledger."""
        super().setUp()
        events = [
            entry(name, *(("hook", "other") if name in "bd" else ("hook",)), at=at)
            for at, name in enumerate("abcde")
        ]
        self.ledger.append(events)
        self.note("a")
        self.note("b", "answered 400", final=True)
        self.note("c", "answered 500")

    def listed(
        self, dead: bool = False, endpoint: str | None = None, limit: int = 99
    ) -> list[tuple[str, str]]:
        """Return who waits for what."""
        found = list_events(self.ledger, dead, endpoint, limit)
        return [(each.endpoint, each.event["id"]) for each in found]


class ListTests(InspectingCase):
    """Looking."""

    def test_waiting(self) -> None:
        """What waits is listed in order, for each who waits."""
        b, d = ("other", "b"), ("other", "d")
        expected = [b, ("hook", "c"), ("hook", "d"), d, ("hook", "e")]
        self.assertEqual(expected, self.listed())
        self.assertEqual([b, d], self.listed(endpoint="other"))
        self.assertEqual(expected[:2], self.listed(limit=2))
        self.assertEqual([], self.listed(endpoint="nobody"))

    def test_dead(self) -> None:
        """So is what somebody will not take."""
        self.assertEqual([("hook", "b")], self.listed(dead=True))
        self.assertEqual([], self.listed(dead=True, endpoint="other"))

    def test_members(self) -> None:
        """It is known how often it was sent, and what was wrong."""
        event = {"id": "c", "padding": ""}
        expected = Listed("hook", 1, "answered 500", event)
        self.assertIn(expected, list_events(self.ledger, False, None, 99))
        (dead,) = list_events(self.ledger, True, None, 99)
        self.assertEqual((1, "answered 400"), (dead.attempts, dead.problem))


class ReplayTests(InspectingCase):
    """Sending again."""

    def test_since_event(self) -> None:
        """All from an event on that wait no longer are sent again, in order."""
        self.assertEqual(1, replay(self.ledger, "b", None))
        self.assertEqual(["b", "c", "d", "e"], self.ids())
        self.assertEqual([], self.listed(dead=True))

    def test_since_time(self) -> None:
        """Or all from a time on."""
        self.assertEqual(0, replay(self.ledger, 2.0, None))
        self.assertEqual(2, replay(self.ledger, 0.0, None))
        self.assertEqual(list("abcde"), self.ids())

    def test_endpoint(self) -> None:
        """Or only for one."""
        for each in self.waiting("other"):
            self.ledger.advance("other", [Tried(each.seq)], 0, 0)
        self.assertEqual(2, replay(self.ledger, 0.0, "other"))
        self.assertEqual(["b", "d"], self.ids("other"))
        self.assertEqual(["c", "d", "e"], self.ids())

    def test_anew(self) -> None:
        """What is sent again has not been sent yet, as it were."""
        replay(self.ledger, "a", None)
        first, second, *_ = self.waiting()
        self.assertEqual((0, 0), (first.attempts, second.attempts))
        rows = self.ledger.select("SELECT problem FROM deliveries WHERE seq <= 2")
        self.assertEqual({("",)}, set(rows))

    def test_waiting_kept(self) -> None:
        """What waits anyway waits as it did."""
        replay(self.ledger, "a", None)
        (waiting,) = (each for each in self.waiting() if each.id == "c")
        self.assertEqual(1, waiting.attempts)

    def test_unknown(self) -> None:
        """An event that is not there is no place to begin."""
        self.assertRaises(NoSuchEvent, replay, self.ledger, "x", None)
        self.assertEqual(["c", "d", "e"], self.ids())

    def test_revive(self) -> None:
        """What somebody would not take can be sent again, and nothing else."""
        self.assertEqual(0, revive(self.ledger, "other"))
        self.assertEqual(1, revive(self.ledger, None))
        self.assertEqual(["b", "c", "d", "e"], self.ids())


class PurgeTests(InspectingCase):
    """Giving up."""

    def test_waiting(self) -> None:
        """All that waits can be given up; what is dead or delivered stays."""
        self.assertEqual(5, purge(self.ledger, False, None, None))
        self.assertEqual([], self.listed())
        self.assertEqual((1, 1), (self.tally().dead, self.tally().delivered))

    def test_endpoint(self) -> None:
        """Or what one waits for."""
        self.assertEqual(2, purge(self.ledger, False, "other", None))
        self.assertEqual(["c", "d", "e"], self.ids())
        self.assertEqual([], self.ids("other"))

    def test_before(self) -> None:
        """Or what happened before some time."""
        self.assertEqual(4, purge(self.ledger, False, None, 3.5))
        self.assertEqual(["e"], self.ids())

    def test_dead(self) -> None:
        """Or what somebody will not take."""
        self.assertEqual(1, purge(self.ledger, True, None, None))
        self.assertEqual(0, self.tally().dead)
        self.assertEqual(["c", "d", "e"], self.ids())

    def test_forgotten(self) -> None:
        """What was given up is forgotten as if it had been delivered."""
        purge(self.ledger, False, None, None)
        purge(self.ledger, True, None, None)
        self.ledger.sweep(100.0, 1000.0, 10.0, 1 << 30)
        self.assertEqual([(0,)], self.ledger.select("SELECT count(*) FROM events"))
