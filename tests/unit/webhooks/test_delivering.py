"""Tests of txregistry.webhooks.delivering: order, failures, and when it is tried again.

How it stops is in ``test_stopping``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from tests.unit.webhooks.case import DeliveryCase
from tests.unit.webhooks.doubles import Receiver, Reply, Response, entry
from tests.unit.webhooks.test_queue import SlowThread
from txregistry.webhooks.delivering import PERMANENT, Deliverer
from txregistry.webhooks.leases import OwnLease
from txregistry.webhooks.ledger import IN_MEMORY, Ledger
from txregistry.webhooks.signing import Signer


class OrderTests(DeliveryCase):
    """What is sent when all goes well."""

    def test_waiting(self) -> None:
        """What waits at the start is sent, in order, one after another."""
        self.append("a", "b", "c")
        self.deliverer.start()
        self.assertEqual([["a"], ["b"], ["c"]], self.receiver.ids)
        self.assertEqual([], self.waiting())
        self.assertEqual(3, self.tally().delivered)

    def test_later(self) -> None:
        """What comes later is sent when it comes, and nothing is asked meanwhile."""
        self.deliverer.start()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.append("a")
        self.append("b")
        self.assertEqual([["a"], ["b"]], self.receiver.ids)

    def test_one_at_a_time(self) -> None:
        """The next event is not sent before the one before is answered."""
        slow: Deferred[Response] = Deferred()
        self.answer(slow)
        self.deliverer.start()
        self.append("a")
        self.append("b")
        self.assertEqual([["a"]], self.receiver.ids)
        slow.callback(Response(Reply()))
        self.assertEqual([["a"], ["b"]], self.receiver.ids)

    def test_batch(self) -> None:
        """What has come together meanwhile goes together, up to so many."""
        self.use(batch=2)
        slow: Deferred[Response] = Deferred()
        self.answer(slow)
        self.deliverer.start()
        for each in "abcd":
            self.append(each)
        slow.callback(Response(Reply()))
        self.assertEqual([["a"], ["b", "c"], ["d"]], self.receiver.ids)

    def test_batch_bytes(self) -> None:
        """Events that are large together do not go together."""
        self.use(batch=10)
        half = 512 * 1024
        events = [entry(each, size=half) for each in "abc"]
        self.successResultOf(self.queue.append(events))
        self.deliverer.start()
        self.assertEqual([["a"], ["b"], ["c"]], self.receiver.ids)

    def test_wake_while_advancing(self) -> None:
        """An event that comes while the ledger is being read is not overlooked."""
        thread = SlowThread()
        self.use(thread)
        self.deliverer.start()
        taken = self.queue.append([entry("a")])
        taken.addCallback(lambda _: self.deliverer.wake())
        thread.finish()  # nothing waits yet
        self.assertEqual([], self.receiver.posts)
        thread.finish()
        self.successResultOf(taken)
        thread.finish()
        self.assertEqual([["a"]], self.receiver.ids)

    def test_wake_before_reading_ends(self) -> None:
        """Nor is one whose news comes before the reading has ended."""
        thread = SlowThread()
        self.use(thread)
        self.deliverer.start()
        self.deliverer.wake()
        thread.finish()
        self.assertEqual(2, thread.begun)

    def test_statuses(self) -> None:
        """What is answered is counted."""
        self.answer(Reply(), Reply(503), ValueError(), Reply(202))
        self.append("a", "b")
        self.deliverer.start()
        self.clock.advance(1.0)
        self.clock.advance(2.0)
        self.assertEqual({200: 1, 503: 1, 202: 1}, dict(self.deliverer.statuses))
        self.assertEqual(1, self.deliverer.errors)

    def test_signed(self) -> None:
        """A message is signed with the time of each attempt."""
        self.use(signer=Signer.parse(("x" * 24,)))
        self.answer(Reply(500))
        self.append("a")
        self.clock.advance(1000.0)
        self.deliverer.start()
        self.clock.advance(1.0)
        first, second = self.receiver.posts
        self.assertEqual("a", first.header("webhook-id"))
        self.assertEqual("a", second.header("webhook-id"))
        self.assertEqual("1000", first.header("webhook-timestamp"))
        self.assertEqual("1001", second.header("webhook-timestamp"))
        self.assertEqual(first.body, second.body)
        self.assertNotEqual(
            first.header("webhook-signature"), second.header("webhook-signature")
        )

    def test_envelope(self) -> None:
        """The envelope says of what type the body is."""
        self.use(envelope="v1")
        body = b'{"id": "a", "target": {}}'
        self.ledger.append([entry("a")])
        self.ledger.execute("UPDATE events SET body = ?", (body,))
        self.deliverer.start()
        (post,) = self.receiver.posts
        expected = "application/vnd.docker.distribution.events.v1+json"
        self.assertEqual(expected, post.header("content-type"))


class NotingLedger(Ledger):
    """A ledger that counts how often something is noted.

    Attributes:
        notes: Of how many events together, each time.
    """

    def __init__(self) -> None:
        """Begin empty, in memory."""
        super().__init__(IN_MEMORY)
        self.notes: list[int] = []

    def advance(self, endpoint: str, tried: Any, *args: Any) -> Any:
        """See Ledger."""
        if tried:
            self.notes.append(len(tried))
        return super().advance(endpoint, tried, *args)


class NotesTests(DeliveryCase):
    """When what came of messages is noted."""

    def setUp(self) -> None:
        """Count how often it is."""
        super().setUp()
        self.ledger = self.noting = NotingLedger()
        self.addCleanup(self.ledger.close)
        self.use()

    def test_together(self) -> None:
        """What came of some messages that went one after another is noted together."""
        names = [str(number) for number in range(20)]
        self.append(*names)
        self.deliverer.start()
        self.assertEqual([[name] for name in names], self.receiver.ids)
        self.assertEqual([16, 4], self.noting.notes)
        self.assertEqual(20, self.tally().delivered)

    def test_batches(self) -> None:
        """So it is where several events go in each."""
        self.use(batch=3)
        self.append(*"abcdefgh")
        self.deliverer.start()
        self.assertEqual([list("abc"), list("def"), list("gh")], self.receiver.ids)
        self.assertEqual([8], self.noting.notes)

    def test_slow(self) -> None:
        """A receiver that takes its time does not keep it from being noted."""
        answers: list[Deferred[Response]] = [Deferred() for _ in range(3)]
        self.answer(*answers)
        self.append(*"abc")
        self.deliverer.start()
        for answer, waiting in zip(answers, ("bc", "c", ""), strict=True):
            self.clock.advance(0.3)
            answer.callback(Response(Reply()))
            self.assertEqual(list(waiting), self.waiting_ids())
        self.assertEqual([1, 1, 1], self.noting.notes)

    def test_failure(self) -> None:
        """When one fails, what came of those before it is noted with it."""
        self.answer(Reply(), Reply(500), Reply())
        self.append(*"abc")
        self.deliverer.start()
        self.assertEqual([2], self.noting.notes)
        self.assertEqual(["b", "c"], self.waiting_ids())
        self.assertEqual([("b", "answered 500")], self.problems())
        self.clock.advance(self.longest)
        self.assertEqual([["a"], ["b"], ["b"], ["c"]], self.receiver.ids)

    def test_refused(self) -> None:
        """One that the receiver will never take is noted with the others."""
        self.answer(Reply(), Reply(400), Reply())
        self.append(*"abc")
        self.deliverer.start()
        self.assertEqual([["a"], ["b"], ["c"]], self.receiver.ids)
        self.assertEqual([3], self.noting.notes)
        self.assertEqual((2, 1), (self.tally().delivered, self.tally().dead))

    def test_stopped(self) -> None:
        """What was taken before it stops is noted: it is not sent again."""
        self.answer(Reply(), Reply(), Deferred())
        self.append(*"abcd")
        self.deliverer.start()
        self.successResultOf(self.stop())
        self.assertEqual(["c", "d"], self.waiting_ids())
        self.assertEqual([["a"], ["b"], ["c"]], self.receiver.ids)


class RetryTests(DeliveryCase):
    """What is sent again, and when."""

    def times(self, until: float) -> list[float]:
        """Return when something was sent, up to some time from the start."""
        self.append("a")
        sent: list[float] = []
        self.deliverer.start()
        while self.clock.seconds() < until:
            sent += [self.clock.seconds()] * (len(self.receiver.posts) - len(sent))
            self.clock.advance(0.25)
        return sent

    def test_schedule(self) -> None:
        """The wait doubles up to the backoff and on, and is never too long."""
        self.answer(*[Reply(500)] * 20)
        # The waits: 1, 2, 4, 8, 10, 10 seconds.
        self.assertEqual([0.0, 1.0, 3.0, 7.0, 15.0, 25.0, 35.0], self.times(40.0))

    def test_no_answer(self) -> None:
        """No answer is a failure like any other."""
        self.answer(*[ConnectionRefusedError()] * 20)
        self.assertEqual([0.0, 1.0, 3.0, 7.0, 15.0, 25.0, 35.0], self.times(40.0))

    def test_same_event(self) -> None:
        """The event that was not taken is sent again, before all others."""
        self.answer(Reply(500), Reply(500))
        self.append("a", "b")
        self.deliverer.start()
        self.clock.pump([1.0, 2.0])
        self.assertEqual([["a"], ["a"], ["a"], ["b"]], self.receiver.ids)
        self.assertEqual((2, 2), (self.tally().failures, self.tally().delivered))

    def test_noted(self) -> None:
        """What went wrong is noted at once."""
        self.answer(Reply(500))
        self.append("a")
        self.deliverer.start()
        self.assertEqual([("a", "answered 500")], self.problems())
        (waiting,) = self.waiting()
        self.assertEqual(1, waiting.attempts)

    def test_reset(self) -> None:
        """After a success the waits begin anew."""
        self.answer(Reply(500), Reply(500), Reply(), Reply(500))
        self.append("a", "b")
        self.deliverer.start()
        self.clock.pump([1.0, 2.0])
        self.assertEqual(4, len(self.receiver.posts))
        self.clock.advance(1.0)
        self.assertEqual([["a"]] * 3 + [["b"]] * 2, self.receiver.ids)

    def test_woken(self) -> None:
        """What comes meanwhile does not make the wait shorter."""
        self.answer(Reply(500))
        self.append("a")
        self.deliverer.start()
        self.append("b")
        self.clock.advance(0.9)
        self.assertEqual([["a"]], self.receiver.ids)
        self.clock.advance(0.1)
        self.assertEqual([["a"], ["a"], ["b"]], self.receiver.ids)

    def test_retry_after(self) -> None:
        """Who asks for more time gets it, in seconds or as a date."""
        date = format_datetime(datetime.fromtimestamp(30.0, UTC), usegmt=True)
        for text in ("30", date):
            self.setUp()
            self.answer(Reply(429, {"Retry-After": text}))
            self.append("a")
            self.deliverer.start()
            self.clock.advance(29.9)
            self.assertEqual(1, len(self.receiver.posts))
            self.clock.advance(0.1)
            self.assertEqual(2, len(self.receiver.posts))

    def test_retry_after_longest(self) -> None:
        """Nobody gets more than an hour."""
        self.answer(Reply(503, {"Retry-After": "999999"}))
        self.append("a")
        self.deliverer.start()
        self.clock.advance(3599.9)
        self.assertEqual(1, len(self.receiver.posts))
        self.clock.advance(0.1)
        self.assertEqual(2, len(self.receiver.posts))

    def test_redirected(self) -> None:
        """A redirect that is not followed is a failure that may be mended."""
        self.answer(Reply(302, {"Location": "/other"}))
        self.append("a")
        self.deliverer.start()
        self.assertEqual([("a", "answered 302")], self.problems())
        self.assertEqual(["a"], self.waiting_ids())

    def test_redirected_away(self) -> None:
        """So is one to another host; it is said why."""
        self.answer(Reply(307, {"Location": "https://other.example/"}))
        self.append("a")
        self.deliverer.start()
        problem = "answered 307: redirects to another host"
        self.assertEqual([("a", problem)], self.problems())

    def test_logged(self) -> None:
        """Of many failures few are logged; so is their end."""
        self.answer(*[Reply(500)] * 20)
        self.append("a")
        self.deliverer.start()
        self.clock.pump([self.longest] * 20)
        self.assertEqual(21, len(self.receiver.posts))
        text = "notifications: hook: answered 500; failure {} in a row, trying again"
        expected = [f"{text.format(each)} in {s} s" for each, s in _LOGGED]
        end = "notifications: hook takes events again, after 20 failures"
        self.assertEqual([*expected, end], self.lines())

    def test_independent(self) -> None:
        """An endpoint that fails does not delay another one."""
        other = Receiver()
        second = Deliverer(
            self.endpoint("other", other), self.queue, OwnLease(), self.clock
        )
        self.answer(Reply(500), Deferred())
        events = [entry(each, "hook", "other") for each in "abc"]
        self.successResultOf(self.queue.append(events))
        self.deliverer.start()
        second.start()
        self.assertEqual([["a"], ["b"], ["c"]], other.ids)
        self.assertEqual([["a"]], self.receiver.ids)


_LOGGED = [(1, "1"), (8, "10"), (16, "10")]


class RefusedTests(DeliveryCase):
    """Events that will never be taken."""

    def test_permanent(self) -> None:
        """An event that is refused for good is put aside, and the next one sent."""
        for status in sorted(PERMANENT):
            self.setUp()
            self.answer(Reply(status))
            self.append("a", "b")
            self.deliverer.start()
            self.assertEqual([["a"], ["b"]], self.receiver.ids)
            tally = self.tally()
            self.assertEqual((1, 1, 0), (tally.dead, tally.delivered, tally.waiting))
            self.assertEqual([("a", f"answered {status}")], self.problems())

    def test_logged(self) -> None:
        """It is logged by its name."""
        self.answer(Reply(422))
        self.append("a")
        self.deliverer.start()
        line = "notifications: hook will not take event a: answered 422"
        self.assertEqual([line], self.lines())

    def test_not_permanent(self) -> None:
        """Others are not put aside: the receiver may be mended."""
        for status in (401, 403, 404, 407, 408, 409, 425, 429, 500, 502, 503, 504):
            self.assertNotIn(status, PERMANENT)

    def test_split(self) -> None:
        """Of a message that is refused each event is sent alone, once."""
        self.use(batch=3)
        self.answer(Reply(413), Reply(), Reply(413))
        self.append("a", "b", "c", "d", "e")
        self.deliverer.start()
        expected = [["a", "b", "c"], ["a"], ["b"], ["c"], ["d", "e"]]
        self.assertEqual(expected, self.receiver.ids)
        self.assertEqual((1, 4), (self.tally().dead, self.tally().delivered))
        self.assertEqual([("b", "answered 413")], self.problems())

    def test_split_not_counted(self) -> None:
        """That the message was refused is no attempt for the events in it."""
        self.use(batch=2)
        self.answer(Reply(413), Deferred())
        self.append("a", "b")
        self.deliverer.start()
        self.assertEqual([0, 0], [each.attempts for each in self.waiting()])

    def test_split_failing(self) -> None:
        """A failure on the way is waited for, and all get there in their order."""
        self.use(batch=2)
        self.answer(Reply(413), Reply(500), Reply(500))
        self.append("a", "b", "c")
        self.deliverer.start()
        self.clock.pump([1.0, 2.0])
        self.assertEqual([], self.waiting())
        self.assertEqual(3, self.tally().delivered)
        self.assertEqual(["a", "b"], self.receiver.ids[0])
        self.assertEqual([["a"]] * 2, self.receiver.ids[1:3])


class BrokenLedgerTests(DeliveryCase):
    """A ledger that cannot be read."""

    def setUp(self) -> None:
        """Let the ledger be broken until ``mend``."""
        super().setUp()
        self.ledger.execute("ALTER TABLE deliveries RENAME TO hidden")

    def mend(self) -> None:
        """Let it be whole again."""
        self.ledger.execute("ALTER TABLE hidden RENAME TO deliveries")

    def test_retried(self) -> None:
        """It is tried again, and delivery goes on when it is whole again."""
        self.deliverer.start()
        self.clock.advance(5.0)
        self.mend()
        self.append("a")
        self.assertEqual([], self.receiver.posts)
        self.clock.advance(5.0)
        self.assertEqual([["a"]], self.receiver.ids)

    def test_logged(self) -> None:
        """Each time that is logged."""
        self.deliverer.start()
        self.clock.advance(5.0)
        line = (
            "notifications: cannot read what waits for hook:"
            " :memory:: no such table: deliveries"
        )
        self.assertEqual([line, line], self.lines())

    def test_notes_kept(self) -> None:
        """What was delivered meanwhile is noted later, and not sent again."""
        self.mend()
        slow: Deferred[Response] = Deferred()
        self.answer(slow)
        self.append("a", "b")
        self.deliverer.start()
        self.ledger.execute("ALTER TABLE deliveries RENAME TO hidden")
        slow.callback(Response(Reply()))
        self.mend()
        self.clock.advance(5.0)
        self.assertEqual([["a"], ["b"]], self.receiver.ids)

    def test_unforeseen(self) -> None:
        """An event that cannot be sent is logged, and keeps no others back."""
        self.mend()
        self.append("a", "b")
        self.ledger.execute("UPDATE events SET body = x'FF'")
        self.use(envelope="v1")
        self.deliverer.start()
        self.assertEqual("notifications: an event cannot be sent", self.lines()[0])
        self.assertIn("will not take event a", self.lines()[1])
        self.assertEqual(2, len(self.flushLoggedErrors(ValueError)))
        self.assertEqual((2, 0), (self.tally().dead, self.tally().waiting))
