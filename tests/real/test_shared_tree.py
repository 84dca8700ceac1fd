"""Tests of one folder that our registry and the Go registry serve together."""

from __future__ import annotations

import os

from tests.real.case import RealTestCase
from tests.real.commands import need
from tests.real.dockerd import Docker
from tests.real.images import (
    MIB,
    digests_in,
    make_image,
    make_index,
    push_image,
    random_layers,
    read_layout,
    write_layout,
)
from tests.real.registries import Registry
from tests.real.skopeo import Skopeo
from tests.real.wire import connected


class SharedTreeTests(RealTestCase):
    """What one registry has written, the other one serves, and goes on with."""

    def setUp(self) -> None:
        """Start both registries on one folder."""
        need("skopeo", "docker-registry")
        self.tree = self.folder()
        self.ours = self.registry(self.tree)
        self.theirs = self.registry(self.tree, kind="go")
        self.skopeo = Skopeo(self.folder())

    def test_images(self) -> None:
        """OCI and Docker images pushed to one are pulled from the other, and back."""
        for pushed, pulled in ((self.ours, self.theirs), (self.theirs, self.ours)):
            for form in ("oci", "v2s2"):
                self.check_image(pushed, pulled, form)

    def check_image(self, pushed: Registry, pulled: Registry, form: str) -> None:
        """Push with one, pull with the other, push that back, and compare."""
        layout = write_layout(self.folder(), make_image(random_layers()))
        first = f"docker://{pushed.address}/{form}/first:1"
        self.skopeo.copy(layout, first, f"--format={form}")
        there, here = self.folder(), self.folder()
        across = f"docker://{pulled.address}/{form}/first:1"
        self.skopeo.copy(across, f"dir:{there}")
        back = f"docker://{pulled.address}/{form}/second:1"
        self.skopeo.copy(f"dir:{there}", back)
        self.skopeo.copy(f"docker://{pushed.address}/{form}/second:1", f"dir:{here}")
        names = sorted(path.name for path in there.iterdir())
        self.assertEqual(names, sorted(path.name for path in here.iterdir()))
        for name in names:
            self.assertEqual((there / name).read_bytes(), (here / name).read_bytes())
        self.assertEqual(
            self.skopeo.raw_manifest(first), (here / "manifest.json").read_bytes()
        )

    def test_index(self) -> None:
        """An index pushed to one is pulled whole from the other, both ways."""
        for pushed, pulled in ((self.ours, self.theirs), (self.theirs, self.ours)):
            index = make_index(["amd64", "arm64"])
            target = self.folder()
            layout = write_layout(self.folder(), index)
            self.skopeo.copy(layout, f"docker://{pushed.address}/many:1", "--all")
            across = f"docker://{pulled.address}/many:1"
            self.skopeo.copy(across, f"oci:{target}:latest", "--all")
            self.assertEqual((index.digest, digests_in(index)), read_layout(target))

    def test_docker(self) -> None:
        """A Docker engine pushes to one and pulls from the other, both ways."""
        docker = self.server(Docker(self.folder())).ready()
        for pushed, pulled in ((self.ours, self.theirs), (self.theirs, self.ours)):
            first, second = f"{pushed.address}/app", f"{pulled.address}/app"
            docker.import_image(first, {"noise": os.urandom(MIB)})
            image_id, digest = docker.id_of(first), docker.push(first)
            docker.run("rmi", "--force", image_id)
            self.assertEqual(digest, docker.pull(second))
            self.assertEqual(image_id, docker.id_of(second))

    def test_lists(self) -> None:
        """Both list the same tags and the same repositories."""
        image = make_image(random_layers()[2:])
        with connected(self.ours.port) as ours, connected(self.theirs.port) as theirs:
            for wire, name, tag in (
                (ours, "a", "1"),
                (theirs, "a", "2"),
                (ours, "a/b", "1"),
                (theirs, "a-b", "1"),
                (ours, "a", "latest"),
            ):
                push_image(wire, name, tag, image)
            for wire in (ours, theirs):
                self.assertEqual(["1", "2", "latest"], wire.tags("a"))
                self.assertEqual(["a", "a-b", "a/b"], wire.catalog())

    def test_delete(self) -> None:
        """What was deleted from one is gone from the other, tags and all."""
        with connected(self.ours.port) as ours, connected(self.theirs.port) as theirs:
            for deleting, other in ((ours, theirs), (theirs, ours)):
                image = make_image(random_layers()[2:])
                push_image(other, "app", "doomed", image)
                target = f"/v2/app/manifests/{image.digest}"
                deleting.ask("DELETE", target, expect=202)
                other.ask("GET", target, expect=404)
                self.assertEqual([], other.tags("app"))

    def test_moved_tag(self) -> None:
        """A tag moved by one points to the new image in the other."""
        with connected(self.ours.port) as ours, connected(self.theirs.port) as theirs:
            for first, second in ((ours, theirs), (theirs, ours)):
                old = make_image(random_layers()[2:])
                new = make_image(random_layers()[2:])
                push_image(first, "app", "moving", old)
                self.assertEqual(old.digest, second.digest_of("app", "moving"))
                push_image(second, "app", "moving", new)
                self.assertEqual(new.digest, first.digest_of("app", "moving"))
