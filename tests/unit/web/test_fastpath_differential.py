"""Tests of txregistry.web.fastpath: with it, all is as it is without it.

Two registries share a store, and get the same bytes. Their answers have to be the same,
byte for byte, and so has what they tell of the requests, whom they tell of pulls, and
what: while a third one moves tags and deletes, rules change, the ledger of events
fails, clients leave, and time goes by.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.fast_case import ALICE, ALICE_MISTAKEN, NAME, Side, Told
from tests.unit.web.witness_case import NOW
from txregistry.interfaces import IStorageDriver, StorageFull
from txregistry.oci.digest import Digest
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.registry import MemoryRegistry
from txregistry.webhooks.ledger import BrokenLedger

LAYER: Final = b"a layer"
OTHER: Final = b"another layer"
_OCI: Final = "application/vnd.oci.image.manifest.v1+json"


@frozen
class Targets:
    """What there is to ask for."""

    first: Digest
    second: Digest

    def paths(self) -> list[str]:
        """Return targets."""
        blob = Digest.of(LAYER)
        return [
            f"/v2/{NAME}/manifests/latest",
            f"/v2/{NAME}/manifests/{self.first}",
            f"/v2/{NAME}/blobs/{blob}",
            "/v2/",
            f"/v2/{NAME}/manifests/{self.second}",
            f"/v2/{NAME}/manifests/latest?ns=example.org&token=secret",
            f"/v2/{NAME}/blobs/{Digest.of(OTHER)}",
            f"/v2/{NAME}/manifests/no-such",
            f"/v2/{NAME}/manifests/%6Catest",
            f"/v2/{NAME}/tags/list",
            "/v2/UPPER/manifests/latest",
            f"/v2/{NAME}/blobs/sha256:short",
            "/v2",
            "/",
            "//v2/",
            "/v2/\xe4",
            f"http://registry.test/v2/{NAME}/manifests/latest",
        ]


# How many scripts of 60 steps; give another number to look more closely.
SCRIPTS: Final = int(os.environ.get("TXREGISTRY_TEST_SCRIPTS", "6"))

METHODS: Final = ["GET", "HEAD", "get", "OPTIONS", "DELETE", "PUT", "POST"]
VERSIONS: Final = ["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "http/1.1"]
COMMON: Final = [
    b"User-Agent: docker/27.0",
    b"Referer: http://me:secret@example.org/?token=secret",
    b"X-Request-Id: given-1",
    b"Accept-Encoding: gzip",
    b"Connection: Keep-Alive",
]
ODDITIES: Final = [
    b"Accept: text/plain",
    b"Accept: */*",
    b"Accept: application/vnd.docker.distribution.manifest.v2+json",
    b"accept:application/json",
    b"Accept :application/json",
    b"Accept:",
    b"Host: registry.test",
    b"Host: elsewhere",
    b"Host: no host",
    b"User-Agent: docker/27.0",
    b"User-Agent: \x80\xff",
    b"User-Agent:\t tabbed \t",
    b'User-Agent: quoted "\\x" \x7f',
    b"Referer: http://me:secret@example.org/?token=secret",
    b"X-Request-Id: given-1",
    b"X-Request-Id: not one",
    b"X-Request-Id:",
    b"Connection: keep-alive",
    b"Connection: Keep-Alive",
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"Content-Length: 0",
    b"Content-Length: 3",
    b"Content-Length: x",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Expect: 100-continue",
    b"Expect: more",
    b"Range: bytes=0-1",
    b"If-None-Match: *",
    b'If-Match: "nothing"',
    b"Origin: http://example.org",
    b"Accept-Encoding: gzip",
    b"Accept-Encoding: gzip",
    b"Cache-Control: no-cache",
    b"Forwarded: for=192.0.2.1",
    b"X-Forwarded-For: 192.0.2.1",
    b"X-Forwarded-For: 192.0.2.2, 192.0.2.3",
    b"X-Forwarded-Proto: https",
    b"Cookie: a=b",
    b" folded",
    b"\tfolded",
    b"no colon",
    b": no name",
    b"two words: x",
    b"X-Odd: 1",
    b"X-Long: " + b"x" * 3000,
    b"X-Too-Long: " + b"x" * 20000,
    b"",
]
LOGINS: Final = [
    None,
    ALICE,
    ALICE_MISTAKEN,
    ALICE.lower(),
    ALICE.replace("Basic", "basic "),
    "Bearer token",
    "Basic",
    "",
]


def asked(draw: Random, targets: int) -> tuple[int, bytes, bytes]:
    """Draw a request: the target's number, what comes before it, and what behind."""
    target = draw.choice([0, 0, 0, 0, 1, 1, 2, 2, 3, draw.randrange(targets)])
    method = draw.choice(["GET"] * 12 + ["HEAD"] * 8 + METHODS)
    version = draw.choice(["HTTP/1.1"] * 20 + VERSIONS)
    lines = [b"Host: registry.test"]
    accept = draw.choice([_OCI, _OCI, _OCI, "*/*", "text/plain", None])
    if accept is not None:
        lines.append(f"Accept: {accept}".encode())
    login = draw.choice([None, ALICE, ALICE, ALICE, ALICE, draw.choice(LOGINS)])
    if login is not None:
        lines.append(f"Authorization: {login}".encode())
    if draw.random() < 0.4:
        lines.insert(draw.randint(0, len(lines)), draw.choice(COMMON))
    for _ in range(draw.choice([0, 0, 0, 0, 1, 2])):
        lines.insert(draw.randint(0, len(lines)), draw.choice(ODDITIES))
    if draw.random() < 0.03:
        lines.remove(b"Host: registry.test")
    end = b"\r\n" if draw.random() < 0.95 else b"\n"
    after = end.join([f" {version}".encode(), *lines, b"", b""])
    return target, f"{method} ".encode(), after


HAPPENINGS: Final = [
    *(("tag", 0), ("tag", 0), ("tag", 1), ("untag", 0), ("delete", 0), ("delete", 1)),
    *(("drop blob", 0), ("push blob", 0), ("push blob", 0)),
    *(("tag", 0), ("tag", 1), ("tag", 0), ("rules", 0), ("rules", 0), ("rules", 0)),
    *(("rules", 0), ("rules", 0), ("rules", 1), ("rules", 2), ("rules", 3)),
    *(("time", 1), ("time", 59), ("time", 100)),
]
# Where somebody is told of pulls, there are two of these for one of those.
TROUBLES: Final = [
    *(("ledger", 0), ("ledger", 0), ("ledger", 1), ("ledger", 2), ("ledger", 3)),
    *(("leave", 0), ("leave", 0)),
]
PROBLEMS: Final = [
    None,
    BrokenLedger("no"),
    StorageFull("full"),
    ZeroDivisionError("?"),
]


def scripted(
    seed: int, targets: int, length: int, happenings: Sequence[Any] = HAPPENINGS
) -> list[Any]:
    """Draw what happens, one after another; the same for the same seed."""
    draw = Random(seed)
    script: list[Any] = []
    while len(script) < length:
        requests = [asked(draw, targets) for _ in range(draw.choice([1] * 6 + [2, 3]))]
        cuts = [draw.randrange(400) for _ in range(draw.choice([0] * 6 + [1, 3]))]
        script.append(("ask", requests, cuts))
        for _ in range(draw.randrange(4)):
            script.append(("again", draw.randint(1, 3)))
            if draw.random() < 0.5:
                script.append(draw.choice(happenings))
    return script


class Pair:
    """A registry with a fast path, one without, and a third one on their store.

    Attributes:
        told: How often somebody was told of a pull.
        lost: How many lines of the log say that somebody could not be.
    """

    def __init__(
        self,
        clock: Clock,
        driver: IStorageDriver,
        guarded: bool,
        told: Sequence[Told | None] = (None, None),
    ) -> None:
        """Make them, and push two images.

        Args:
            clock: Gives time.
            driver: The store.
            guarded: Whether the two ask who may do what.
            told: Whom they tell of pulls.
        """
        self.clock = clock
        self.told = self.lost = 0
        self.third = MemoryRegistry(clock=clock, driver=driver)
        self.images = [self.push(number) for number in range(2)]
        self.push(0)
        self.third.push_blob(NAME, LAYER)
        self.third.push_blob(NAME, OTHER)
        self.fast = Side(clock, driver, guarded, True, told[0])
        self.plain = Side(clock, driver, guarded, False, told[1])
        self.targets = Targets(*self.images).paths()
        self.last = [b"GET /v2/ HTTP/1.1\r\nHost: registry.test\r\n\r\n"]

    def push(self, number: int) -> Digest:
        """Push an image, and have the tag point to it."""
        return self.third.push_image(NAME, "latest", [LAYER, OTHER][number])

    def do(self, step: Sequence[Any]) -> tuple[object, object]:
        """Let something happen; return what came of it on both sides."""
        kind, argument, *more = step
        if kind == "ask":
            self.last = _cut(b"".join(map(self.request, argument)), *more)
        elif kind not in ("again", "leave"):
            self.happen(kind, argument)
            return None, None
        times, leaves = argument if kind == "again" else 1, kind == "leave"
        ours = [self.fast.send(self.last, leaves) for _ in range(times)]
        self.told += sum(len(each[4]) for each in ours)
        self.lost += sum(each[5].total() for each in ours)
        return ours, [self.plain.send(self.last, leaves) for _ in range(times)]

    def request(self, drawn: tuple[int, bytes, bytes]) -> bytes:
        """Return a request as it goes over the wire."""
        target, before, after = drawn
        return before + self.targets[target].encode("latin-1") + after

    def happen(self, kind: str, argument: int) -> None:
        """Let something happen to the store, the rules or the time."""
        if kind == "tag":
            self.push(argument)
        elif kind == "untag":
            self.third.request("DELETE", f"/v2/{NAME}/manifests/latest")
        elif kind == "delete":
            digest = self.images[argument]
            self.third.request("DELETE", f"/v2/{NAME}/manifests/{digest}")
        elif kind == "drop blob":
            self.third.request("DELETE", f"/v2/{NAME}/blobs/{Digest.of(LAYER)}")
        elif kind == "push blob":
            self.third.push_blob(NAME, LAYER)
        elif kind == "rules":
            for side in (self.fast, self.plain):
                if side.guarded is not None:
                    side.guarded.set_rules(argument)
        elif kind == "ledger":
            for side in (self.fast, self.plain):
                if side.told is not None:
                    side.told.ledger.problem = PROBLEMS[argument]
        else:
            self.clock.advance(argument)
            for side in (self.fast, self.plain):
                if side.is_over() or side.wire.channel._gone:
                    side.wire = side.registry.connect()


def _cut(sent: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    pieces = [sent[a:b] for a, b in pairwise(places)]
    return [piece for piece in pieces if piece]


class DifferentialTests(SynchronousTestCase):
    """The two against each other."""

    def play(self, pair: Pair, script: Sequence[Any], seed: int | None = None) -> int:
        """Let both live through a script; return the hits."""
        for number, step in enumerate(script):
            ours, theirs = pair.do(step)
            self.assertEqual(theirs, ours, f"seed {seed}, step {number}: {step}")
        self.flushLoggedErrors()
        assert pair.fast.registry.fast is not None
        return pair.fast.registry.fast.lookups.hits

    def differ(self, seeds: Sequence[int], guarded: bool) -> None:
        """Draw scripts for registries in memory."""
        hits = 0
        for seed in seeds:
            clock = Clock()
            pair = Pair(clock, MemoryDriver(clock), guarded)
            hits += self.play(pair, scripted(seed, len(pair.targets), 60), seed)
        self.assertGreater(hits, 0)

    def test_open(self) -> None:
        """Where everybody may do everything."""
        self.differ(range(SCRIPTS), guarded=False)

    def test_guarded(self) -> None:
        """Where the rules say who may do what."""
        self.differ(range(1000, 1000 + SCRIPTS), guarded=True)

    def test_told(self) -> None:
        """Where pulls are told, at once and later, and cannot be told."""
        hits = told = lost = 0
        for seed in range(3000, 3000 + SCRIPTS):
            clock = Clock()
            clock.advance(NOW)
            sides = [Told(clock, is_slow=seed % 3 != 0) for _ in range(2)]
            pair = Pair(clock, MemoryDriver(clock), bool(seed % 2), sides)
            happenings = [*HAPPENINGS, *(TROUBLES * 2)]
            script = scripted(seed, len(pair.targets), 60, happenings)
            hits += self.play(pair, script, seed)
            told += pair.told
            lost += pair.lost
        self.assertGreater(min(hits, told, lost), SCRIPTS)

    def test_on_disk(self) -> None:
        """On a disk, where somebody else writes."""
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            driver = FilesystemDriver(Disk(folder), clock, execute)
            pair = Pair(clock, driver, guarded=True)
            script = scripted(2000, len(pair.targets), 40 * SCRIPTS)
            hits = self.play(pair, script, 2000)
        self.assertGreater(hits, 0)

    def test_script(self) -> None:
        """What clients do, and what happens to them meanwhile, one after another."""
        clock = Clock()
        pair = Pair(clock, MemoryDriver(clock), guarded=True)
        after = f" HTTP/1.1\r\nHost: a\r\nAccept: {_OCI}\r\nAuthorization: {ALICE}"
        script: list[Any] = []
        for target in range(5):
            for method in (b"GET ", b"HEAD "):
                asking = (target, method, f"{after}\r\n\r\n".encode())
                script += [("ask", [asking], []), ("again", 3)]
                for happening in (
                    *(("tag", 1), ("tag", 0), ("untag", 0), ("tag", 0)),
                    *(("rules", 1), ("rules", 2), ("rules", 3), ("rules", 0)),
                    *(("drop blob", 0), ("push blob", 0), ("delete", 0), ("tag", 0)),
                    *(("time", 61), ("time", 1), ("delete", 1), ("tag", 1), ("tag", 0)),
                ):
                    script += [happening, ("again", 2)]
        hits = self.play(pair, script)
        self.assertGreater(hits, len(script) / 3)
        self.assertEqual(hits, pair.fast.watcher.at_once)
