"""Tests with a layer of 1 GiB."""

from __future__ import annotations

from tests.real.case import RealTestCase
from tests.real.commands import need
from tests.real.dockerd import Docker
from tests.real.images import MIB, digest_of_file, read_layout, write_large_layout
from tests.real.skopeo import Skopeo
from tests.real.wire import connected

SIZE = 1024 * MIB


class LargeLayerTests(RealTestCase):
    """A layer of 1 GiB goes to the registry and comes back."""

    def test_round_trip(self) -> None:
        """Skopeo pushes and pulls it, then Docker does; every digest stays the same."""
        need("skopeo")
        docker = self.server(Docker(self.folder()))
        under_test = self.registry()
        skopeo = Skopeo(self.folder())
        source, target = self.folder(), self.folder()
        layout, digest, image_id = write_large_layout(source, SIZE)
        image = f"{under_test.address}/large:1"

        skopeo.copy(layout, f"docker://{image}")
        skopeo.copy(f"docker://{image}", f"oci:{target}:latest")
        sent = {digest_of_file(path) for path in (source / "blobs/sha256").iterdir()}
        self.assertEqual((digest, sent), read_layout(target))

        docker.ready()
        self.assertEqual(digest, docker.pull(image))
        self.assertEqual(image_id, docker.id_of(image))
        other = self.registry()
        again = f"{other.address}/large:1"
        docker.run("tag", image, again)
        pushed = docker.push(again)
        docker.run("rmi", "--force", image_id)
        self.assertEqual([], docker.images())
        self.assertEqual(pushed, docker.pull(again))
        self.assertEqual(image_id, docker.id_of(again))
        with connected(other.port) as wire:
            self.assertEqual(pushed, wire.digest_of("large", "1"))
