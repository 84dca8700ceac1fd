"""Tests of events when registries and receivers come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import count

from attrs import frozen

from tests.real.case import RealTestCase
from tests.real.images import CONFIG, descriptor, encoded
from tests.real.receivers import (
    Event,
    Receiver,
    endpoint,
    notifications,
    tallies,
    wait_until,
)
from tests.real.registries import Registry
from tests.real.wire import MANIFEST, Wire, connected

PUSHES = 1000
ROUNDS = 10
PUSHERS = 4
REPOSITORIES = 3  # of each pusher

BLOBS = "application/octet-stream"


@frozen
class Pushed:
    """A manifest whose push was acknowledged.

    Attributes:
        repository: Where it is.
        tag: Its tag, which no other push has named.
        digest: Its digest.
    """

    repository: str
    tag: str
    digest: str


class Pusher(threading.Thread):
    """Pushes small manifests to its own repositories, one after another.

    Attributes:
        acknowledged: What was answered with 201, in order.
        error: What ended it, other than the registry going away.
    """

    def __init__(self, port: int, prefix: str, tags: Iterator[int]) -> None:
        """Take the registry's port, what names begin with, and where tags come from."""
        super().__init__(daemon=True)
        self.acknowledged: list[Pushed] = []
        self.error: Exception | None = None
        self._port = port
        self._names = [f"{prefix}/{number}" for number in range(REPOSITORIES)]
        self._tags = tags
        self._left = threading.Event()

    def leave(self) -> None:
        """End it when its push is done."""
        self._left.set()

    def run(self) -> None:
        """Push until the connection breaks, or until we leave."""
        try:
            with connected(self._port) as wire:
                for number in count():
                    if self._left.is_set():
                        return
                    self._push(wire, self._names[number % REPOSITORIES])
        except (OSError, HTTPException):
            pass
        except Exception as error:
            self.error = error

    def _push(self, wire: Wire, name: str) -> None:
        tag = f"t{next(self._tags)}"
        content = manifest(tag)
        answer = wire.push_manifest(name, tag, content)
        digest = answer.headers["docker-content-digest"]
        self.acknowledged.append(Pushed(name, tag, digest))


class CrashCase(RealTestCase):
    """Registries and a receiver that is told of manifests."""

    def setUp(self) -> None:
        """Prepare a receiver, which is not started, and a folder for images."""
        self.receiver = self.server(Receiver(self.folder()))
        self.tree = self.folder()
        self.tags = count()
        self.acknowledged: list[Pushed] = []

    def telling(self, process: str = "one") -> Registry:
        """Start a registry on our folder, whose messages have the process's name."""
        ignored = {
            "ignore": {"mediatypes": [BLOBS], "actions": ["pull"]},
            "headers": {"X-From": [process]},
        }
        told = endpoint("receiver", self.receiver.url(), **ignored)
        # Manifests whose blobs nobody has pushed are taken: it is not about them.
        settings = {
            **notifications(told),
            "validation": {"manifests": {"sparse": True}},
        }
        return self.registry(self.tree, "txregistry", settings=settings)

    def push(
        self, registry: Registry, prefix: str, until: Callable[[int], bool]
    ) -> int:
        """Push until something was done; return how many pushes were acknowledged.

        Args:
            registry: Where to.
            prefix: What the names of repositories begin with.
            until: Is called with how many pushes were acknowledged, again and again;
                ends it by returning true, maybe by killing the registry.
        """
        pushers = [
            Pusher(registry.port, f"{prefix}{number}", self.tags)
            for number in range(PUSHERS)
        ]
        for pusher in pushers:
            pusher.start()

        def done() -> bool:
            failed = any(pusher.error for pusher in pushers)
            return failed or until(sum(len(each.acknowledged) for each in pushers))

        wait_until(done, 60)
        for pusher in pushers:
            pusher.leave()
        for pusher in pushers:
            pusher.join(30)
        self.assertEqual([None] * PUSHERS, [pusher.error for pusher in pushers])
        acknowledged = [each for p in pushers for each in p.acknowledged]
        self.acknowledged += acknowledged
        return len(acknowledged)

    def killing(self, registry: Registry) -> Callable[[int], bool]:
        """Return what kills a registry after some pushes; see ``push``."""

        def kill(acknowledged: int) -> bool:
            if acknowledged < PUSHES // ROUNDS:
                return False
            registry.daemon.kill()
            return True

        return kill

    def check(self, events: Sequence[Event]) -> int:
        """Check that each acknowledged push has one event, in order; count repeats."""
        first: dict[str, Event] = {}
        for event in events:
            self.assertEqual(event, first.setdefault(event["id"], event))
        told: dict[str, list[Pushed]] = {}
        for event in first.values():
            target = event["target"]
            pushed = Pushed(target["repository"], target["tag"], target["digest"])
            self.assertEqual(("push", MANIFEST), (event["action"], target["mediaType"]))
            told.setdefault(pushed.repository, []).append(pushed)
        acknowledged: dict[str, list[Pushed]] = {}
        for pushed in self.acknowledged:
            acknowledged.setdefault(pushed.repository, []).append(pushed)
        known = set(self.acknowledged)
        for name, expected in acknowledged.items():
            # Of what was cut off before its answer there may be events, or not.
            found = [each for each in told[name] if each in known]
            self.assertEqual(expected, found)
        self.assertEqual(len(first), sum(len(set(each)) for each in told.values()))
        return len(events) - len(first)

    def wait_for_all(self) -> None:
        """Wait until nothing waits for the receiver any more."""
        wait_until(lambda: tallies(self.tree)["receiver"].waiting == 0, 60)


class CrashTests(CrashCase):
    """No event of an acknowledged push is lost to kill -9."""

    def test_killed_while_receiver_is_down(self) -> None:
        """Killed ten times in 1,000 pushes and twice in delivery, it loses none.

        Every acknowledged push has one event, told once or more often under one id, and
        of one repository they come in order. What there is an event of is there.
        """
        registry = self.telling()
        for number in range(ROUNDS):
            self.push(registry, f"round{number}-", self.killing(registry))
            registry.start()
        self.assertGreaterEqual(len(self.acknowledged), PUSHES)
        self.assertEqual([], self.receiver.messages())
        self.receiver.start()
        for part in (1, 2):
            self.receiver.wait_for_events(part * PUSHES // 3)
            registry.daemon.kill()
            registry.start()
        self.wait_for_all()
        self.check(self.receiver.events())
        with connected(registry.port) as wire:
            # Also those whose push was cut off before its answer.
            for event in self.receiver.events():
                target = event["target"]
                found = wire.digest_of(target["repository"], target["tag"])
                self.assertEqual(target["digest"], found)

    def test_receiver_comes_and_goes(self) -> None:
        """A receiver that is killed again and again gets all that it was not told.

        So it does when the registry is stopped in good order, in the midst of its work.
        """
        registry = self.telling()
        for number in range(3):
            self.push(registry, f"round{number}-", lambda n: n >= 20)
            known = len({event["id"] for event in self.receiver.events()})
            self.receiver.start()
            self.push(registry, f"again{number}-", lambda n: n >= 20)
            self.receiver.wait_for_events(known + 1)
            self.receiver.kill()
            registry.stop()
            registry.start()
        self.receiver.start()
        self.wait_for_all()
        self.check(self.receiver.events())


class TwoProcessesTests(CrashCase):
    """Two registries on one folder tell of what both do."""

    def test_takeover(self) -> None:
        """Both's events come once; when the one that posts is killed, the other does.

        No event of either is lost; what was on its way may come twice.
        """
        self.receiver.start()
        registries = {name: self.telling(name) for name in ("one", "two")}
        for name, registry in registries.items():
            self.push(registry, name, lambda n: n >= 100)
        self.wait_for_all()
        self.assertEqual(0, self.check(self.receiver.events()))
        sources = [e["source"]["instanceID"] for e in self.receiver.events()]
        self.assertEqual(2, len(set(sources)))
        (leader,) = {each.headers["x-from"] for each in self.receiver.messages()}
        (follower,) = registries.keys() - {leader}
        doomed = registries[leader]
        with ThreadPoolExecutor() as pool:
            killed = pool.submit(self.push, doomed, "doomed", self.killing(doomed))
            self.push(registries[follower], "kept", lambda n: n >= 200)
            killed.result(60)
        self.push(registries[follower], "later", lambda n: n >= 50)
        self.wait_for_all()
        self.check(self.receiver.events())
        last = self.receiver.messages()[-1]
        self.assertEqual(follower, last.headers["x-from"])


def manifest(note: str) -> bytes:
    """Return the smallest manifest, with a note that makes it another one."""
    return encoded(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, b"{}"),
            "layers": [],
            "annotations": {"note": note},
        }
    )
