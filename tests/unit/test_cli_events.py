"""Tests of txregistry.cli.events: ``txregistry events``."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from txregistry import cli
from txregistry.oci.events import format_timestamp
from txregistry.webhooks.ledger import Entry, Ledger, Tried

HOUR = 3600.0
DAY = 24 * HOUR


def event(name: str, at: float, tag: str = "", digest: str = "") -> bytes:
    """Return an event as the ledger holds it."""
    target = {"repository": "a/b", "tag": tag, "digest": digest}
    return json.dumps(
        {
            "id": name,
            "timestamp": format_timestamp(at),
            "action": "push",
            "target": target,
        }
    ).encode()


class EventsCase(SynchronousTestCase):
    """The command, on a ledger with events for two endpoints.

    ``first`` has been delivered to both, ``second`` is dead for staging, ``third`` has
    failed there, and ``fourth`` has not been tried.
    """

    def setUp(self) -> None:
        """Fill the ledger."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "config.yml"
        self.ledger = Ledger(str(folder / "events"))
        self.addCleanup(self.ledger.close)
        self.configure(f"queue: {{path: {folder / 'events'}}}")
        self.now = time.time()
        both = ["staging", "audit"]
        self.ledger.append(
            [
                self.entry("first", 2 * DAY, both, tag="old"),
                self.entry("second", 3 * HOUR, ["staging"], digest="sha256:0123"),
                self.entry("third", 2 * HOUR, ["staging"], tag="new"),
                self.entry("fourth", HOUR, both),
            ]
        )
        self.ledger.advance("audit", [Tried(1)], 0, 0)
        tried = [Tried(1), Tried(2, "answered 410", final=True), Tried(3, "no answer")]
        self.ledger.advance("staging", tried, 0, 0)

    def configure(self, notifications: str) -> None:
        """Write a configuration."""
        rest = "version: 0.1\nstorage: {inmemory: {}}\nnotifications:\n  "
        self.path.write_text(rest + notifications)

    def entry(
        self,
        name: str,
        age: float,
        endpoints: Sequence[str],
        tag: str = "",
        digest: str = "",
    ) -> Entry:
        """Return an event of an age in seconds."""
        at = self.now - age
        return Entry(name, at, event(name, at, tag, digest), endpoints)

    def run_command(self, *arguments: str) -> Result:
        """Run ``txregistry events`` on the configuration."""
        command, *others = arguments
        line = ["events", command, "--config", str(self.path), *others]
        return CliRunner().invoke(cli.main, line)

    def lines(self, *arguments: str) -> list[list[str]]:
        """Run it; return the words of each line that it prints."""
        result = self.run_command(*arguments)
        self.assertEqual(0, result.exit_code, result.output)
        return [line.split() for line in result.stdout.splitlines()]

    def assertFails(self, *arguments: str) -> str:  # noqa: N802 - as trial's
        """Check that it ends with one line, and return that."""
        result = self.run_command(*arguments)
        self.assertEqual((1, ""), (result.exit_code, result.stdout))
        self.assertEqual(1, result.stderr.count("\n"), result.stderr)
        self.assertTrue(result.stderr.startswith("txregistry: "))
        return result.stderr

    def waiting(self, endpoint: str) -> list[str]:
        """Return the ids of what waits for an endpoint."""
        return [each.id for each in self.ledger.advance(endpoint, [], 9, 1 << 20)]


class StatusTests(EventsCase):
    """``txregistry events status``."""

    def test_table(self) -> None:
        """A line for each endpoint says what waits, since when, and what became."""
        head, audit, staging = self.lines("status")
        self.assertEqual(7, len(head))
        self.assertEqual(["audit", "1"], audit[:2])
        self.assertEqual(["0", "1", "0", "0"], audit[3:])
        self.assertEqual(["staging", "2"], staging[:2])
        self.assertEqual(["1", "1", "2", "0"], staging[3:])

    def test_json(self) -> None:
        """The same can be had as JSON."""
        result = self.run_command("status", "--json")
        audit, staging = map(json.loads, result.stdout.splitlines())
        self.assertEqual(("audit", 1), (audit["name"], audit["waiting"]))
        self.assertEqual((1, 2), (staging["dead"], staging["failures"]))


class ListTests(EventsCase):
    """``txregistry events list``."""

    def test_waiting(self) -> None:
        """What waits is listed in its order, with what went wrong."""
        third, *fourth = self.lines("list")
        self.assertEqual(["staging", "push", "a/b:new", "third"], third[1:5])
        self.assertEqual("failed 1x: no answer", " ".join(third[5:]))
        self.assertEqual(["audit", "staging"], [line[1] for line in fourth])

    def test_endpoint(self) -> None:
        """What waits for one endpoint can be listed alone."""
        (line,) = self.lines("list", "--endpoint", "audit")
        self.assertEqual("fourth", line[4])

    def test_limit(self) -> None:
        """No more is listed than is wanted."""
        self.assertEqual(1, len(self.lines("list", "--limit", "1")))

    def test_dead(self) -> None:
        """What an endpoint would not take is listed on demand."""
        (line,) = self.lines("list", "--dead")
        self.assertEqual(["a/b@sha256:0123", "second"], line[3:5])

    def test_json(self) -> None:
        """The events themselves can be had as JSON."""
        result = self.run_command("list", "--dead", "--json")
        (found,) = map(json.loads, result.stdout.splitlines())
        self.assertEqual("answered 410", found["problem"])
        self.assertEqual("second", found["event"]["id"])

    def test_nothing(self) -> None:
        """When nothing waits, that is said where it is no output."""
        result = self.run_command("list", "--endpoint", "nobody")
        self.assertEqual((0, ""), (result.exit_code, result.stdout))
        self.assertEqual("nothing waits\n", result.stderr)


class ReplayTests(EventsCase):
    """``txregistry events replay``."""

    def test_time(self) -> None:
        """Events since a time wait again, in their old order."""
        self.lines("replay", "--from", "72h")
        self.assertEqual(
            ["first", "second", "third", "fourth"], self.waiting("staging")
        )
        self.assertEqual(["first", "fourth"], self.waiting("audit"))

    def test_moment(self) -> None:
        """The time can be a date, which is UTC unless it says otherwise."""
        moment = format_timestamp(self.now - 4 * HOUR)
        for text in (moment, moment.removesuffix("Z")):
            self.lines("replay", "--from", text)
            self.assertEqual(["second", "third", "fourth"], self.waiting("staging"))

    def test_endpoint(self) -> None:
        """It can be for one endpoint alone."""
        (words,) = self.lines("replay", "--from", "72h", "--endpoint", "audit")
        self.assertEqual("1 to be sent again", " ".join(words))
        self.assertEqual(["third", "fourth"], self.waiting("staging"))

    def test_id(self) -> None:
        """An event's id stands for it and all that follow."""
        name = "8f0f1f6c-5d0a-4b5e-a0b9-8f2b0a3c1f55"
        self.ledger.append([self.entry(name, 0.0, ["staging"])])
        self.ledger.advance("staging", [Tried(5)], 0, 0)
        self.lines("replay", "--from", name)
        self.assertEqual(["third", "fourth", name], self.waiting("staging"))

    def test_dead(self) -> None:
        """What an endpoint would not take waits again, and has no failures yet."""
        self.lines("replay", "--dead")
        self.assertEqual(["second", "third", "fourth"], self.waiting("staging"))
        (second, *_) = self.ledger.advance("staging", [], 1, 1)
        self.assertEqual(0, second.attempts)

    def test_refused(self) -> None:
        """What cannot be meant is one line."""
        unknown = "00000000-0000-0000-0000-000000000000"
        self.assertIn("no event", self.assertFails("replay", "--from", unknown))
        self.assertIn("no time", self.assertFails("replay", "--from", "yesterday"))
        self.assertIn("either", self.assertFails("replay"))
        self.assertIn("either", self.assertFails("replay", "--dead", "--from", "1h"))


class PurgeTests(EventsCase):
    """``txregistry events purge``."""

    def test_endpoint(self) -> None:
        """What waits for an endpoint is given up, and for no other."""
        self.lines("purge", "--endpoint", "staging", "--yes")
        self.assertEqual([], self.waiting("staging"))
        self.assertEqual(["fourth"], self.waiting("audit"))
        (line,) = self.lines("list", "--dead")
        self.assertEqual("second", line[4])

    def test_before(self) -> None:
        """What is newer can be let wait."""
        self.lines("purge", "--before", "90m", "--yes")
        self.assertEqual(["fourth"], self.waiting("staging"))

    def test_dead(self) -> None:
        """What an endpoint would not take can be given up alone."""
        self.lines("purge", "--dead", "--yes")
        self.assertEqual([], self.lines("list", "--dead"))
        self.assertEqual(["third", "fourth"], self.waiting("staging"))

    def test_asked(self) -> None:
        """It asks before; no is no."""
        result = self.run_command("purge")
        self.assertEqual(1, result.exit_code)
        self.assertIn("all endpoints", result.output)
        self.assertEqual(["third", "fourth"], self.waiting("staging"))


class NoLedgerTests(EventsCase):
    """Configurations without events to look at."""

    def test_memory(self) -> None:
        """What waits in memory only its process can see."""
        self.configure("queue: {driver: memory}")
        self.assertIn("memory", self.assertFails("status"))

    def test_missing(self) -> None:
        """Where no registry has run there is nothing, and nothing is made."""
        path = self.path.parent / "none"
        self.configure(f"queue: {{path: {path}}}")
        self.assertIn("no such file", self.assertFails("list"))
        self.assertFalse(path.exists())

    def test_broken(self) -> None:
        """A file of another kind is one line."""
        path = self.path.parent / "text"
        path.write_text("no database at all, but long enough to look like one " * 99)
        self.configure(f"queue: {{path: {path}}}")
        self.assertIn("not a database", self.assertFails("status"))

    def test_unknown(self) -> None:
        """Where it is not known where events wait, that is said."""
        self.path.write_text("version: 0.1\nstorage: {s3: {}}\n")
        self.assertIn("notifications.queue.path", self.assertFails("status"))


class TestTests(EventsCase):
    """``txregistry events test``, as far as nothing is sent."""

    def test_refused(self) -> None:
        """What cannot be sent is one line."""
        self.configure("endpoints: [{name: a, url: 'http://127.0.0.1:9/'}]")
        self.assertIn("has: a", self.assertFails("test", "b"))
        self.assertIn("name", self.assertFails("test", "a", "--repository", "A"))
        self.assertIn("tag", self.assertFails("test", "a", "--tag", "?"))
        self.configure("endpoints: [{name: a}]")
        self.assertIn("endpoints.0.url", self.assertFails("test", "a"))
