"""Tests of what becomes of requests that are none."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

from tests.real.case import RealTestCase
from tests.real.exchange import Player, Step
from tests.real.images import digest_of, make_image, push_image, random_layers
from tests.real.mutations import Attempt, make_attempt
from tests.real.registries import Registry
from tests.real.script import whole_script
from tests.real.script_blobs import OCTETS
from tests.real.wire import ACCEPT_ALL, connected

_SEED: Final = os.environ.get("TXREGISTRY_FUZZ_SEED", "2")
_ATTEMPTS: Final = int(os.environ.get("TXREGISTRY_FUZZ_ATTEMPTS", "3000"))

_AT_ONCE: Final = 24
_UPLOADS: Final = 100
_LARGEST_SAMPLE: Final = 100_000

_PATIENCE: Final = 0.15
"""For so many seconds an answer is waited for: most of these requests get none."""

_SETTLING: Final = 30.0
"""In so many seconds the server has to have closed what the clients left open."""

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
_BAD: Final = re.compile(rb"HTTP/1\.1 5[0-9]{2} |Traceback|<html|File \"")


class FuzzTests(RealTestCase):
    """Whatever is sent, the registry goes on, and does nothing that it should not."""

    def setUp(self) -> None:
        """Start a registry whose folder lies deep, with an image in it."""
        self.around = self.folder()
        self.home = self.folder()
        tree = self.around / "a/b/c/d/e/f/tree"
        tree.mkdir(parents=True)
        limits = {"limits": {"headertimeout": "5s", "idletimeout": "5s"}}
        self.under_test = self.server(Registry(self.home, tree, http=limits)).start()
        self.image = make_image(random_layers())
        with connected(self.under_test.port) as wire:
            push_image(wire, "kept", "safe", self.image)

    def test_broken_requests(self) -> None:
        """No 5xx, no traceback, no stray file, no descriptor left; and it serves."""
        self.samples = self.make_samples()
        self.await_descriptors(limit=None)
        before = self.descriptors()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(self.attempt, range(_ATTEMPTS)))
        self.check_answers(answers)
        self.check_log()
        self.check_files()
        self.check_image()
        self.await_descriptors(limit=before)

    def make_samples(self) -> list[bytes]:
        """Play the script, and return its requests, and some for uploads that go on."""
        steps = whole_script()
        with closing(Player(self.under_test.port)) as player:
            player.play(steps)
            for number in range(_UPLOADS):
                keep = f"fuzz{number}"
                start = "/v2/fuzz/blobs/uploads/"
                player.play([Step("POST", start, body=b"", keep=keep)])
                steps += _upload_steps(keep)
            samples = [player.encode(step) for step in steps]
        return [each for each in samples if len(each) < _LARGEST_SAMPLE]

    def attempt(self, number: int) -> bytes:
        """Send something broken; return what came back."""
        return self.send(self.make(number))

    def make(self, number: int) -> Attempt:
        """Make the attempt of a number, the same each time."""
        return make_attempt(Random(f"{_SEED}:{number}"), self.samples)

    def send(self, attempt: Attempt) -> bytes:
        """Send something over a connection of its own; return what came back."""
        received = []
        address = ("127.0.0.1", self.under_test.port)
        with (
            contextlib.suppress(OSError),
            socket.create_connection(address, 10) as connection,
        ):
            for piece in attempt.pieces:
                connection.sendall(piece)
                time.sleep(attempt.pause)
            if attempt.reset:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return b""
            connection.settimeout(_PATIENCE)
            while data := connection.recv(65536):
                received.append(data)
        return b"".join(received)

    def check_answers(self, answers: list[bytes]) -> None:
        """Check that none is a failure of ours, and that all kinds are among them."""
        bad = [number for number, each in enumerate(answers) if _BAD.search(each)]
        shown = "\n".join(
            f"seed {_SEED}, attempt {number}: {self.make(number)}\n{answers[number]!r}"
            for number in bad[:5]
        )
        self.assertFalse(bad, f"\n{shown}")
        seen = Counter(status for each in answers for status in _STATUS.findall(each))
        for status in (b"200", b"201", b"202", b"204", b"400", b"404", b"405", b"416"):
            self.assertIn(status, seen, f"seed {_SEED} tries too little: {seen}")

    def check_log(self) -> None:
        """Check that nothing went wrong behind the scenes."""
        log = (self.home / "log").read_text(errors="replace")
        found = log.find("Traceback")
        self.assertEqual(
            -1, found, f"seed {_SEED}: {log[max(0, found - 500) :][:5000]}"
        )

    def check_files(self) -> None:
        """Check that all it wrote lies where it should."""
        tree = self.under_test.tree
        inside = {path.name for path in (tree / "docker/registry/v2").iterdir()}
        self.assertEqual({"blobs", "repositories", "_txregistry"}, inside)
        expected = {"a", "b", "c", "d", "e", "f", "tree"}
        found = {
            path.name for path in _entries(self.around) if tree not in path.parents
        }
        self.assertEqual(expected, found, f"seed {_SEED}")
        self.assertEqual({"config.yml", "log"}, set(os.listdir(self.home)))
        self.assertLessEqual(set(os.listdir(tree)), {"docker", "~journal"})

    def check_image(self) -> None:
        """Check that the image is whole, and that another can be pushed."""
        other = make_image(random_layers())
        with connected(self.under_test.port) as wire:
            push_image(wire, "kept", "another", other)
            for tag, image in (("safe", self.image), ("another", other)):
                target = f"/v2/kept/manifests/{tag}"
                answer = wire.ask("GET", target, headers=ACCEPT_ALL, expect=200)
                self.assertEqual(image.manifest, answer.body)
                for digest in image.blobs:
                    content = wire.pull_blob("kept", digest)
                    self.assertEqual(digest, digest_of(content))

    def descriptors(self) -> int:
        """Count the open file descriptors of the server."""
        return len(os.listdir(f"/proc/{self.under_test.daemon.pid}/fd"))

    def await_descriptors(self, limit: int | None) -> None:
        """Wait until connections of the past are closed.

        Args:
            limit: How many descriptors may be left; None: wait for sockets only.
        """
        end = time.monotonic() + _SETTLING
        while self.sockets() > 1 or (limit is not None and self.descriptors() > limit):
            if time.monotonic() > end:
                self.fail(f"seed {_SEED}: {self.descriptors()} open, {limit} before")
            time.sleep(0.1)

    def sockets(self) -> int:
        """Count the server's sockets that are connections, or wait for them."""
        process = Path(f"/proc/{self.under_test.daemon.pid}")
        lines = (process / "net/tcp").read_text().splitlines()[1:]
        known = {f"socket:[{line.split()[9]}]" for line in lines}
        count = 0
        for path in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                count += os.readlink(path) in known
        return count


def _upload_steps(keep: str) -> list[Step]:
    digest = digest_of(b"abc")
    return [
        Step("PATCH", f"<{keep}>", OCTETS, b"abc"),
        Step("PATCH", f"<{keep}>", OCTETS, (b"abc", b"d" * 5000)),
        Step("PATCH", f"<{keep}>", (*OCTETS, ("Content-Range", "0-2")), b"abc"),
        Step("PUT", f"<{keep}>&digest={digest}", OCTETS, b"abc"),
        Step("PUT", f"<{keep}>&digest={digest}", OCTETS, b""),
        Step("GET", f"<{keep}>"),
        Step("DELETE", f"<{keep}>"),
    ]


def _entries(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))
