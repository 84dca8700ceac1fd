"""Tests with podman."""

from __future__ import annotations

import os

from tests.real.case import RealTestCase
from tests.real.images import (
    MIB,
    make_image,
    make_index,
    push_image,
    random_layers,
    tar_of,
)
from tests.real.podman import Podman
from tests.real.wire import connected


class PodmanTests(RealTestCase):
    """Podman pushes to the registry and pulls from it."""

    def setUp(self) -> None:
        """Start a registry."""
        self.podman = Podman(self.folder())
        self.under_test = self.registry()
        self.image = f"{self.under_test.address}/some/name:1"

    def import_noise(self) -> str:
        """Import an image and return its id."""
        tar_path = self.folder() / "noise.tar"
        tar_path.write_bytes(tar_of({"noise": os.urandom(4 * MIB)}))
        self.podman.import_image(self.image, tar_path)
        return str(self.podman.inspect(self.image)["Id"])

    def test_oci_image(self) -> None:
        """An image pushed as OCI comes back the same."""
        image_id = self.import_noise()
        pushed = self.podman.push(self.image, "--format=oci")
        self.podman.run("rmi", "--force", image_id)
        pulled = self.podman.pull(self.image)
        with connected(self.under_test.port) as wire:
            stored = wire.digest_of("some/name", "1")
        seen = self.podman.inspect(self.image)["Digest"]
        self.assertEqual((pushed, pushed), (stored, seen))
        self.assertEqual(image_id, pulled)

    def test_docker_image(self) -> None:
        """An image pushed as Docker v2.2 comes back, under the digest it was given."""
        image_id = self.import_noise()
        pushed = self.podman.push(self.image, "--format=v2s2")
        self.podman.run("rmi", "--force", image_id)
        self.podman.pull(self.image)
        seen = self.podman.inspect(self.image)
        with connected(self.under_test.port) as wire:
            stored = wire.digest_of("some/name", "1")
        self.assertEqual((pushed, pushed), (stored, seen["Digest"]))
        self.assertEqual(
            "application/vnd.docker.distribution.manifest.v2+json",
            seen["ManifestType"],
        )

    def test_layers(self) -> None:
        """An image of several layers, pushed by others, is pulled whole."""
        image = make_image(random_layers())
        with connected(self.under_test.port) as wire:
            push_image(wire, "some/name", "1", image)
        pulled = self.podman.pull(self.image)
        self.assertEqual(image.config_digest, f"sha256:{pulled}")
        self.assertEqual(image.digest, self.podman.inspect(self.image)["Digest"])

    def test_index(self) -> None:
        """An index that podman put together is pushed with its images."""
        images = make_index(["amd64", "arm64"]).images
        self.podman.run("manifest", "create", "many")
        with connected(self.under_test.port) as wire:
            for number, image in enumerate(images):
                push_image(wire, "parts", str(number), image)
        for number in range(len(images)):
            part = f"docker://{self.under_test.address}/parts:{number}"
            self.podman.run("manifest", "add", "--tls-verify=false", "many", part)
        pushed = self.podman.push_index("many", f"docker://{self.image}")
        with connected(self.under_test.port) as wire:
            stored = wire.pull_manifest("some/name", "1")
            children = [child["digest"] for child in stored.json()["manifests"]]
            for child in children:
                wire.pull_manifest("some/name", child)
        self.assertEqual(pushed, stored.headers["docker-content-digest"])
        self.assertEqual([image.digest for image in images], children)
