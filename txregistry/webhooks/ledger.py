"""Ledger: the events that wait, for whom, and what became of them; an SQLite file.

Everything here waits for the disk: the registry calls it in a thread (see ``queue``),
commands call it as they are. Several processes may have one file open.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from attrs import frozen

from txregistry.interfaces import StorageError, StorageFull
from txregistry.webhooks import schema
from txregistry.webhooks.schema import DEAD, DELIVERED, WAITING

IN_MEMORY: Final = ":memory:"
"""A path for what is lost with the process."""

_PATIENCE: Final = 30.0  # seconds, for other processes to be done with the file
_CHUNK: Final = 1000  # events dropped at a time
_ROWS: Final = 64  # inserted at a time; SQLite takes 999 values at the least


class BrokenLedger(StorageError):
    """The file cannot be used."""


@frozen
class Entry:
    """An event on its way into the ledger.

    Attributes:
        id: The event's.
        at: When it happened, in seconds since the epoch.
        body: The event as JSON, or what makes it, in the thread that keeps it.
        endpoints: The names of those who are to get it.
        trace: The headers by which others go on with the request's trace, as a JSON
            object; empty: it is not traced.
    """

    id: str
    at: float
    body: bytes | Callable[[], bytes]
    endpoints: Sequence[str]
    trace: str = ""

    def content(self) -> bytes:
        """Return the event as JSON."""
        return self.body if isinstance(self.body, bytes) else self.body()


@frozen
class Waiting:
    """An event that waits for somebody.

    Attributes:
        seq: Its place among all events.
        id: The event's.
        at: When it happened, in seconds since the epoch.
        body: The event as JSON.
        attempts: How often it has been sent in vain.
        trace: See ``Entry``.
    """

    seq: int
    id: str
    at: float
    body: bytes
    attempts: int
    trace: str = ""


@frozen
class Tried:
    """What came of sending an event.

    Attributes:
        seq: The event's place.
        problem: Why it was in vain; empty: it is delivered.
        final: Whether it is not to be sent again, although it is not delivered.
    """

    seq: int
    problem: str = ""
    final: bool = False


@frozen
class Tally:
    """How an endpoint stands.

    Attributes:
        name: The endpoint's.
        waiting: How many events wait for it.
        oldest: When the first of them happened, in seconds since the epoch; None: none
            waits.
        dead: How many it would not take.
        delivered: How many it has got since the ledger began.
        failures: How often it was sent something in vain since then.
        dropped: How many were given up since then, for their age or for want of room.
    """

    name: str
    waiting: int
    oldest: float | None
    dead: int
    delivered: int
    failures: int
    dropped: int


class Ledger:
    """The ledger, for one thread at a time."""

    def __init__(self, path: str) -> None:
        """Open a file, and make it if it is not there.

        Args:
            path: The file; its folder must exist. ``IN_MEMORY``: none.

        Raises:
            BrokenLedger: It cannot be used.
        """
        self.path = path
        with self._translated(), _alone_in_folder_of(path):
            if path != IN_MEMORY:
                # Who did what is for its owner alone; SQLite's other files follow it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(
                path, _PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def append(self, entries: Sequence[Entry]) -> None:
        """Take events in, durably.

        Raises:
            StorageError: They could not all be taken in, so none was.
        """
        with self._transaction(durable=True):
            numbers = self._numbers(
                {name for each in entries for name in each.endpoints}
            )
            ((last,),) = self._database.execute(_LAST_SEQ).fetchall()
            rows = list(enumerate(entries, last + 1))
            self._insert(
                "INSERT INTO events (seq, id, at, body, trace)",
                [
                    (seq, each.id, each.at, each.content(), each.trace)
                    for seq, each in rows
                ],
            )
            self._insert(
                "INSERT INTO deliveries (seq, endpoint)",
                [(seq, numbers[name]) for seq, each in rows for name in each.endpoints],
            )

    def advance(
        self,
        endpoint: str,
        tried: Sequence[Tried],
        most: int,
        most_bytes: int,
        now: float | None = None,
    ) -> list[Waiting]:
        """Note what came of sending events, and return what is to be sent next.

        The notes need not survive a power cut: then something is sent twice.

        Args:
            endpoint: The endpoint's name.
            tried: What was sent to it.
            most: How many events are wanted at the most.
            most_bytes: How many bytes they may have together, but for the first one.
            now: The time, in seconds since the epoch; None: when the events happened.

        Returns:
            What waits for it, in order.
        """
        if tried:
            with self._transaction():
                self._note(endpoint, tried, now)
        with self._translated():
            return self._next(endpoint, most, most_bytes)

    def sweep(self, now: float, max_age: float, keep: float, max_size: int) -> Dropped:
        """Forget what nobody needs any more, and drop what has waited for too long.

        When the ledger has more bytes than it may, what was delivered goes first, and
        then what is oldest, whoever waits for it.

        Args:
            now: The time, in seconds since the epoch.
            max_age: For how many seconds an event may wait.
            keep: For how many seconds an event is kept after all have got it.
            max_size: How many bytes the ledger may have.

        Returns:
            Who lost how many events that waited, and whether there is more to do: a
            call does some of it only, so that nobody waits for long.
        """
        old: dict[str, int] = {}
        crowded: dict[str, int] = {}
        with self._transaction():
            most = max(
                self._drop(_OLDER, (now - max_age,), old),
                self._delete(_SETTLED_BEFORE, (now - keep,)),
            )
            more = most == _CHUNK
            if self.size > max_size:
                freed = self._delete(_SETTLED, ()) or self._drop(_OLDEST, (), crowded)
                more |= freed > 0
        return Dropped(old, crowded, more)

    @property
    def size(self) -> int:
        """How many bytes the ledger has, but for what would be used again."""
        with self._translated():
            pages, free, page = (
                int(self._database.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * page

    def changes(self) -> int:
        """Return a number that changes when another process has written."""
        with self._translated():
            return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    def tallies(self) -> list[Tally]:
        """Return how all endpoints stand that the ledger knows, by name."""
        with self._translated():
            rows = self._database.execute(_TALLIES).fetchall()
        return [Tally(*row) for row in rows]

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """Change something, durably; return how many rows were concerned."""
        with self._transaction(durable=True):
            return self._database.execute(statement, parameters).rowcount

    def select(
        self, statement: str, parameters: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        """Return rows."""
        with self._translated():
            return self._database.execute(statement, parameters).fetchall()

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "foreign_keys = ON"):
            self._database.execute(f"PRAGMA {pragma}")
        with self._transaction(durable=True):
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in schema.CREATE:
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {schema.VERSION}")
            elif version != schema.VERSION:
                raise BrokenLedger(f"{self.path}: is of another version of txregistry")

    def _insert(self, into: str, rows: Sequence[Sequence[object]]) -> None:
        """Insert rows, many by one statement.

        With each one SQLite lets other threads go on, and then has to wait for them.
        """
        for begin in range(0, len(rows), _ROWS):
            some = rows[begin : begin + _ROWS]
            room = f"({', '.join('?' * len(some[0]))})"
            self._database.execute(
                f"{into} VALUES {', '.join([room] * len(some))}",
                [value for row in some for value in row],
            )

    def _numbers(self, names: Iterable[str]) -> dict[str, int]:
        numbers = {}
        for name in names:
            self._database.execute(
                "INSERT OR IGNORE INTO endpoints (name) VALUES (?)", (name,)
            )
            found = "SELECT id FROM endpoints WHERE name = ?"
            (numbers[name],) = self._database.execute(found, (name,)).fetchone()
        return numbers

    def _note(self, endpoint: str, tried: Sequence[Tried], now: float | None) -> None:
        number = self._numbers([endpoint])[endpoint]
        self._database.executemany(
            "UPDATE deliveries SET state = ?, attempts = attempts + 1, problem = ?"
            " WHERE seq = ? AND endpoint = ?",
            [(_state(each), each.problem, each.seq, number) for each in tried],
        )
        self._database.executemany(
            "UPDATE events SET settled = coalesce(?, at) WHERE seq = ? AND open = 0",
            [(now, each.seq) for each in tried],
        )
        delivered = sum(not each.problem for each in tried)
        self._database.execute(
            "UPDATE endpoints SET delivered = delivered + ?, failures = failures + ?"
            " WHERE id = ?",
            (delivered, len(tried) - delivered, number),
        )

    def _next(self, endpoint: str, most: int, most_bytes: int) -> list[Waiting]:
        found: list[Waiting] = []
        size = 0
        for row in self._database.execute(_NEXT, (endpoint, most)):
            waiting = Waiting(*row)
            size += len(waiting.body)
            if found and size > most_bytes:
                break
            found.append(waiting)
        return found

    def _drop(
        self, which: str, parameters: Sequence[object], lost: dict[str, int]
    ) -> int:
        """Delete events, and add to ``lost`` who had not got how many of them.

        Returns:
            How many are gone.
        """
        rows = self._database.execute(
            "SELECT endpoints.id, name, count(*) FROM deliveries"
            " JOIN endpoints ON endpoints.id = endpoint"
            f" WHERE state != {DELIVERED} AND seq IN ({which}) GROUP BY endpoint",
            parameters,
        ).fetchall()
        for number, name, count in rows:
            lost[name] = lost.get(name, 0) + count
            self._database.execute(
                "UPDATE endpoints SET dropped = dropped + ? WHERE id = ?",
                (count, number),
            )
        return self._delete(which, parameters)

    def _delete(self, which: str, parameters: Sequence[object]) -> int:
        """Delete events; return how many."""
        statement = f"DELETE FROM events WHERE seq IN ({which})"
        return self._database.execute(statement, parameters).rowcount

    @contextmanager
    def _transaction(self, durable: bool = False) -> Iterator[None]:
        level = "FULL" if durable else "NORMAL"
        with self._translated():
            self._database.execute(f"PRAGMA synchronous = {level}")
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                # Where there is no room SQLite may have done so by itself.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BrokenLedger(f"{self.path}: {error.strerror}") from error
        except sqlite3.Error as error:
            kind = StorageFull if "is full" in str(error) else BrokenLedger
            raise kind(f"{self.path}: {error}") from error


@frozen
class Dropped:
    """What a sweep has dropped that somebody waited for.

    Attributes:
        old: How many events, by the endpoint's name, for their age.
        crowded: How many for want of room.
        more: Whether there is more to do.
    """

    old: dict[str, int]
    crowded: dict[str, int]
    more: bool = False


@contextmanager
def _alone_in_folder_of(path: str) -> Iterator[None]:
    """Let nobody else open a ledger: SQLite fails if two make one at the same time.

    It does not wait for the other one when it begins to write ahead (``WAL``).
    """
    if path == IN_MEMORY:
        yield
        return
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _state(tried: Tried) -> int:
    if not tried.problem:
        return DELIVERED
    return DEAD if tried.final else WAITING


# That of the last event there ever was; 0: there was none.
_LAST_SEQ: Final = (
    "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
)

# The events that go next, in as many as go at a time; each is asked of an index.
_OLDER: Final = f"SELECT seq FROM events WHERE at < ? ORDER BY at LIMIT {_CHUNK}"
_SETTLED: Final = (
    "SELECT seq FROM events WHERE settled IS NOT NULL"
    f" ORDER BY settled, seq LIMIT {_CHUNK}"
)
_SETTLED_BEFORE: Final = (
    f"SELECT seq FROM events WHERE settled < ? ORDER BY settled LIMIT {_CHUNK}"
)
_OLDEST: Final = f"SELECT seq FROM events ORDER BY seq LIMIT {_CHUNK}"
_NEXT: Final = f"""
    SELECT events.seq, events.id, at, body, attempts, trace
    FROM deliveries JOIN events ON events.seq = deliveries.seq
    WHERE endpoint = (SELECT id FROM endpoints WHERE name = ?) AND state = {WAITING}
    ORDER BY deliveries.seq LIMIT ?
"""
_TALLIES: Final = f"""
    SELECT
        name,
        waiting,
        (SELECT at FROM deliveries JOIN events ON events.seq = deliveries.seq
            WHERE endpoint = endpoints.id AND state = {WAITING}
            ORDER BY deliveries.seq LIMIT 1),
        dead, delivered, failures, dropped
    FROM endpoints ORDER BY name
"""
