"""Schema: the tables that events wait in."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

WAITING: Final = 0
DELIVERED: Final = 1
DEAD: Final = 2

_ENDPOINTS: Final = """
    CREATE TABLE endpoints (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        waiting INTEGER NOT NULL DEFAULT 0,
        dead INTEGER NOT NULL DEFAULT 0,
        delivered INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0
    )
"""
_EVENTS: Final = """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        at REAL NOT NULL,
        open INTEGER NOT NULL DEFAULT 0,
        settled REAL,
        trace TEXT NOT NULL DEFAULT '',
        body BLOB NOT NULL
    )
"""
_DELIVERIES: Final = """
    CREATE TABLE deliveries (
        seq INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
        endpoint INTEGER NOT NULL REFERENCES endpoints ON DELETE CASCADE,
        state INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        problem TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (seq, endpoint)
    ) WITHOUT ROWID
"""
_ADDED: Final = """
    CREATE TRIGGER delivery_added AFTER INSERT ON deliveries BEGIN
        UPDATE endpoints SET waiting = waiting + 1 WHERE id = new.endpoint;
        UPDATE events SET open = open + 1 WHERE seq = new.seq;
    END
"""
_CHANGED: Final = """
    CREATE TRIGGER delivery_changed AFTER UPDATE OF state ON deliveries
    WHEN new.state != old.state BEGIN
        UPDATE endpoints SET
            waiting = waiting + (new.state = 0) - (old.state = 0),
            dead = dead + (new.state = 2) - (old.state = 2)
            WHERE id = new.endpoint;
        UPDATE events SET
            open = open + (new.state != 1) - (old.state != 1),
            settled = CASE new.state WHEN 1 THEN settled END
            WHERE seq = new.seq;
    END
"""
_GONE: Final = """
    CREATE TRIGGER delivery_gone AFTER DELETE ON deliveries BEGIN
        UPDATE endpoints SET
            waiting = waiting - (old.state = 0), dead = dead - (old.state = 2)
            WHERE id = old.endpoint;
        UPDATE events SET open = open - (old.state != 1) WHERE seq = old.seq;
    END
"""

CREATE: Final = (
    _ENDPOINTS,
    _EVENTS,
    _DELIVERIES,
    "CREATE INDEX events_at ON events (at)",
    "CREATE INDEX events_settled ON events (settled) WHERE settled IS NOT NULL",
    "CREATE INDEX waiting ON deliveries (endpoint, seq) WHERE state = 0",
    "CREATE INDEX dead ON deliveries (endpoint, seq) WHERE state = 2",
    _ADDED,
    _CHANGED,
    _GONE,
)
"""``deliveries.state`` is one of the numbers above.

An event stays for a while when all have got it, so that it can be replayed:
``events.open`` is how many have not, or would not take it, and ``settled`` since when
that is nobody. ``events.trace`` is a JSON object, or empty: see ``Entry``.
"""
