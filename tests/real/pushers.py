"""Pushers: threads that push small images until the registry goes away."""

from __future__ import annotations

import http.client
import os
import random
import threading
from collections.abc import Sequence

from attrs import define, field

from tests.real.images import Image, Layer, make_image, make_layer
from tests.real.wire import ACCEPT_ALL, Unexpected, Wire, connected


@define
class Push:
    """An image on its way to a registry.

    Attributes:
        tag: Its tag.
        image: The image.
        pieces: In how many PATCH requests each blob goes; 0: in its PUT.
        acknowledged: Whether the manifest's push was answered with 201.
    """

    tag: str
    image: Image
    pieces: int = field(factory=lambda: random.choice([0, 1, 1, 3]))
    acknowledged: bool = False

    def run(self, wire: Wire, name: str) -> None:
        """Push it. Raises what Wire raises."""
        for digest, content in self.image.blobs.items():
            wire.push_blob(name, digest, content, self.pieces)
        wire.push_manifest(name, self.tag, self.image.manifest)
        self.acknowledged = True

    def problem(self, wire: Wire, name: str) -> str | None:
        """Say what is wrong with it in the registry; None: it is there, whole."""
        try:
            manifest = wire.pull_manifest(name, self.tag).body
            blobs = {
                digest: wire.pull_blob(name, digest) for digest in self.image.blobs
            }
        except Unexpected as error:
            return f"{self.tag}: {error}"
        if (manifest, blobs) != (self.image.manifest, self.image.blobs):
            return f"{self.tag}: other bytes"
        return None

    def half(self, wire: Wire, name: str) -> str | None:
        """Say what of it can be seen half; None: each part is there whole, or not."""
        manifest = f"/v2/{name}/manifests/{self.tag}"
        answer = wire.ask("GET", manifest, headers=ACCEPT_ALL)
        if answer.status == 200:
            return self.problem(wire, name)
        if answer.status != 404:
            return f"{self.tag}: {answer.status}"
        for digest, content in self.image.blobs.items():
            answer = wire.ask("GET", f"/v2/{name}/blobs/{digest}")
            if answer.status != 404 and (answer.status, answer.body) != (200, content):
                return f"{digest}: {answer.status}, {len(answer.body)} bytes"
        return None


def take_stock(
    wire: Wire, name: str, pushes: Sequence[Push]
) -> tuple[list[Push], list[Push], list[str]]:
    """See what a crash has left of pushes, and push again what was not acknowledged.

    Returns:
        Those that had been acknowledged, the others, and what is wrong with any.
    """
    kept = [push for push in pushes if push.acknowledged]
    lost = [push for push in pushes if not push.acknowledged]
    problems = [push.half(wire, name) for push in lost]
    for push in lost:
        push.run(wire, name)
    problems += [push.problem(wire, name) for push in [*kept, *lost]]
    return kept, lost, [each for each in problems if each]


class Pusher(threading.Thread):
    """Pushes one image after another, until it is cut off.

    Attributes:
        pushes: What it has begun to push, in order.
        error: What ended it, other than the registry going away.
    """

    def __init__(self, port: int, name: str, shared: Sequence[Layer]) -> None:
        """Take the registry's port, a repository, and layers many images have."""
        super().__init__(daemon=True)
        self._port = port
        self._name = name
        self._shared = shared
        self.pushes: list[Push] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """Push until the connection breaks."""
        try:
            with connected(self._port) as wire:
                while True:
                    push = Push(os.urandom(6).hex(), self._make_image())
                    self.pushes.append(push)
                    push.run(wire, self._name)
        except (OSError, http.client.HTTPException):
            pass
        except Exception as error:
            self.error = error

    def _make_image(self) -> Image:
        own = make_layer({"own": os.urandom(random.randrange(1, 65536))})
        return make_image([random.choice(self._shared), own])
