"""Skopeo: copies images between registries and folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.real.commands import run


class Skopeo:
    """The skopeo command, over plain HTTP."""

    def __init__(self, folder: Path) -> None:
        """Take a folder for what it keeps between runs."""
        self._env = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        self._common = ["skopeo", "--insecure-policy", "--tmpdir", str(folder)]

    def copy(self, source: str, destination: str, *options: str) -> None:
        """Copy an image; both ends as skopeo names them."""
        self.run(
            "copy",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            *options,
            source,
            destination,
        )

    def inspect(self, image: str, *options: str) -> Any:
        """Return what skopeo says about an image."""
        return json.loads(self.run("inspect", "--tls-verify=false", *options, image))

    def raw_manifest(self, image: str) -> bytes:
        """Return a manifest's bytes."""
        return self.run("inspect", "--tls-verify=false", "--raw", image).encode()

    def tags(self, repository: str) -> list[str]:
        """Return a repository's tags."""
        listed = self.run("list-tags", "--tls-verify=false", repository)
        return list(json.loads(listed)["Tags"])

    def delete(self, image: str) -> None:
        """Delete the manifest that a tag points to."""
        self.run("delete", "--tls-verify=false", image)

    def run(self, *words: str) -> str:
        """Run a skopeo command."""
        return run(*self._common, *words, env=self._env, timeout=300)
