"""Schema: the tables that events wait in."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

WAITING: Final = 0
DELIVERED: Final = 1
DEAD: Final = 2

CREATE: Final = """
    CREATE TABLE endpoints (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        delivered INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        dropped INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        at REAL NOT NULL,
        body BLOB NOT NULL,
        trace TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX events_at ON events (at);
    CREATE TABLE deliveries (
        seq INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
        endpoint INTEGER NOT NULL REFERENCES endpoints ON DELETE CASCADE,
        state INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        problem TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (seq, endpoint)
    ) WITHOUT ROWID;
    CREATE INDEX waiting ON deliveries (endpoint, seq) WHERE state = 0;
    CREATE INDEX dead ON deliveries (endpoint, seq) WHERE state = 2;
"""
"""``deliveries.state`` is one of the numbers above.

An event stays for a while when all have got it, so that it can be replayed.
``events.trace`` is a JSON object, or empty: see ``Entry``.
"""
