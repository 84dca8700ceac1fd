"""Tests with containerd."""

from __future__ import annotations

from tests.real.case import RealTestCase
from tests.real.containerd import Containerd
from tests.real.images import (
    digests_in,
    make_image,
    make_index,
    push_image,
    random_layers,
)
from tests.real.wire import INDEX, connected


class ContainerdTests(RealTestCase):
    """Containerd pushes to the registry and pulls from it."""

    def setUp(self) -> None:
        """Start a daemon and a registry."""
        self.containerd = self.server(Containerd(self.folder()))
        self.under_test = self.registry()
        self.address = self.under_test.address
        self.containerd.ready()

    def test_image(self) -> None:
        """An image is pulled, and pushed under another name, the same throughout."""
        image = make_image(random_layers())
        source, target = f"{self.address}/source:1", f"{self.address}/target:1"
        with connected(self.under_test.port) as wire:
            push_image(wire, "source", "1", image)
        self.containerd.pull(source)
        self.assertEqual(image.digest, self.containerd.digest_of(source))
        self.assertEqual(digests_in(image), self.containerd.contents())
        self.containerd.push(target, source)
        with connected(self.under_test.port) as wire:
            self.assertEqual(image.digest, wire.digest_of("target", "1"))
            for digest, content in image.blobs.items():
                self.assertEqual(content, wire.pull_blob("target", digest))

    def test_index(self) -> None:
        """An index is pulled and pushed with the images of all platforms."""
        index = make_index(["amd64", "arm64"])
        source, target = f"{self.address}/source:1", f"{self.address}/target:1"
        with connected(self.under_test.port) as wire:
            for image in index.images:
                push_image(wire, "source", image.digest, image)
            wire.push_manifest("source", "1", index.manifest, INDEX)
        self.containerd.pull(source, "--all-platforms")
        self.assertEqual(digests_in(index), self.containerd.contents())
        self.containerd.push(target, source)
        with connected(self.under_test.port) as wire:
            self.assertEqual(index.digest, wire.digest_of("target", "1"))
            for image in index.images:
                pulled = wire.pull_manifest("target", image.digest)
                self.assertEqual(image.manifest, pulled.body)
