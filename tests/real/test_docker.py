"""Tests with a Docker engine."""

from __future__ import annotations

import os

from tests.real.case import RealTestCase
from tests.real.dockerd import Docker
from tests.real.images import MIB
from tests.real.wire import connected


class DockerTests(RealTestCase):
    """A Docker engine pushes to the registry and pulls from it."""

    def setUp(self) -> None:
        """Start an engine and a registry."""
        self.docker = self.server(Docker(self.folder()))
        self.under_test = self.registry()
        self.docker.ready()

    def test_readme_example(self) -> None:
        """The README's example: import, push to localhost, remove, pull."""
        image = f"localhost:{self.under_test.port}/myfirstimage"
        self.docker.import_image(image, {"greeting": b"hello\n"})
        self.assertSame(image, "myfirstimage")

    def test_layers(self) -> None:
        """An image of several layers, compressible and not, comes back the same."""
        image = f"{self.under_test.address}/several/layers"
        noise = os.urandom(5 * MIB)
        files = {"noise": noise, "zeros": bytes(20 * MIB), "text": b"hello\n" * 9999}
        self.docker.build_image(image, files)
        self.assertSame(image, "several/layers")

    def test_mount(self) -> None:
        """Layers that are in one repository are mounted into another one."""
        first = f"{self.under_test.address}/first"
        second = f"{self.under_test.address}/second"
        self.docker.import_image(first, {"noise": os.urandom(MIB)})
        self.docker.push(first)
        self.docker.run("tag", first, second)
        printed = self.docker.run("push", second)
        self.assertIn("Mounted from first", printed)

    def test_overwritten_tag(self) -> None:
        """A tag that was pushed anew gives the new image."""
        image = f"{self.under_test.address}/moving"
        for content in (b"old", b"new"):
            self.docker.import_image(image, {"content": content})
            newest = self.docker.push(image), self.docker.id_of(image)
        self.docker.remove(image)
        pulled = self.docker.pull(image), self.docker.id_of(image)
        self.assertEqual(newest, pulled)

    def assertSame(self, image: str, name: str) -> None:  # noqa: N802
        """Push an image, remove it, pull it: it has to be the same."""
        image_id = self.docker.id_of(image)
        pushed = self.docker.push(image)
        self.docker.run("rmi", "--force", image_id)
        self.assertEqual([], self.docker.images())
        pulled = self.docker.pull(image)
        with connected(self.under_test.port) as wire:
            stored = wire.digest_of(name, "latest")
        self.assertEqual((pushed, pushed), (pulled, stored))
        self.assertEqual(image_id, self.docker.id_of(image))
