"""Registries: the one under test, and the Go registry that is its peer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.real.commands import need
from tests.real.daemons import Daemon, free_port
from tests.real.wire import is_serving

UNDER_TEST = os.environ.get("TXREGISTRY_UNDER_TEST", "txregistry")
"""``go`` puts the Go registry in our place: so the tests test the protocol."""


class Registry:
    """A registry on a folder, at a port that it keeps over restarts.

    Attributes:
        port: The port.
        host: The address that it listens at.
        tree: The folder with the images.
    """

    def __init__(
        self,
        folder: Path,
        tree: Path | None = None,
        kind: str = UNDER_TEST,
        http: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        host: str = "127.0.0.1",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Write its configuration; start nothing.

        Args:
            folder: An empty folder for its configuration and its log.
            tree: The folder with the images; None: one of its own.
            kind: ``txregistry`` or ``go``.
            http: Settings to add under ``http``.
            settings: Settings to add beside ``http``.
            host: The address to listen at.
            env: Variables to set beside those that are there.
        """
        self.port = free_port()
        self.host = host
        self.tree = tree or folder / "tree"
        self._kind = kind
        self._log = folder / "log"
        self._config = folder / "config.yml"
        self._env = env
        self._tls = "tls" in (http or {})
        configuration = _configuration(kind, self.tree, self.address, http or {})
        self._config.write_text(json.dumps({**configuration, **(settings or {})}))
        self._daemon: Daemon | None = None

    @property
    def address(self) -> str:
        """Host and port, as clients name it."""
        return f"{self.host}:{self.port}"

    @property
    def daemon(self) -> Daemon:
        """The process.

        Raises:
            AssertionError: It was not started.
        """
        if self._daemon is None:
            raise AssertionError("the registry was not started")
        return self._daemon

    def start(self) -> Registry:
        """Start it, wait until it serves, and return it."""
        self._daemon = Daemon(self._command(), self._log, self._env)
        self._daemon.wait_until(lambda: is_serving(self.port, self.host, self._tls))
        return self

    def stop(self) -> None:
        """Stop it in good order. Harmless if it does not run."""
        if self._daemon is not None:
            self._daemon.stop()

    def log(self) -> str:
        """Return the end of its log."""
        return "never started" if self._daemon is None else self._daemon.log()

    def _command(self) -> list[str | Path]:
        if self._kind == "go":
            need("docker-registry")
            return ["docker-registry", "serve", self._config]
        return [installed("txregistry"), "serve", self._config]


def installed(name: str) -> Path:
    """Return the path of a command that our package's environment holds."""
    return Path(sys.executable).parent / name


def _configuration(
    kind: str, tree: Path, address: str, http: Mapping[str, Any]
) -> dict[str, Any]:
    # Ours makes a secret itself and keeps it in the tree; the Go registry would have
    # another one in each process.
    secret = {"secret": "open sesame"} if kind == "go" else {}
    level = "error" if kind == "go" else "info"
    return {
        "version": 0.1,
        "log": {"level": level, "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(tree)},
            "delete": {"enabled": True},
        },
        "http": {"addr": address, **secret, **http},
    }
