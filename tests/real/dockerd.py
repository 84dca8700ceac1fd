"""Dockerd: a Docker engine of the test's own, and the docker command for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tests.real.commands import CommandFailed, need, run
from tests.real.daemons import Daemon
from tests.real.images import tar_of

UNTRUSTED_LOOPBACK = "::1"
"""The loopback address at which this engine wants certificates that it trusts.

At 127.0.0.0/8 it takes any, and plain HTTP.
"""


class Docker:
    """An engine without network, for images only."""

    def __init__(self, folder: Path, trust: Path | None = None) -> None:
        """Start it.

        Args:
            folder: An empty folder with a short path, for all that it keeps.
            trust: A folder to find in the place of ``/etc/docker``, with what TLS needs
                below ``certs.d``; ``localhost`` is then this machine's own address,
                for with loopback addresses no certificate counts. None: neither.
        """
        need("dockerd", "docker")
        self._folder = folder
        self._host = f"unix://{folder}/docker.sock"
        self._env = {"DOCKER_CONFIG": str(folder / "config"), "DOCKER_BUILDKIT": "0"}
        self._daemon = Daemon(
            [
                *_trusting(folder, trust),
                "dockerd",
                "--iptables=false",
                "--ip6tables=false",
                "--bridge=none",
                f"--data-root={folder}/data",
                f"--exec-root={folder}/exec",
                f"--host={self._host}",
                f"--pidfile={folder}/docker.pid",
                "--log-level=warn",
            ],
            folder / "dockerd.log",
        )

    @property
    def host(self) -> str:
        """Where it listens, as clients name it."""
        return self._host

    def ready(self) -> Docker:
        """Wait until it serves, and return it."""
        self._daemon.wait_until(self._answers)
        return self

    def stop(self) -> None:
        """Stop it."""
        self._daemon.stop()

    def log(self) -> str:
        """Return the end of its log."""
        return self._daemon.log()

    def import_image(self, image: str, files: Mapping[str, bytes]) -> None:
        """Make an image of one layer with some files."""
        tar_path = self._folder / "import.tar"
        tar_path.write_bytes(tar_of(files))
        self.run("import", str(tar_path), image)

    def build_image(self, image: str, files: Mapping[str, bytes]) -> None:
        """Build an image with a layer for each of some files."""
        context = self._folder / "context"
        context.mkdir()
        for name, content in files.items():
            (context / name).write_bytes(content)
        steps = [f"COPY {name} /{name}" for name in files]
        (context / "Dockerfile").write_text("\n".join(["FROM scratch", *steps]))
        self.run("build", "--quiet", "--tag", image, str(context))

    def push(self, image: str) -> str:
        """Push an image and return the digest that the registry knows it by."""
        printed = self.run("push", image)
        found = re.search(r"digest: (sha256:[0-9a-f]{64})", printed)
        if found is None:
            raise AssertionError(f"no digest in what docker push printed: {printed}")
        return found[1]

    def pull(self, image: str) -> str:
        """Pull an image and return the digest that the engine saw."""
        printed = self.run("pull", image)
        found = re.search(r"Digest: (sha256:[0-9a-f]{64})", printed)
        if found is None:
            raise AssertionError(f"no digest in what docker pull printed: {printed}")
        return found[1]

    def remove(self, image: str) -> None:
        """Remove an image, and what only it needs."""
        self.run("rmi", image)

    def id_of(self, image: str) -> str:
        """Return an image's id: its config's digest."""
        return str(json.loads(self.run("image", "inspect", image))[0]["Id"])

    def images(self) -> list[str]:
        """Return the ids of all images."""
        return self.run("images", "--all", "--quiet").split()

    def run(self, *words: str) -> str:
        """Run a docker command against this engine."""
        return run("docker", "--host", self._host, *words, env=self._env, timeout=300)

    def _answers(self) -> bool:
        try:
            self.run("version")
        except CommandFailed:
            return False
        return True


def _trusting(folder: Path, trust: Path | None) -> list[str]:
    """Return what to put before a command that is to see other files in /etc."""
    if trust is None:
        return []
    need("unshare")
    hosts = folder / "hosts"
    hosts.write_text(f"{UNTRUSTED_LOOPBACK} localhost\n")
    Path("/etc/docker").mkdir(exist_ok=True)
    script = (
        f"mount --bind {hosts} /etc/hosts && mount --bind {trust} /etc/docker "
        '&& exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, "sh"]
