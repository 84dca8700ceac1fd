"""Receivers: programs that events are posted to, and what they got."""

from __future__ import annotations

import base64
import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from tests.real.daemons import Daemon, DaemonFailed, free_port
from txregistry.webhooks.ledger import Ledger, Tally

Event = Mapping[str, Any]

_PROGRAM: Final = Path(__file__).with_name("receiving.py")


@frozen
class Message:
    """What a receiver got in one request.

    Attributes:
        at: When, in seconds since the epoch.
        target: The path and the query that were asked for.
        method: The HTTP method.
        headers: By their names in lower case.
        body: The bytes.
    """

    at: float
    target: str
    method: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path alone."""
        return urlsplit(self.target).path

    @property
    def events(self) -> list[Event]:
        """The events in it, whatever envelope they are in."""
        content = json.loads(self.body)
        kind = self.headers["content-type"]
        if kind == "application/cloudevents-batch+json":
            return [each["data"] for each in content]
        if kind == "application/cloudevents+json":
            return [content["data"]]
        return [content] if kind == "application/json" else list(content["events"])


class Receiver:
    """A receiver at a port that it keeps over restarts.

    Attributes:
        port: The port.
    """

    def __init__(self, folder: Path, tls: tuple[str, str] | None = None) -> None:
        """Prepare; ``start`` starts it.

        Args:
            folder: An empty folder for its log and for what it gets.
            tls: The paths of its certificate and key; None: it speaks plain HTTP.
        """
        self.port = free_port()
        self._tls = tls
        self._log = folder / "receiver.log"
        self._notes = folder / "notes"
        self._daemon: Daemon | None = None

    def start(self) -> Receiver:
        """Start it, wait until it serves, and return it."""
        names = ("--certificate", "--key")
        shown = zip(names, self._tls or (), strict=False)
        self._daemon = Daemon(
            [
                *(sys.executable, _PROGRAM, str(self.port), self._notes),
                *(word for pair in shown for word in pair),
            ],
            self._log,
        )
        self._daemon.wait_until(self._listens)
        return self

    def stop(self) -> None:
        """End it. Harmless if it does not run."""
        if self._daemon is not None:
            self._daemon.stop()

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        if self._daemon is not None:
            self._daemon.kill()

    def log(self) -> str:
        """Return the end of its log."""
        return "never started" if self._daemon is None else self._daemon.log()

    def url(self, path: str = "/hook", **orders: str | int) -> str:
        """Return where to post to.

        Args:
            path: The path.
            orders: How it is to answer; see ``receiving``.
        """
        scheme = "https" if self._tls else "http"
        spelled = {name.replace("_", "-"): value for name, value in orders.items()}
        query = f"?{urlencode(spelled)}" if orders else ""
        return f"{scheme}://127.0.0.1:{self.port}{path}{query}"

    def messages(self, path: str | None = None) -> list[Message]:
        """Return what it has got, in order; with a path: what was posted there."""
        made = [
            Message(
                note["at"],
                note["target"],
                note["method"],
                dict(note["headers"]),
                base64.b64decode(note["body"]),
            )
            for note in self._all_notes()
            if "body" in note
        ]
        return [each for each in made if path in (None, each.path)]

    def events(self, path: str | None = None) -> list[Event]:
        """Return the events that it has got, in order and as often as they came."""
        return [event for each in self.messages(path) for event in each.events]

    def floods(self) -> list[int]:
        """Return how many bytes went out in each answer that was to be a flood."""
        return [note["flooded"] for note in self._all_notes() if "flooded" in note]

    def wait_for_events(self, count: int, path: str | None = None) -> list[Event]:
        """Wait until it has got so many different events; return all it has got."""
        wait_until(lambda: len({each["id"] for each in self.events(path)}) >= count)
        return self.events(path)

    def _all_notes(self) -> list[dict[str, Any]]:
        if not self._notes.exists():
            return []
        whole, _, _ = self._notes.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except OSError:
            return False
        return True


def endpoint(name: str, url: str, **options: Any) -> dict[str, Any]:
    """Return the settings of an endpoint that is tried again soon."""
    soon = {"timeout": "2s", "threshold": 1, "backoff": "100ms"}
    return {"name": name, "url": url, **soon, "maxbackoff": "200ms", **options}


def notifications(*endpoints: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Return the settings of a registry that tells these endpoints."""
    return {"notifications": {"endpoints": list(endpoints), **options}}


def tallies(tree: Path) -> dict[str, Tally]:
    """Return how the endpoints stand of a registry that serves a folder."""
    ledger = Ledger(str(tree / "_txregistry" / "events.sqlite3"))
    try:
        return {tally.name: tally for tally in ledger.tallies()}
    finally:
        ledger.close()


def wait_until(ready: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something.

    Args:
        ready: Says whether it is there; asked again and again.
        seconds: For how long at the most.

    Raises:
        DaemonFailed: It did not come in time.
    """
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise DaemonFailed(f"not there after {seconds} s")
        time.sleep(0.05)
