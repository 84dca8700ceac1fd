"""Inspecting: looking into a ledger, and changing what waits, for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from txregistry.webhooks.ledger import Ledger
from txregistry.webhooks.schema import DEAD, DELIVERED, WAITING


class NoSuchEvent(Exception):
    """The ledger does not have the event; it may have been forgotten."""


@frozen
class Listed:
    """An event and how far it has come with one endpoint.

    Attributes:
        endpoint: The endpoint's name.
        attempts: How often it has been sent in vain.
        problem: Why the last time; empty: it has not been sent yet.
        event: The event, in the form of the Go registry's third line.
    """

    endpoint: str
    attempts: int
    problem: str
    event: dict[str, Any]


def list_events(
    ledger: Ledger, dead: bool, endpoint: str | None, limit: int
) -> list[Listed]:
    """Return events that wait, in their order.

    Args:
        ledger: Where they wait.
        dead: Those that an endpoint will not take, instead.
        endpoint: For whom; None: for all.
        limit: How many at the most.
    """
    condition, parameters = _which(DEAD if dead else WAITING, endpoint)
    rows = ledger.select(
        "SELECT name, attempts, problem, body FROM deliveries"
        " JOIN events ON events.seq = deliveries.seq"
        " JOIN endpoints ON endpoints.id = endpoint"
        f" WHERE {condition} ORDER BY deliveries.seq, name LIMIT ?",
        (*parameters, limit),
    )
    return [
        Listed(name, attempts, problem, json.loads(body))
        for name, attempts, problem, body in rows
    ]


def replay(ledger: Ledger, since: str | float, endpoint: str | None) -> int:
    """Let events be sent again that were delivered or refused, in their order.

    Args:
        ledger: Where they are.
        since: The first event, by its id; or a time in seconds since the epoch.
        endpoint: To whom; None: to all who were to get them.

    Returns:
        How many wait again, each counted for each endpoint.

    Raises:
        NoSuchEvent: There is no such event.
    """
    condition, parameters = _which(None, endpoint)
    if isinstance(since, str):
        found = ledger.select("SELECT seq FROM events WHERE id = ?", (since,))
        if not found:
            raise NoSuchEvent(since)
        first = f"seq >= {found[0][0]}"
    else:
        first = "seq IN (SELECT seq FROM events WHERE at >= ?)"
        parameters = (*parameters, since)
    return ledger.execute(
        f"{_AGAIN} WHERE {condition} AND state != {WAITING} AND {first}", parameters
    )


def revive(ledger: Ledger, endpoint: str | None) -> int:
    """Let events be sent again that an endpoint would not take; return how many."""
    condition, parameters = _which(DEAD, endpoint)
    return ledger.execute(f"{_AGAIN} WHERE {condition}", parameters)


def purge(
    ledger: Ledger, dead: bool, endpoint: str | None, before: float | None
) -> int:
    """Give up events that wait.

    Args:
        ledger: Where they wait.
        dead: Those that an endpoint will not take, instead.
        endpoint: For whom; None: for all.
        before: Only those that happened before then, in seconds since the epoch; None:
            all.

    Returns:
        How many, each counted for each endpoint.
    """
    condition, parameters = _which(DEAD if dead else WAITING, endpoint)
    if before is not None:
        condition += " AND seq IN (SELECT seq FROM events WHERE at < ?)"
        parameters = (*parameters, before)
    count = ledger.execute(f"DELETE FROM deliveries WHERE {condition}", parameters)
    ledger.execute("UPDATE events SET settled = at WHERE open = 0 AND settled IS NULL")
    return count


_AGAIN: Final = f"UPDATE deliveries SET state = {WAITING}, attempts = 0, problem = ''"


def _which(
    state: int | None, endpoint: str | None
) -> tuple[str, Sequence[str | float]]:
    condition = f"state IN ({WAITING}, {DELIVERED}, {DEAD})"
    if state is not None:
        condition = f"state = {state}"
    if endpoint is None:
        return condition, ()
    return (
        f"{condition} AND endpoint = (SELECT id FROM endpoints WHERE name = ?)",
        (endpoint,),
    )
