"""Podman: images in a store of the test's own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.real.commands import need, run


class Podman:
    """The podman command, on a store of its own."""

    def __init__(self, folder: Path) -> None:
        """Take an empty folder for the store."""
        need("podman")
        self._folder = folder
        self._env = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self._common = [
            "podman",
            f"--root={folder}/root",
            f"--runroot={folder}/run",
            f"--tmpdir={folder}/tmp",
            "--storage-driver=vfs",
            "--events-backend=none",
            "--cgroup-manager=cgroupfs",
        ]

    def import_image(self, image: str, tar_path: Path) -> None:
        """Make an image of one layer from a tar file."""
        self.run("import", "--quiet", str(tar_path), image)

    def push(self, image: str, *options: str) -> str:
        """Push an image and return its digest in the registry."""
        return self._with_digest("push", *options, image)

    def push_index(self, index: str, destination: str) -> str:
        """Push an index with its images and return its digest in the registry."""
        return self._with_digest("manifest", "push", "--all", index, destination)

    def pull(self, image: str) -> str:
        """Pull an image and return its id."""
        return self.run("pull", "--quiet", "--tls-verify=false", image).strip()

    def inspect(self, image: str) -> Any:
        """Return what podman says about an image."""
        return json.loads(self.run("image", "inspect", image))[0]

    def run(self, *words: str) -> str:
        """Run a podman command on the store."""
        return run(*self._common, *words, env=self._env, timeout=300)

    def _with_digest(self, *words: str) -> str:
        written = self._folder / f"digest-{os.urandom(4).hex()}"
        noun = 2 if words[0] == "manifest" else 1
        self.run(
            *words[:noun],
            "--tls-verify=false",
            f"--digestfile={written}",
            *words[noun:],
        )
        return written.read_text().strip()
