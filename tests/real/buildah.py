"""Buildah: images built in a store of the test's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.real.commands import need, run


class Buildah:
    """The buildah command, on a store of its own."""

    def __init__(self, folder: Path) -> None:
        """Take an empty folder for the store."""
        need("buildah")
        self._folder = folder
        self._env = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self._common = [
            "buildah",
            f"--root={folder}/root",
            f"--runroot={folder}/run",
            "--storage-driver=vfs",
        ]

    def build(self, image: str, files: Sequence[Path]) -> str:
        """Build an image with a layer for each of some files, and return its id."""
        image_id = "scratch"
        for path in files:
            container = self.from_image(image_id)
            self.run("copy", container, str(path), f"/{path.name}")
            image_id = self.run("commit", "--quiet", container).strip()
            self.run("rm", container)
        self.run("tag", image_id, image)
        return image_id

    def from_image(self, image: str, *options: str) -> str:
        """Start a working container from an image and return its name."""
        return self.run("from", "--tls-verify=false", *options, image).split()[-1]

    def push(self, image: str, destination: str) -> str:
        """Push an image and return its digest in the registry."""
        written = self._folder / "digest"
        self.run(
            "push", "--tls-verify=false", f"--digestfile={written}", image, destination
        )
        return written.read_text().strip()

    def inspect(self, image: str) -> Any:
        """Return what buildah says about an image."""
        return json.loads(self.run("inspect", "--type=image", image))

    def run(self, *words: str) -> str:
        """Run a buildah command on the store."""
        return run(*self._common, *words, env=self._env, timeout=300)
