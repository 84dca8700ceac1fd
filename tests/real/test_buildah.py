"""Tests with buildah."""

from __future__ import annotations

import os

from tests.real.buildah import Buildah
from tests.real.case import RealTestCase
from tests.real.images import MIB
from tests.real.wire import connected


class BuildahTests(RealTestCase):
    """Buildah pushes to the registry and builds on what it pulls from it."""

    def setUp(self) -> None:
        """Start a registry."""
        self.buildah = Buildah(self.folder())
        self.under_test = self.registry()
        self.image = f"{self.under_test.address}/some/name:1"

    def test_push_and_from(self) -> None:
        """An image of two layers is pushed; a container is started from it again."""
        folder = self.folder()
        (folder / "noise").write_bytes(os.urandom(4 * MIB))
        (folder / "text").write_bytes(b"hello\n" * 9999)
        image_id = self.buildah.build("built", [folder / "noise", folder / "text"])
        pushed = self.buildah.push("built", f"docker://{self.image}")
        self.buildah.run("rmi", "--all", "--force")
        container = self.buildah.from_image(self.image, "--pull-always")
        with connected(self.under_test.port) as wire:
            stored = wire.digest_of("some/name", "1")
        seen = self.buildah.inspect(self.image)
        self.assertEqual((pushed, pushed), (stored, seen["FromImageDigest"]))
        self.assertEqual(image_id, seen["FromImageID"])
        root = self.buildah.run("mount", container).strip()
        for name in ("noise", "text"):
            with open(f"{root}/{name}", "rb") as pulled:
                self.assertEqual((folder / name).read_bytes(), pulled.read())
        self.buildah.run("umount", container)
