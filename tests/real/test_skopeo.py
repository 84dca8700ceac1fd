"""Tests with skopeo."""

from __future__ import annotations

from tests.real.case import RealTestCase
from tests.real.commands import CommandFailed, need
from tests.real.images import (
    digest_of,
    digest_of_file,
    digests_in,
    layers_of,
    make_image,
    make_index,
    random_layers,
    read_layout,
    write_layout,
)
from tests.real.skopeo import Skopeo
from tests.real.wire import DOCKER_MANIFEST, connected


class SkopeoTests(RealTestCase):
    """Skopeo pushes to the registry and pulls from it."""

    def setUp(self) -> None:
        """Start a registry."""
        need("skopeo")
        self.under_test = self.registry()
        self.skopeo = Skopeo(self.folder())
        self.repository = f"docker://{self.under_test.address}/some/name"

    def test_oci_image(self) -> None:
        """An OCI image comes back as it went, byte for byte."""
        image = make_image(random_layers())
        source, target = self.folder(), self.folder()
        pushed = write_layout(source, image)
        self.skopeo.copy(pushed, f"{self.repository}:1")
        self.skopeo.copy(f"{self.repository}:1", f"oci:{target}:latest")
        with connected(self.under_test.port) as wire:
            self.assertEqual(image.digest, wire.digest_of("some/name", "1"))
        self.assertEqual((image.digest, digests_in(image)), read_layout(target))

    def test_docker_image(self) -> None:
        """A Docker v2.2 image comes back as it went."""
        image = make_image(random_layers())
        layout, target = write_layout(self.folder(), image), self.folder()
        self.skopeo.copy(layout, f"{self.repository}:1", "--format", "v2s2")
        self.skopeo.copy(f"{self.repository}:1", f"dir:{target}")
        with connected(self.under_test.port) as wire:
            answer = wire.pull_manifest("some/name", "1")
        self.assertEqual(DOCKER_MANIFEST, answer.headers["content-type"])
        self.assertEqual(answer.body, (target / "manifest.json").read_bytes())
        self.assertEqual(
            digest_of(answer.body), answer.headers["docker-content-digest"]
        )
        for layer in layers_of(image.manifest):
            pulled = target / layer.partition(":")[2]
            self.assertEqual(layer, digest_of_file(pulled))

    def test_index(self) -> None:
        """An index for three platforms comes back whole with --all."""
        index = make_index(["amd64", "arm64", "riscv64"])
        source, target = self.folder(), self.folder()
        pushed = write_layout(source, index)
        self.skopeo.copy(pushed, f"{self.repository}:all", "--all")
        self.skopeo.copy(f"{self.repository}:all", f"oci:{target}:latest", "--all")
        with connected(self.under_test.port) as wire:
            self.assertEqual(index.digest, wire.digest_of("some/name", "all"))
        self.assertEqual((index.digest, digests_in(index)), read_layout(target))

    def test_one_platform(self) -> None:
        """One platform of an index is pulled alone, by its digest."""
        index = make_index(["amd64", "arm64"])
        arm = index.images[1]
        source, target = self.folder(), self.folder()
        self.skopeo.copy(write_layout(source, index), f"{self.repository}:1", "--all")
        self.skopeo.copy(
            f"{self.repository}@{arm.digest}",
            f"oci:{target}:latest",
        )
        self.assertEqual((arm.digest, digests_in(arm)), read_layout(target))

    def test_inspect(self) -> None:
        """Skopeo inspects an image by its tag: digest, layers, the raw manifest."""
        image = make_image(random_layers())
        self.skopeo.copy(write_layout(self.folder(), image), f"{self.repository}:1")
        seen = self.skopeo.inspect(f"{self.repository}:1")
        self.assertEqual(
            (image.digest, layers_of(image.manifest), ["1"]),
            (seen["Digest"], seen["Layers"], seen["RepoTags"]),
        )
        self.assertEqual(
            image.manifest, self.skopeo.raw_manifest(f"{self.repository}:1")
        )

    def test_list_tags(self) -> None:
        """Skopeo lists a repository's tags."""
        pushed = write_layout(self.folder(), make_image(random_layers()[2:]))
        for tag in ("b", "a", "a.1", "B"):
            self.skopeo.copy(pushed, f"{self.repository}:{tag}")
        self.assertEqual(
            ["B", "a", "a.1", "b"], sorted(self.skopeo.tags(self.repository))
        )

    def test_delete(self) -> None:
        """Skopeo deletes an image, and another one with the same layers stays."""
        layers = random_layers()
        doomed, kept = make_image(layers), make_image(layers)
        for tag, image in (("doomed", doomed), ("kept", kept)):
            layout = write_layout(self.folder(), image)
            self.skopeo.copy(layout, f"{self.repository}:{tag}")
        self.skopeo.delete(f"{self.repository}:doomed")
        target = self.folder()
        self.assertRaises(
            CommandFailed, self.skopeo.inspect, f"{self.repository}:doomed"
        )
        self.skopeo.copy(f"{self.repository}:kept", f"oci:{target}:latest")
        self.assertEqual((kept.digest, digests_in(kept)), read_layout(target))
