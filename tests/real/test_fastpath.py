"""Tests of the fast path over real sockets: all is as it is on the usual way.

A request with a header that nobody knows goes the usual way. So the same registry,
asked with and without one, is held against itself.
"""

from __future__ import annotations

import json
import random
import re
import socket
import threading
import time
from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.real.case import RealTestCase
from tests.real.daemons import free_port
from tests.real.images import Image, make_image, push_image, random_layers
from tests.real.mounts import insist, mount
from tests.real.registries import Registry
from tests.real.wire import MANIFEST, connected
from txregistry.auth.editing import set_password
from txregistry.auth.hashes import LOWEST_COST

NAME: Final = "some/name"
ODD: Final = b"X-Unheard-Of: 1\r\n"
_SHOWN: Final = {
    login: b64encode(f"{login}:{word}".encode()).decode()
    for login, word in [("alice", "secret"), ("mallory", "guess")]
}
_VARIABLE: Final = re.compile(rb"^(Date|X-Request-Id): [^\r]*\r\n", re.M)
_ROUNDS: Final = 150
_AGAIN: Final = 30  # so often that the kernel is asked whether anything has happened
_MOVES: Final = 25


class Client:
    """A connection on which bytes are sent as they are."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), 30)

    def ask(self, *pieces: bytes) -> bytes:
        """Send a request, in pieces; return the answer without what always varies."""
        for piece in pieces:
            self._socket.sendall(piece)
        came = b""
        while b"\r\n\r\n" not in came:
            came += self._receive()
        head, _, body = came.partition(b"\r\n\r\n")
        length = re.search(rb"^content-length: (\d+)", head, re.M | re.I)
        is_head = b"".join(pieces).startswith(b"HEAD")
        promised = 0 if is_head or length is None else length[1]
        while len(body) < int(promised):
            body += self._receive()
        if b"\r\nConnection: close" in head.title().replace(b"Close", b"close"):
            self.close()
            self._socket = socket.create_connection(("127.0.0.1", self._port), 30)
        return _VARIABLE.sub(b"", head + b"\r\n") + body

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _receive(self) -> bytes:
        came = self._socket.recv(1 << 16)
        if not came:
            raise AssertionError("the registry hung up")
        return came


def block(
    method: str, target: str, login: str | None = None, accept: str = MANIFEST
) -> bytes:
    """Return a header block without its last line."""
    lines = [f"{method} {target} HTTP/1.1", "Host: a", f"Accept: {accept}"]
    if login is not None:
        lines.append(f"Authorization: Basic {_SHOWN[login]}")
    return "\r\n".join(lines).encode() + b"\r\n"


class FastPathTests(RealTestCase):
    """A registry that has answered before."""

    def serve(self, guarded: bool) -> tuple[Registry, int, Path]:
        """Start a registry; return it, its debug port and its access log."""
        folder, port = self.folder(), free_port()
        settings: dict[str, Any] = {
            "log": {"formatter": "json", "accesslog": {"file": str(folder / "access")}},
        }
        if guarded:
            set_password(str(folder / "users"), b"alice", b"secret", LOWEST_COST)
            settings["auth"] = {
                "htpasswd": {"realm": "r", "path": str(folder / "users")}
            }
        debug = {"addr": f"127.0.0.1:{port}", "prometheus": {"enabled": True}}
        registry = self.registry(http={"debug": debug}, settings=settings)
        return registry, port, folder / "access"

    def push(self, registry: Registry, image: Image) -> None:
        """Push an image by way of a process that asks nobody who he is."""
        with connected(registry.port) as wire:
            push_image(wire, NAME, "latest", image)

    def test_alike(self) -> None:
        """Whatever another process does, the answers are the usual ones."""
        registry, debug, _ = self.serve(guarded=True)
        other = self.registry(registry.tree)
        images = [make_image(random_layers()) for _ in range(2)]
        for image in images:
            self.push(other, image)
        blob = f"/v2/{NAME}/blobs/{images[0].config_digest}"
        manifests = f"/v2/{NAME}/manifests"
        targets = [f"{manifests}/latest", f"{manifests}/{images[0].digest}", blob]
        draw = random.Random(1)
        client, usual = Client(registry.port), Client(registry.port)
        self.addCleanup(client.close)
        self.addCleanup(usual.close)
        before = self.warm_up(client, debug)
        for number in range(_ROUNDS):
            if draw.random() < 0.3:
                self.happen(other, images, draw)
            target = draw.choice([*targets, targets[0], "/v2/", f"{manifests}/none"])
            method = "HEAD" if target == blob else draw.choice(["GET", "HEAD"])
            login = draw.choice(["alice", "alice", "alice", "mallory", None])
            accept = draw.choice([MANIFEST, MANIFEST, "*/*", "text/plain"])
            asked = block(method, target, login, accept)
            if login == "mallory":
                continue  # after some of his tries, everybody here would have to wait
            expected = usual.ask(asked + ODD + b"\r\n")
            for _ in range(_AGAIN):
                self.assertEqual(expected, client.ask(asked + b"\r\n"), number)
            cut = draw.randrange(1, len(asked))
            came = client.ask(asked[:cut], asked[cut:] + b"\r\n")
            self.assertEqual(expected, came, number)
        self.assertGreater(_hits(debug) - before, _ROUNDS / 5)

    def warm_up(self, client: Client, debug: int) -> int:
        """Ask until a file of users that was just written is taken for one that rests.

        Returns:
            How often an answer was given again.
        """
        asked = block("GET", "/v2/", "alice") + b"\r\n"
        deadline = time.monotonic() + 20
        while (hits := _hits(debug)) == 0 and time.monotonic() < deadline:
            client.ask(asked)
            time.sleep(0.1)
        return hits

    def happen(self, other: Registry, images: list[Image], draw: random.Random) -> None:
        """Let another process do something."""
        with connected(other.port) as wire:
            kind = draw.randrange(4)
            if kind == 0:
                digest = images[0].digest
                wire.ask("DELETE", f"/v2/{NAME}/manifests/{digest}")
            elif kind == 1:
                digest = images[0].config_digest
                wire.ask("DELETE", f"/v2/{NAME}/blobs/{digest}")
            else:
                push_image(wire, NAME, "latest", draw.choice(images))

    def test_told(self) -> None:
        """The access log and the metrics tell the same of both ways."""
        image = make_image(random_layers())
        told = []
        for odd in (b"", ODD):
            registry, debug, log = self.serve(guarded=False)
            self.push(registry, image)
            client = Client(registry.port)
            for target in ("latest", image.digest, "none"):
                for method in ("GET", "HEAD"):
                    asked = block(method, f"/v2/{NAME}/manifests/{target}")
                    for _ in range(20):
                        client.ask(asked + odd + b"\r\n")
            client.close()
            told.append((_metrics(debug), _lines(log, 120)))
        self.assertEqual(told[1], told[0])

    def test_never_older(self) -> None:
        """However many ask at a time, nobody gets less than what was there before.

        Another process moves a tag to and fro. Who asks has not got an image that was
        not the tag's any more when the request was sent.
        """
        registry, debug, _ = self.serve(guarded=False)
        other = self.registry(registry.tree)
        images = [make_image(random_layers()) for _ in range(_MOVES)]
        with connected(other.port) as wire:
            push_image(wire, NAME, "latest", images[0])
            for image in images:
                push_image(wire, NAME, image.digest, image)
        before = _hits(debug)
        numbers = {image.digest.encode(): n for n, image in enumerate(images)}
        readers = [_Reader(registry.port, numbers) for _ in range(8)]
        for reader in readers:
            reader.start()
        with connected(other.port) as wire:
            for number, image in enumerate(images):
                wire.push_manifest(NAME, "latest", image.manifest)
                _Reader.least = number
        for reader in readers:
            reader.stop = True
            reader.join(30)
        self.assertEqual([None] * 8, [reader.error for reader in readers])
        self.assertEqual([], [older for reader in readers for older in reader.older])
        self.assertGreater(_hits(debug), before)

    def test_covered(self) -> None:
        """What is mounted over a repository counts at once, and no longer than it is.

        So does what is in its place when a folder above it is renamed.
        """
        registry, debug, _ = self.serve(guarded=False)
        self.push(registry, make_image(random_layers()))
        asked = block("HEAD", f"/v2/{NAME}/manifests/latest") + b"\r\n"
        client = Client(registry.port)
        self.addCleanup(client.close)
        place = registry.tree / "docker/registry/v2/repositories" / NAME
        for cover, uncover in (
            (
                lambda: mount("--bind", self.folder(), place),
                lambda: insist("umount", place),
            ),
            (
                lambda: place.parent.rename(registry.tree / "aside"),
                lambda: (registry.tree / "aside").rename(place.parent),
            ),
        ):
            before = _hits(debug)
            for _ in range(100):
                self.assertIn(b" 200 ", client.ask(asked))
            self.assertGreater(_hits(debug), before + 50)
            cover()
            try:
                self.assertIn(b" 404 ", client.ask(asked))
            finally:
                uncover()


class _Reader(threading.Thread):
    """Asks for a tag again and again.

    Attributes:
        least: The number of the image that is the tag's, or has been.
        older: What came that was older, with what there was when it was asked for.
        stop: Whether to end.
        error: What ended it.
    """

    least = 0

    def __init__(self, port: int, numbers: dict[bytes, int]) -> None:
        """Connect; take what number each digest has."""
        super().__init__(daemon=True)
        self.older: list[tuple[int, int]] = []
        self.stop = False
        self.error: Exception | None = None
        self._client = Client(port)
        self._numbers = numbers

    def run(self) -> None:
        """Ask."""
        asked = block("HEAD", f"/v2/{NAME}/manifests/latest") + b"\r\n"
        digest = re.compile(rb"docker-content-digest: (\S+)", re.I)
        try:
            while not self.stop:
                least = _Reader.least
                found = digest.search(self._client.ask(asked))
                number = -1 if found is None else self._numbers[found[1]]
                if number < least:
                    self.older.append((number, least))
        except Exception as error:
            self.error = error
        finally:
            self._client.close()


def _hits(port: int) -> int:
    """Return how often a registry has given an answer again."""
    with connected(port) as wire:
        page = wire.ask("GET", "/metrics", expect=200).body.decode()
    hits = re.search(r'lookups_total\{cache="content",outcome="hit"\} (\d+)', page)
    return 0 if hits is None else int(hits[1])


def _metrics(port: int) -> dict[str, str]:
    """Return what is counted of requests and contents."""
    with connected(port) as wire:
        page = wire.ask("GET", "/metrics", expect=200).body.decode()
    shown = re.findall(
        r"^(registry_(?:http_requests|content)_total\{.*\}"
        r"|registry_http_.*_(?:bytes_sum|bytes_count|seconds_count)\{.*\}"
        r"|registry_http_in_flight_requests\{.*\}) (.*)$",
        page,
        re.M,
    )
    ours = re.compile('handler="manifest"|registry_content_total')
    return {name: value for name, value in shown if ours.search(name)}


def _lines(log: Path, count: int) -> Counter[str]:
    """Return the lines about manifests that were pulled, without what varies."""
    deadline = time.monotonic() + 10
    while True:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        pulls = [line for line in lines if line["method"] in ("GET", "HEAD")]
        pulls = [line for line in pulls if line["route"] == "manifest"]
        if len(pulls) >= count or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for line in pulls:
        for key in ("time", "request_id", "duration"):
            del line[key]
    return Counter(json.dumps(line, sort_keys=True) for line in pulls)
