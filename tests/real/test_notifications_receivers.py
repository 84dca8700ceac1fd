"""Tests of receivers that are slow, broken, hostile, or not who they should be."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.real.case import RealTestCase
from tests.real.images import MIB, digest_of
from tests.real.receivers import (
    Receiver,
    endpoint,
    notifications,
    tallies,
    wait_until,
)
from tests.real.registries import Registry
from tests.real.wire import connected

PUSHES = 40
DELAY = 1.0  # seconds that an event may be on its way to who takes it
ROOM = 40 * MIB  # what the registry's memory may grow by meanwhile
GIB = 1024 * MIB


class ReceiverCase(RealTestCase):
    """One registry that tells a bad receiver, and a good one beside it."""

    def setUp(self) -> None:
        """Start a receiver, which is the good one, too."""
        self.receiver = self.server(Receiver(self.folder())).start()

    def telling(self, url: str, **options: Any) -> Registry:
        """Start a registry that tells somebody, and ``/good`` of our receiver."""
        good = endpoint("good", self.receiver.url("/good"))
        bad = endpoint("bad", url, **options)
        settings = notifications(bad, good)
        return self.registry(None, "txregistry", settings=settings)

    def push(self, registry: Registry, count: int = PUSHES) -> list[str]:
        """Push blobs; return their digests."""
        digests = []
        with connected(registry.port) as wire:
            for _ in range(count):
                content = os.urandom(16)
                digests.append(digest_of(content))
                wire.push_blob("app", digests[-1], content, 0)
        return digests

    def check_good(self, registry: Registry) -> None:
        """Push; the good receiver is to be told at once, in little memory."""
        memory = resident(registry.daemon.pid, "VmRSS")
        before = len(self.receiver.events("/good"))
        self.push(registry, 5)
        self.receiver.wait_for_events(before + 5, "/good")
        digests, delays = [], []
        pushed = self.push(registry)
        self.receiver.wait_for_events(before + 5 + PUSHES, "/good")
        for message in self.receiver.messages("/good")[before + 5 :]:
            (event,) = message.events
            digests.append(event["target"]["digest"])
            delays.append(
                message.at - datetime.fromisoformat(event["timestamp"]).timestamp()
            )
        self.assertEqual(pushed, digests)
        self.assertLess(max(delays), DELAY)
        most = resident(registry.daemon.pid, "VmHWM")
        self.assertLess(most - memory, ROOM)


class BadReceiverTests(ReceiverCase):
    """A bad receiver harms neither the registry nor the one beside it."""

    def test_hang(self) -> None:
        """One that does not answer is asked again; the next event waits.

        It does not keep the registry from ending, however long it may take.
        """
        hanging = self.receiver.url("/bad", do="hang")
        registry = self.telling(hanging, timeout="300ms")
        self.check_good(registry)
        wait_until(lambda: len(self.receiver.events("/bad")) >= 3)
        self.assert_stuck(registry)
        registry = self.telling(hanging, timeout="50s")
        self.check_good(registry)
        registry.daemon.signal(signal.SIGTERM)
        self.assertEqual(0, registry.daemon.wait(10))

    def test_error(self) -> None:
        """One that answers 500 is asked again; the next event waits."""
        registry = self.telling(self.receiver.url("/bad", status=500))
        self.check_good(registry)
        wait_until(lambda: len(self.receiver.events("/bad")) >= 3)
        self.assert_stuck(registry)

    def test_down(self) -> None:
        """One that is not there is tried again."""
        nobody = Receiver(self.folder())
        registry = self.telling(nobody.url("/bad"))
        self.check_good(registry)
        self.assertEqual(PUSHES + 5, tallies(registry.tree)["bad"].waiting)

    def test_retry_after(self) -> None:
        """One that answers 429 is asked again when it wants to, and gets all."""
        url = self.receiver.url("/bad", status=429, times=2, retry_after=2)
        registry = self.telling(url)
        self.check_good(registry)
        self.receiver.wait_for_events(PUSHES + 5, "/bad")
        first, second, third, *_ = self.receiver.messages("/bad")
        self.assertGreater(second.at - first.at, 2)
        self.assertGreater(third.at - second.at, 2)
        self.assertEqual(first.body, third.body)
        self.assertEqual(PUSHES + 5 + 2, len(self.receiver.messages("/bad")))

    def test_redirect(self) -> None:
        """One that sends us to another host is asked again; the other gets nothing."""
        other = self.server(Receiver(self.folder())).start()
        for status in (302, 307):
            target = other.url("/secret")
            url = self.receiver.url(f"/{status}", status=status, location=target)
            registry = self.telling(url)
            self.check_good(registry)
            wait_until(lambda: len(self.receiver.events(f"/{status}")) >= 3)  # noqa: B023
            self.assertEqual(0, tallies(registry.tree)["bad"].delivered)
        self.assertEqual([], other.messages())

    def test_cut_within_head(self) -> None:
        """One that ends the line before its answer is whole is asked again."""
        registry = self.telling(self.receiver.url("/bad", do="cut-head"))
        self.check_good(registry)
        wait_until(lambda: len(self.receiver.events("/bad")) >= 3)
        self.assert_stuck(registry)

    def test_cut_within_body(self) -> None:
        """One that ends the line within its answer's body has said what counts."""
        url = self.receiver.url("/bad", do="cut", status=200)
        registry = self.telling(url)
        self.check_good(registry)
        ids = [event["id"] for event in self.receiver.wait_for_events(45, "/bad")]
        self.assertEqual((PUSHES + 5, PUSHES + 5), (len(ids), len(set(ids))))

    def test_flood(self) -> None:
        """An answer without end is cut off, whatever it says; over TLS, too."""
        authority, folder = Authority(), self.folder()
        over_tls = Receiver(self.folder(), authority.issue().write(folder))
        roots = authority.write(folder)
        for flooding in (self.receiver, self.server(over_tls).start()):
            for status in (200, 500):
                path = f"/{status}"
                url = flooding.url(path, do="flood", size=GIB, status=status)
                registry = self.telling(url, rootcerts=roots)
                self.check_good(registry)
                wait_until(lambda: len(flooding.events(path)) >= 3)  # noqa: B023
                delivered = tallies(registry.tree)["bad"].delivered
                self.assertEqual(status == 200, delivered > 0)
                registry.stop()
            wait_until(lambda: bool(flooding.floods()))  # noqa: B023
            self.assertLess(max(flooding.floods()), 16 * MIB)

    def test_flood_of_headers(self) -> None:
        """An answer whose head has no end is given up, and asked for again."""
        url = self.receiver.url("/bad", do="flood-head", size=GIB, status=200)
        registry = self.telling(url)
        self.check_good(registry)
        wait_until(lambda: len(self.receiver.events("/bad")) >= 3)
        self.assert_stuck(registry)
        self.assertLess(max(self.receiver.floods()), 16 * MIB)
        self.assertIn("answer of over", registry.log())

    def test_gone(self) -> None:
        """An event that is answered 410 is put aside; those behind it arrive."""
        gone = self.receiver.url("/bad", status=410, times=1)
        registry = self.telling(gone)
        self.check_good(registry)
        first, *others = self.receiver.wait_for_events(PUSHES + 5, "/bad")
        self.assertEqual(PUSHES + 4, len(others))
        self.assertNotIn(first["id"], [event["id"] for event in others])
        wait_until(lambda: tallies(registry.tree)["bad"].waiting == 0)
        tally = tallies(registry.tree)["bad"]
        self.assertEqual((1, PUSHES + 4), (tally.dead, tally.delivered))

    def assert_stuck(self, registry: Registry) -> None:
        """The bad receiver is sent the first event for ever, and has got none."""
        self.assertEqual(1, len({each["id"] for each in self.receiver.events("/bad")}))
        tally = tallies(registry.tree)["bad"]
        self.assertEqual((PUSHES + 5, 0), (tally.waiting, tally.delivered))
        self.assertGreaterEqual(tally.failures, 2)


class TLSReceiverTests(RealTestCase):
    """A receiver with a certificate of an authority that nobody knows."""

    def test_private_authority(self) -> None:
        """It is told if the authority is in ``rootcerts``, and not otherwise."""
        authority, folder = Authority(), self.folder()
        certificate = authority.issue().write(folder)
        receiver = self.server(Receiver(self.folder(), certificate)).start()
        roots = authority.write(folder)
        others = Authority().write(folder, "other.crt")
        settings = notifications(
            endpoint("trusted", receiver.url("/trusted"), rootcerts=roots),
            endpoint("system", receiver.url("/system")),
            endpoint("other", receiver.url("/other"), rootcerts=others),
        )
        registry = self.registry(None, "txregistry", settings=settings)
        content = os.urandom(16)
        with connected(registry.port) as wire:
            wire.push_blob("app", digest_of(content), content)
        (event,) = receiver.wait_for_events(1, "/trusted")
        self.assertEqual(digest_of(content), event["target"]["digest"])
        for name in ("system", "other"):
            wait_until(lambda: tallies(registry.tree)[name].failures >= 2)  # noqa: B023
            self.assertEqual([], receiver.messages(f"/{name}"))


def resident(pid: int, name: str) -> int:
    """Return how many bytes of memory a process has, or has had at the most.

    Args:
        pid: The process.
        name: ``VmRSS`` or ``VmHWM``.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
