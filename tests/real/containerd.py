"""Containerd: a daemon of the test's own, and the ctr command for it."""

from __future__ import annotations

from pathlib import Path

from tests.real.commands import CommandFailed, need, run
from tests.real.daemons import Daemon

_CONFIG = """\
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
"""


class Containerd:
    """A daemon for images only."""

    def __init__(self, folder: Path) -> None:
        """Start it.

        Args:
            folder: An empty folder with a short path, for all that it keeps.
        """
        need("containerd", "ctr")
        self._socket = folder / "c.sock"
        config = folder / "config.toml"
        config.write_text(_CONFIG)
        self._daemon = Daemon(
            [
                "containerd",
                "--config",
                config,
                "--root",
                folder / "root",
                "--state",
                folder / "state",
                "--address",
                self._socket,
            ],
            folder / "containerd.log",
        )

    def ready(self) -> Containerd:
        """Wait until it serves, and return it."""
        self._daemon.wait_until(self._answers)
        return self

    def stop(self) -> None:
        """Stop it."""
        self._daemon.stop()

    def log(self) -> str:
        """Return the end of its log."""
        return self._daemon.log()

    def pull(self, image: str, *options: str) -> None:
        """Pull an image."""
        self.run("images", "pull", "--plain-http", *options, image)

    def push(self, image: str, local: str, *options: str) -> None:
        """Push a local image under a name."""
        self.run("images", "push", "--plain-http", *options, image, local)

    def digest_of(self, image: str) -> str:
        """Return the digest that an image's name stands for here."""
        rows = self.run("images", "list").splitlines()
        [row] = [row.split() for row in rows if row.startswith(f"{image} ")]
        return row[2]

    def contents(self) -> set[str]:
        """Return the digests of all content here."""
        return set(self.run("content", "list", "--quiet").split())

    def run(self, *words: str) -> str:
        """Run a ctr command against this daemon."""
        return run("ctr", "--address", self._socket, *words, timeout=300)

    def _answers(self) -> bool:
        try:
            self.run("version")
        except CommandFailed:
            return False
        return True
