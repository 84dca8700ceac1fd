"""Tests of txregistry.registry.sessions: uploads that have not ended."""

from __future__ import annotations

from tests.unit.registry.case import StoreCase
from txregistry.oci.digest import Digest
from txregistry.oci.errors import DigestInvalid
from txregistry.registry import sessions
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules
from txregistry.registry.sessions import (
    ABANDONED,
    Census,
    Count,
    Session,
    Sessions,
    SessionState,
    look_at_latest,
)
from txregistry.registry.uploads import Upload


class SessionsCase(StoreCase):
    """A registry that takes sessions down."""

    def setUp(self) -> None:
        """Make it."""
        super().setUp()
        self.clock.advance(1_000_000)
        self.sessions = Sessions(3)
        self.registry = Registry(
            self.driver,
            self.clock,
            ManifestRules(),
            lambda work: self.fail("no threads"),
            self.sessions,
        )

    def start(self, name: str = "a/b") -> Upload:
        """Begin a session."""
        return self.run_now(self.open(name).uploads.start())

    def start_and_send(self, name: str = "a/b") -> Upload:
        """Begin a session and send the first byte."""
        return self.append(self.start(name), b"1", name)

    def append(self, upload: Upload, content: bytes, name: str = "a/b") -> Upload:
        """Go on with one."""
        source = self.source(content)
        return self.run_now(self.open(name).uploads.append(upload, source))


class SessionsTests(SessionsCase):
    """What is remembered."""

    def latest(self) -> list[str]:
        """Return the ids of the sessions, the latest first."""
        return [session.session_id for session in self.sessions.latest()]

    def test_touched(self) -> None:
        """A session that began or went on is the latest."""
        one, other = self.start(), self.start()
        self.assertEqual([other.session_id, one.session_id], self.latest())
        self.append(one, b"12")
        self.assertEqual([one.session_id, other.session_id], self.latest())
        expected = Session("a/b", one.session_id)
        self.assertEqual(expected, self.sessions.latest()[0])

    def test_most(self) -> None:
        """Only the latest are remembered."""
        ids = [self.start().session_id for _ in range(5)]
        self.assertEqual([ids[4], ids[3], ids[2]], self.latest())

    def test_ended(self) -> None:
        """One that was completed, cancelled or refused is not remembered."""
        completed, cancelled, refused = self.start(), self.start(), self.start()
        uploads = self.open("a/b").uploads
        self.run_now(uploads.commit(completed, Digest.of(b""), None))
        self.run_now(uploads.cancel(cancelled))
        self.refusal(DigestInvalid, uploads.commit(refused, Digest.of(b"x"), None))
        self.assertEqual([], self.latest())

    def test_states(self) -> None:
        """Where they stand the store says; those that others have ended are gone."""
        one, other = self.start(), self.start("c")
        self.clock.advance(5)
        self.append(one, b"12")
        self.append(other, b"", "c")
        self.clock.advance(2)
        work = look_at_latest(self.sessions, self.driver, self.clock)
        others, mine = self.run_now(work)
        self.assertEqual(Session("a/b", one.session_id), mine.session)
        self.assertEqual((2, 7.0, 2.0), (mine.offset, mine.age, mine.idle))
        self.assertEqual((0, 7.0, 2.0), (others.offset, others.age, others.idle))
        self.use(self.driver)  # another process
        self.run_now(self.open("c").uploads.cancel(other))
        work = look_at_latest(self.sessions, self.driver, self.clock)
        self.assertEqual([mine], self.run_now(work))
        self.assertEqual([one.session_id], self.latest())

    def test_new(self) -> None:
        """One that has only begun is known here, and to nobody else."""
        upload = self.start()
        self.clock.advance(3)
        work = look_at_latest(self.sessions, self.driver, self.clock)
        session = Session("a/b", upload.session_id)
        self.assertEqual([SessionState(session, 0, 3.0, 3.0)], self.run_now(work))
        work = look_at_latest(Sessions(), self.driver, self.clock)
        self.assertEqual([], self.run_now(work))

    def test_no_age(self) -> None:
        """A session need not say when it began."""
        upload = self.start_and_send()
        path = f"/docker/registry/v2/repositories/a/b/_uploads/{upload.session_id}"
        for change in (
            self.driver.put_content(f"{path}/startedat", b"once"),
            self.driver.delete(f"{path}/startedat"),
        ):
            self.successResultOf(change)
            work = look_at_latest(self.sessions, self.driver, self.clock)
            self.assertEqual([None], [state.age for state in self.run_now(work)])


class CensusTests(SessionsCase):
    """What is counted."""

    def setUp(self) -> None:
        """Make the census."""
        super().setUp()
        self.census = Census(self.driver, self.clock)

    def count(self) -> Count | None:
        """Go on by one step; return what is counted."""
        self.run_now(self.census.step())
        return self.census.count

    def test_none(self) -> None:
        """In a store with nothing in it there are none."""
        self.assertIsNone(self.census.count)
        self.assertEqual(Count(), self.count())

    def test_counted(self) -> None:
        """Those of all repositories count until they end, whoever began them."""
        one, _, _ = [self.start_and_send(name) for name in ("a", "a/b", "c")]
        self.assertEqual(Count(3, 0), self.count())
        self.run_now(self.open("a").uploads.cancel(one))
        self.assertEqual(Count(2, 0), self.count())

    def test_abandoned(self) -> None:
        """One to which nothing was written for an hour is abandoned."""
        one, _ = self.start_and_send(), self.start_and_send()
        self.clock.advance(ABANDONED - 1)
        self.append(one, b"12")
        self.assertEqual(Count(2, 0), self.count())
        self.clock.advance(1)
        self.assertEqual(Count(1, 1), self.count())

    def test_steps(self) -> None:
        """Where there are many repositories it takes some steps, and starts again."""
        self.patch(sessions, "STEP", 2)
        for name in ("a", "b", "c", "d/e"):
            self.start_and_send(name)
        found = [self.count() for _ in range(3)]
        self.assertEqual([None, None, Count(4, 0)], found)
        self.start_and_send("c")
        found = [self.count() for _ in range(3)]
        self.assertEqual([Count(4, 0), Count(4, 0), Count(5, 0)], found)
