"""Clients: docker, podman, skopeo and containerd, all asked for the same things."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.real.commands import need
from tests.real.containerd import Containerd
from tests.real.dockerd import Docker
from tests.real.images import make_image, random_layers, tar_of, write_layout
from tests.real.podman import Podman
from tests.real.skopeo import Skopeo

_FILES: Mapping[str, bytes] = {"greeting": b"hello\n"}


class Client(Protocol):
    """A client that keeps an image of its own and what it has logged in with.

    Every method raises ``CommandFailed`` when the registry refuses.
    """

    def log_in(self, address: str, user: str, password: str) -> None:
        """Show a name and a password from now on."""

    def push(self, image: str) -> None:
        """Push its image under a name."""

    def pull(self, image: str) -> None:
        """Pull an image, all of it."""

    def stop(self) -> None:
        """End what runs."""

    def log(self) -> str:
        """Return the end of the log of what runs."""


class DockerClient:
    """The docker command and an engine."""

    def __init__(self, folder: Path, trust: Path | None = None) -> None:
        """Start an engine.

        Args:
            folder: An empty folder.
            trust: What to speak TLS with: ``ca.crt``, and maybe ``client.cert`` and
                ``client.key``, there and in ``certs.d/HOST:PORT``; None: TLS is not
                spoken.
        """
        self._docker = Docker(folder, trust).ready()

    def log_in(self, address: str, user: str, password: str) -> None:
        """See Client."""
        self._docker.run(
            "login", f"--username={user}", f"--password={password}", address
        )

    def push(self, image: str) -> None:
        """See Client."""
        self._docker.import_image(image, _FILES)
        self._docker.push(image)

    def pull(self, image: str) -> None:
        """See Client."""
        images = self._docker.images()
        if images:
            self._docker.run("rmi", "--force", *set(images))
        self._docker.pull(image)

    def stop(self) -> None:
        """See Client."""
        self._docker.stop()

    def log(self) -> str:
        """See Client."""
        return self._docker.log()


class PodmanClient:
    """The podman command."""

    def __init__(self, folder: Path, trust: Path | None = None) -> None:
        """Prepare; for the arguments see DockerClient."""
        self._folder = folder
        self._podman = Podman(folder)
        self._options = _containers_options(trust)

    def log_in(self, address: str, user: str, password: str) -> None:
        """See Client."""
        names = [f"--username={user}", f"--password={password}"]
        self._podman.run("login", *self._options, *names, address)

    def push(self, image: str) -> None:
        """See Client."""
        tar_path = self._folder / "image.tar"
        tar_path.write_bytes(tar_of(_FILES))
        self._podman.import_image(image, tar_path)
        self._podman.run("push", *self._options, image)

    def pull(self, image: str) -> None:
        """See Client."""
        self._podman.run("rmi", "--all", "--force")
        self._podman.run("pull", *self._options, image)

    def stop(self) -> None:
        """See Client."""

    def log(self) -> str:
        """See Client."""
        return ""


class SkopeoClient:
    """The skopeo command."""

    def __init__(self, folder: Path, trust: Path | None = None) -> None:
        """Prepare; for the arguments see DockerClient."""
        need("skopeo")
        self._folder = folder
        self._skopeo = Skopeo(folder)
        self._options = _containers_options(trust)

    def log_in(self, address: str, user: str, password: str) -> None:
        """See Client."""
        names = [f"--username={user}", f"--password={password}"]
        self._skopeo.run("login", *self._options, *names, address)

    def push(self, image: str) -> None:
        """See Client."""
        layout = write_layout(self._new_folder(), make_image(random_layers()[2:]))
        options = [option.replace("--", "--dest-", 1) for option in self._options]
        self._skopeo.run("copy", *options, layout, f"docker://{image}")

    def pull(self, image: str) -> None:
        """See Client."""
        options = [option.replace("--", "--src-", 1) for option in self._options]
        target = f"oci:{self._new_folder()}:latest"
        self._skopeo.run("copy", *options, f"docker://{image}", target)

    def stop(self) -> None:
        """See Client."""

    def log(self) -> str:
        """See Client."""
        return ""

    def _new_folder(self) -> Path:
        folder = self._folder / os.urandom(4).hex()
        folder.mkdir()
        return folder


class ContainerdClient:
    """The ctr command and a daemon."""

    def __init__(self, folder: Path, trust: Path | None = None) -> None:
        """Start a daemon; for the arguments see DockerClient."""
        self._folder = folder
        self._containerd = Containerd(folder).ready()
        self._options = ["--plain-http"]
        if trust is not None:
            self._options = [f"--hosts-dir={_hosts(folder, trust)}"]
        self._user: list[str] = []

    def log_in(self, address: str, user: str, password: str) -> None:
        """See Client. There is no login: who it is goes with each command."""
        self._user = ["--user", f"{user}:{password}"]

    def push(self, image: str) -> None:
        """See Client."""
        path = self._folder / "image.tar"
        _write_archive(path, self._folder / os.urandom(4).hex())
        base = "--base-name=local"
        self._containerd.run("images", "import", "--no-unpack", base, str(path))
        self._run("push", image, "local:latest")

    def pull(self, image: str) -> None:
        """See Client."""
        names = self._containerd.run("images", "list", "--quiet").split()
        self._containerd.run("images", "remove", "--sync", *names)
        self._run("pull", image)

    def stop(self) -> None:
        """See Client."""
        self._containerd.stop()

    def log(self) -> str:
        """See Client."""
        return self._containerd.log()

    def _run(self, verb: str, *names: str) -> None:
        self._containerd.run("images", verb, *self._options, *self._user, *names)


def _containers_options(trust: Path | None) -> Sequence[str]:
    return ["--tls-verify=false"] if trust is None else [f"--cert-dir={trust}"]


def _hosts(folder: Path, trust: Path) -> Path:
    """Write how ctr is to speak with hosts; without it, it uses no TLS on localhost."""
    hosts = folder / "hosts"
    for place in (trust / "certs.d").iterdir():
        lines = [f'[host."https://{place.name}"]', f'ca = "{place}/ca.crt"']
        if (place / "client.cert").exists():
            lines.append(f'client = [["{place}/client.cert", "{place}/client.key"]]')
        (hosts / place.name).mkdir(parents=True)
        (hosts / place.name / "hosts.toml").write_text("\n".join(lines))
    return hosts


def _write_archive(path: Path, folder: Path) -> None:
    """Write an image as an archive of an OCI layout."""
    folder.mkdir()
    write_layout(folder, make_image(random_layers()[2:]))
    with tarfile.open(path, "w") as archive:
        for each in sorted(folder.rglob("*")):
            archive.add(each, str(each.relative_to(folder)), recursive=False)
