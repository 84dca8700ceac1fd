"""Tests of the clerk: the process beside a registry that makes its small files."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.real.case import RealTestCase
from tests.real.images import make_image, make_layer
from tests.real.pushers import Push, Pusher, take_stock
from tests.real.registries import Registry
from tests.real.wire import Wire, connected

PUSHERS = 3
_SECONDS = 30.0  # for what takes a moment


class ClerkTests(RealTestCase):
    """It may end at any time, and does when the registry does."""

    def setUp(self) -> None:
        """Have a registry."""
        super().setUp()
        self.store = self.registry()
        self.shared = [make_layer({"shared": os.urandom(4096)}) for _ in range(2)]

    def test_killed(self) -> None:
        """What it was about is made without it, nobody notices, and another begins."""
        pushers = self.pushers()
        for _ in range(2):
            clerk = self.clerk(self.store)
            time.sleep(0.2)
            os.kill(clerk, signal.SIGKILL)
            self.wait_for_end(clerk)
        self.clerk(self.store)
        self.store.stop()
        self.take_stock(pushers)
        self.assertIn("process has ended", self.store.log())

    def test_registry_killed(self) -> None:
        """It ends with the registry, and what was acknowledged is there."""
        pushers = self.pushers()
        clerk = self.clerk(self.store)
        time.sleep(0.3)
        self.store.daemon.kill()
        self.wait_for_end(clerk)
        self.take_stock(pushers)

    def test_stopped_together(self) -> None:
        """It does not end before the registry when both are told to."""
        pushers = self.pushers()
        clerk = self.clerk(self.store)
        time.sleep(0.2)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(clerk, each)
        os.kill(self.store.daemon.pid, signal.SIGTERM)
        self.wait_for_end(self.store.daemon.pid)
        self.assertFalse(Path(f"/proc/{clerk}/fd/0").exists())
        self.assertEqual([], holders(self.store.tree))
        self.assertNotIn("process has ended", self.store.log())
        self.take_stock(pushers)

    def pushers(self) -> list[Pusher]:
        """Have images come in."""
        pushers = [Pusher(self.store.port, "app", self.shared) for _ in range(PUSHERS)]
        for pusher in pushers:
            pusher.start()
        return pushers

    def take_stock(self, pushers: list[Pusher]) -> None:
        """See what is left of what came in, when it has ended, after a new start."""
        for pusher in pushers:
            pusher.join(_SECONDS)
        self.assertEqual([None] * PUSHERS, [pusher.error for pusher in pushers])
        self.store.start()
        pushes = [push for pusher in pushers for push in pusher.pushes]
        with connected(self.store.port) as wire:
            kept, _, problems = take_stock(wire, "app", pushes)
            self.push(wire)
        self.assertEqual([], problems)
        self.assertGreater(len(kept), 0)

    def push(self, wire: Wire) -> None:
        """Push an image."""
        Push(os.urandom(6).hex(), make_image(self.shared)).run(wire, "app")

    def clerk(self, registry: Registry) -> int:
        """Return the clerk's pid, as soon as it has the journal open."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            for pid in children(registry.daemon.pid):
                if pid in holders(registry.tree / "~journal"):
                    return pid
            time.sleep(0.02)
        return self.fail(f"no clerk\n{registry.log()}")

    def wait_for_end(self, pid: int) -> None:
        """Wait until a process is no more, or nobody's but to be buried."""
        deadline = time.monotonic() + _SECONDS
        while Path(f"/proc/{pid}/fd/0").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def holders(folder: Path) -> list[int]:
    """Return the processes that have a file open in a folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _has_open(process, folder):
            found.append(int(process.name))
    return found


def _has_open(process: Path, folder: Path) -> bool:
    try:
        places = [os.readlink(each) for each in (process / "fd").iterdir()]
    except OSError:  # it has ended meanwhile
        return False
    return any(place.startswith(f"{folder}/") for place in places)
