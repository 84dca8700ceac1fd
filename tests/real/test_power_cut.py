"""Tests of what is left when the machine loses its power.

A file system is shut down while images come in: it forgets at once all that is not on
its disk, as it does when the power goes, and is mounted anew.
"""

from __future__ import annotations

import os
import random
import time

from tests.real.case import RealTestCase
from tests.real.images import make_image, make_layer
from tests.real.mounts import OwnDisk
from tests.real.pushers import Push, Pusher, take_stock
from tests.real.registries import Registry
from tests.real.wire import Unexpected, connected

ROUNDS = int(os.environ.get("TXREGISTRY_POWER_ROUNDS", "2"))
PUSHERS = 3


class PowerCutTests(RealTestCase):
    """Nothing that was acknowledged is lost with the power, and nothing is half."""

    def test_while_pushing(self) -> None:
        """What was pushed is there, what was deleted is away, again and again."""
        self.cut(workers=1, rounds=ROUNDS)

    def test_workers(self) -> None:
        """So it is with several processes."""
        self.cut(workers=2, rounds=2)

    def test_xfs(self) -> None:
        """So it is on the other file system that a journal can be on."""
        self.cut(workers=1, rounds=2, kind="xfs")

    def cut(self, workers: int, rounds: int, kind: str = "ext4") -> None:
        """Cut the power off while images come in, as many times as that."""
        disk = OwnDisk(self, 1 << 30, kind)
        registry = self.registry(disk.folder / "tree", http={"workers": workers})
        acknowledged: list[Push] = []
        deleted: list[str] = []
        for number in range(rounds):
            pushes = self.push_and_cut(registry, disk, deleted)
            registry.start()
            with connected(registry.port) as wire:
                kept, lost, problems = take_stock(wire, "app", pushes)
                tags = wire.tags("app")
            self.assertEqual([], problems)
            acknowledged += kept + lost
            self.assertEqual(set(), set(deleted) & set(tags))
            self.assertLessEqual({push.tag for push in acknowledged}, set(tags))
            self.assertGreater(len(kept), 0, f"round {number}")
        with connected(registry.port) as wire:
            looks = [push.problem(wire, "app") for push in acknowledged]
        self.assertEqual([], [each for each in looks if each])
        self.assertGreater(len(deleted), 0)

    def push_and_cut(
        self, registry: Registry, disk: OwnDisk, deleted: list[str]
    ) -> list[Push]:
        """Let images come in, cut the power off, and return what was pushed."""
        shared = [make_layer({"shared": os.urandom(4096)}) for _ in range(2)]
        pushers = [Pusher(registry.port, "app", shared) for _ in range(PUSHERS)]
        for pusher in pushers:
            pusher.start()
        deadline = time.monotonic() + random.uniform(0.5, 2)
        with connected(registry.port) as wire:
            while time.monotonic() < deadline:
                push = Push(os.urandom(6).hex(), make_image(shared), pieces=0)
                push.run(wire, "app")
                target = f"/v2/app/manifests/{push.tag}"
                if wire.ask("DELETE", target).status == 202:
                    deleted.append(push.tag)
        disk.shut_down()
        registry.daemon.kill()
        for pusher in pushers:
            pusher.join(30)
            if pusher.error is not None:
                self.assertIsInstance(pusher.error, Unexpected)
        disk.mount_again()
        return [push for pusher in pushers for push in pusher.pushes]
