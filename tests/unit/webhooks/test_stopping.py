"""Tests of txregistry.webhooks.delivering: how it stops, and who delivers."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred

from tests.unit.webhooks.case import DeliveryCase
from tests.unit.webhooks.doubles import Reply, Response
from tests.unit.webhooks.test_queue import SlowThread
from txregistry.webhooks.leases import FileLease


class StopTests(DeliveryCase):
    """Stopping."""

    def stop_now(self) -> None:
        """Stop, which must not have to wait for anything."""
        self.successResultOf(self.stop())
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_idle(self) -> None:
        """When nothing waits it stops at once; later news is for the next start."""
        self.deliverer.start()
        self.stop_now()
        self.append("a")
        self.assertEqual([], self.receiver.posts)
        self.assertEqual(["a"], self.waiting_ids())

    def test_not_started(self) -> None:
        """What was never started can be stopped."""
        self.stop_now()

    def test_in_flight(self) -> None:
        """What is on its way is given up, and waits for the next start as it is."""
        slow: Deferred[Response] = Deferred()
        self.answer(slow)
        self.append("a", "b")
        self.deliverer.start()
        self.stop_now()
        self.assertTrue(slow.called)
        self.assertEqual(["a", "b"], self.waiting_ids())
        first = self.receiver.posts
        self.use()
        self.deliverer.start()
        self.assertEqual([["a"], ["b"]], self.receiver.ids)
        self.assertEqual(first[0].body, self.receiver.posts[0].body)

    def test_backoff(self) -> None:
        """It stops while it waits for the next try, and the event waits, too."""
        self.answer(Reply(500))
        self.append("a")
        self.deliverer.start()
        self.stop_now()
        self.assertEqual(["a"], self.waiting_ids())
        self.clock.advance(100.0)
        self.assertEqual(1, len(self.receiver.posts))

    def test_answered(self) -> None:
        """What was answered when it stops is noted: it is not sent again."""
        self.answer(Reply(end=None))
        self.append("a", "b")
        self.deliverer.start()
        self.stop_now()
        self.assertEqual(["b"], self.waiting_ids())
        self.assertEqual([["a"]], self.receiver.ids)

    def test_failed(self) -> None:
        """So is what failed, and the next try is for the next start."""
        for status in (500, 400):
            self.setUp()
            self.answer(Reply(status, end=None))
            self.append("a")
            self.deliverer.start()
            self.stop_now()
            self.assertEqual([("a", f"answered {status}")], self.problems())

    def test_split(self) -> None:
        """A message that was refused when it stops waits as it is."""
        self.use(batch=2)
        self.answer(Reply(413, end=None))
        self.append("a", "b")
        self.deliverer.start()
        self.stop_now()
        self.assertEqual(["a", "b"], self.waiting_ids())

    def test_broken_ledger(self) -> None:
        """A ledger that is broken does not keep it from stopping."""
        self.ledger.execute("ALTER TABLE deliveries RENAME TO hidden")
        self.deliverer.start()
        self.stop_now()

    def test_broken_ledger_and_notes(self) -> None:
        """Nor does it when there is something to be noted."""
        self.answer(Reply(end=None))
        self.append("a")
        self.deliverer.start()
        self.ledger.execute("ALTER TABLE deliveries RENAME TO hidden")
        self.stop_now()

    def test_reading(self) -> None:
        """It waits for the ledger, which a thread is at work on."""
        thread = SlowThread()
        self.use(thread)
        self.deliverer.start()
        stopping = self.stop()
        self.assertNoResult(stopping)
        thread.finish()
        self.successResultOf(stopping)

    def test_reading_fails(self) -> None:
        """It stops also when the ledger breaks at that moment."""
        thread = SlowThread()
        self.use(thread)
        self.deliverer.start()
        stopping = self.stop()
        self.ledger.execute("ALTER TABLE deliveries RENAME TO hidden")
        thread.finish()
        self.successResultOf(stopping)
        self.assertEqual([], self.clock.getDelayedCalls())


class LeaseTests(DeliveryCase):
    """Of several processes one delivers."""

    def setUp(self) -> None:
        """Have a lease, and another one on the same file."""
        super().setUp()
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = str(folder / "events")
        self.lease = FileLease(self.path, "hook")
        self.others = FileLease(self.path, "hook")
        self.addCleanup(self.lease.release)
        self.addCleanup(self.others.release)
        self.use(lease=self.lease)

    def test_leads(self) -> None:
        """Who has the lease delivers, and keeps it while it has nothing to do."""
        self.append("a")
        self.deliverer.start()
        self.assertEqual([["a"]], self.receiver.ids)
        self.assertTrue(self.deliverer.leads)
        self.assertFalse(self.others.acquire())

    def test_waits(self) -> None:
        """Who has not looks again every two seconds."""
        self.assertTrue(self.others.acquire())
        self.append("a")
        self.deliverer.start()
        self.clock.advance(2.0)
        self.assertEqual([], self.receiver.posts)
        self.assertFalse(self.deliverer.leads)
        self.others.release()
        self.clock.advance(1.9)
        self.assertEqual([], self.receiver.posts)
        self.clock.advance(0.1)
        self.assertEqual([["a"]], self.receiver.ids)
        self.assertTrue(self.deliverer.leads)

    def test_stop_waiting(self) -> None:
        """Who waits for it can stop."""
        self.assertTrue(self.others.acquire())
        self.deliverer.start()
        self.successResultOf(self.stop())
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertFalse(self.lease.acquire())

    def test_stop(self) -> None:
        """Who stops gives it back, when nothing is on its way any more."""
        slow: Deferred[Response] = Deferred()
        self.answer(slow)
        self.append("a")
        self.deliverer.start()
        self.assertFalse(self.others.acquire())
        self.successResultOf(self.stop())
        self.assertFalse(self.deliverer.leads)
        self.assertTrue(self.others.acquire())

    def test_endpoints(self) -> None:
        """Each endpoint has its own."""
        self.assertTrue(self.lease.acquire())
        other = FileLease(self.path, "other")
        self.addCleanup(other.release)
        self.assertTrue(other.acquire())

    def test_names(self) -> None:
        """An endpoint's name can be whatever it likes."""
        lease = FileLease(self.path, "../ü\n" * 100)
        self.addCleanup(lease.release)
        self.assertTrue(lease.acquire())
        (file,) = Path(self.path).parent.iterdir()
        self.assertRegex(file.name, r"^events-[0-9a-f]{16}\.lock$")
        self.assertEqual(0o600, file.stat().st_mode & 0o777)

    def test_again(self) -> None:
        """It can be taken again by who has it, and released by who has not."""
        self.lease.release()
        self.assertTrue(self.lease.acquire())
        self.assertTrue(self.lease.acquire())
        self.lease.release()
        self.lease.release()
        self.assertTrue(self.others.acquire())

    def test_unusable(self) -> None:
        """A file that cannot be locked is tried again later."""
        folder = Path(self.path).parent
        os.rename(folder, f"{folder}.away")
        self.append("a")
        self.deliverer.start()
        (line,) = self.lines()
        self.assertIn("cannot read what waits for hook: [Errno 2]", line)
        os.rename(f"{folder}.away", folder)
        self.clock.advance(5.0)
        self.assertEqual([["a"]], self.receiver.ids)
