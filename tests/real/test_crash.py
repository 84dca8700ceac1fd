"""Tests of what is left when the registry is killed."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.real.case import RealTestCase
from tests.real.images import make_layer
from tests.real.pushers import Push, Pusher, take_stock
from tests.real.registries import Registry
from tests.real.wire import connected

ROUNDS = int(os.environ.get("TXREGISTRY_CRASH_ROUNDS", "100"))
PUSHERS = 3
SIDE_BY_SIDE = 2  # most of the time is one processor's


class CrashTests(RealTestCase):
    """No acknowledged push is lost to kill -9, and none hinders the next one."""

    def test_killed_while_pushing(self) -> None:
        """Killed again and again while images come in, the registry stays whole.

        Every acknowledged image pulls whole after the restart, and at the end; of the
        others nothing can be seen half, and each can be pushed again.
        """
        registries = [self.registry() for _ in range(SIDE_BY_SIDE)]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            each = partial(self.kill_again_and_again, ROUNDS // SIDE_BY_SIDE)
            list(pool.map(each, registries))

    def kill_again_and_again(self, rounds: int, registry: Registry) -> None:
        """Kill one so many times."""
        acknowledged: list[Push] = []
        pushed_again = 0
        for _ in range(rounds):
            pushes = self.push_and_kill(registry)
            registry.start()
            with connected(registry.port) as wire:
                kept, lost, problems = take_stock(wire, "app", pushes)
            self.assertEqual([], problems)
            acknowledged += kept + lost
            pushed_again += len(lost)
        with connected(registry.port) as wire:
            looks = [push.problem(wire, "app") for push in acknowledged]
            self.assertEqual([], [each for each in looks if each])
            self.assertEqual(
                sorted(push.tag for push in acknowledged), wire.tags("app")
            )
        self.assertGreaterEqual(pushed_again, rounds)
        self.assertGreater(len(acknowledged), pushed_again)

    def push_and_kill(self, registry: Registry) -> list[Push]:
        """Let images come in, kill the registry, and return what was pushed."""
        shared = [make_layer({"shared": os.urandom(4096)}) for _ in range(2)]
        pushers = [Pusher(registry.port, "app", shared) for _ in range(PUSHERS)]
        for pusher in pushers:
            pusher.start()
        time.sleep(random.uniform(0.01, 0.3))
        registry.daemon.kill()
        for pusher in pushers:
            pusher.join(30)
        self.assertEqual([None] * PUSHERS, [pusher.error for pusher in pushers])
        return [push for pusher in pushers for push in pusher.pushes]
