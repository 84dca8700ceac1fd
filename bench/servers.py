"""Servers: ours, the Go registry and further peers, each on a tree of its own."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from bench.aside import Aside
from bench.listed import make_listed
from bench.trees import Tree
from tests.certificates import Authority
from tests.real.daemons import Daemon, free_port
from tests.real.wire import is_serving
from txregistry.auth.editing import set_password

OURS: Final = "txregistry"
GO: Final = "docker-registry"
USER: Final = "alice"
PASSWORD: Final = "open sesame"
SETTINGS: Final = ("plain", "auth", "tls", "lists")
"""Beside what ``told`` names. With ``lists`` what is served is not a registry's own
tree; see ``bench.listed``."""
_TOLD: Final = "told-"
_COST: Final = 10
_ENVIRONMENT: Final = {
    "OTEL_TRACES_EXPORTER": "none",
    # Whatever whoever measures has set: modules are compiled once, as for a user.
    "PYTHONDONTWRITEBYTECODE": "",
}


@frozen
class Kind:
    """A registry that takes part.

    Attributes:
        name: What it is called.
        command: How it is started; ``{config}`` stands for its configuration file.
        http: Settings to add under ``http``.
    """

    name: str
    command: Sequence[str]
    http: Mapping[str, Any] = {}

    @classmethod
    def parse(cls, text: str) -> Kind:
        """Read ``NAME=COMMAND``.

        Raises:
            ValueError: It is not of that form, or has no ``{config}``.
        """
        name, is_there, command = text.partition("=")
        words = shlex.split(command)
        if not (name and is_there and any("{config}" in word for word in words)):
            raise ValueError(f"not NAME=COMMAND with {{config}} in it: {text!r}")
        return cls(name, words)

    def argv(self, config: Path) -> list[str]:
        """Return the command for a configuration file."""
        return [word.replace("{config}", str(config)) for word in self.command]

    def configuration(
        self,
        tree: Path,
        port: int,
        setting: str,
        place: Path,
        endpoints: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Return what its configuration file says.

        Logging is left as it is without settings; the cache is what Debian and Docker's
        image configure for the Go registry, and we have none of that name.

        Args:
            tree: The folder of the store.
            port: The port to listen on.
            setting: One of ``SETTINGS``, or what ``told`` names.
            place: The folder with the users, the certificate and the key.
            endpoints: Who is told of what is pushed and pulled.
        """
        theirs = {} if self.name == OURS else {"secret": "open sesame"}
        cache = {} if self.name == OURS else {"cache": {"blobdescriptor": "inmemory"}}
        http = {"addr": f"127.0.0.1:{port}", **theirs, **self.http}
        if setting == "tls":
            http["tls"] = {
                "certificate": str(place / "server.crt"),
                "key": str(place / "server.key"),
            }
        more: dict[str, Any] = {}
        if setting == "auth":
            users = {"realm": "registry", "path": str(place / "htpasswd")}
            more["auth"] = {"htpasswd": users}
        if endpoints:
            more["notifications"] = {"endpoints": list(endpoints)}
        return {
            "version": 0.1,
            "storage": {
                "filesystem": {"rootdirectory": str(tree)},
                "delete": {"enabled": True},
                **cache,
            },
            "http": http,
            **more,
        }


def told(count: int) -> str:
    """Name the setting in which so many endpoints are told of pushes and pulls."""
    return f"{_TOLD}{count}"


def ours(http: Mapping[str, Any]) -> Kind:
    """Return us, as a user would run us, with settings under ``http``."""
    command = str(Path(sys.executable).parent / "txregistry")
    return Kind(OURS, [command, "serve", "{config}"], http)


def debian() -> Kind:
    """Return the Go registry that Debian packages."""
    return Kind(GO, ["docker-registry", "serve", "{config}"])


@frozen
class Server:
    """A registry that runs.

    Attributes:
        kind: What it is.
        port: Its port.
        tree: What it serves.
        daemon: Its first process.
        setting: How it was set up.
        seconds: From its start to its first answer.
    """

    kind: Kind
    port: int
    tree: Tree
    daemon: Daemon
    setting: str
    seconds: float

    @property
    def pid(self) -> int:
        """Its first process's id."""
        return self.daemon.pid

    @property
    def address(self) -> str:
        """Host and port, as clients name it."""
        return f"127.0.0.1:{self.port}"


class Fleet:
    """The registries of a run."""

    def __init__(self, folder: Path, kept: Path, aside: Aside) -> None:
        """Take folders on the disk to measure with.

        Args:
            folder: One for the run.
            kept: One that stays.
            aside: Where to what is no longer served goes.
        """
        self._folder = folder
        self._kept = kept
        self._aside = aside
        self._trees: dict[Path, Tree] = {}
        self._receiver: int | None = None
        self._running: dict[tuple[str, str], Server] = {}
        self._stack = ExitStack()
        set_password(str(folder / "htpasswd"), USER.encode(), PASSWORD.encode(), _COST)
        Authority("bench").issue().write(folder)

    def close(self) -> None:
        """Stop all that run."""
        self._stack.close()
        self._running.clear()

    def tree(self, kind: Kind, setting: str = "plain") -> Tree:
        """Return what a kind serves: one tree, and one more with who is told of it."""
        name = "told" if setting.startswith(_TOLD) else "tree"
        place = self._folder / kind.name / name
        return self._trees.setdefault(place, Tree(place, self._aside))

    def server(self, kind: Kind, setting: str = "plain") -> Server:
        """Return the server of a kind that stays, started if it does not run."""
        key = (kind.name, setting)
        running = self._running.get(key)
        if running is None or not running.daemon.running:
            running = self._start(kind, setting)
            self._stack.callback(running.daemon.stop)
            self._running[key] = running
        return running

    @contextmanager
    def fresh(self, kind: Kind, setting: str = "plain") -> Iterator[Server]:
        """Start a server that nobody has asked anything, and stop it."""
        server = self._start(kind, setting)
        try:
            yield server
        finally:
            server.daemon.stop()

    def _start(self, kind: Kind, setting: str) -> Server:
        port = free_port()
        tree = self.tree(kind, setting)
        tree.root.mkdir(parents=True, exist_ok=True)
        place = tree.root.parent
        config = place / f"{setting}-{port}.yml"
        served = make_listed(self._kept) if setting == "lists" else tree.root
        endpoints = self._endpoints(setting)
        settings = kind.configuration(served, port, setting, self._folder, endpoints)
        config.write_text(json.dumps(settings))
        began = time.monotonic()
        daemon = Daemon(kind.argv(config), place / f"{setting}.log", _ENVIRONMENT)
        try:
            _wait(daemon, port, setting == "tls")
        except BaseException:
            daemon.stop()
            raise
        return Server(kind, port, tree, daemon, setting, time.monotonic() - began)

    def _endpoints(self, setting: str) -> list[dict[str, Any]]:
        """Return who is told: a process that answers at once, under several names."""
        count = int(setting.removeprefix(_TOLD)) if setting.startswith(_TOLD) else 0
        if count and self._receiver is None:
            self._receiver = free_port()
            argv = [sys.executable, "-m", "bench.receiving", str(self._receiver)]
            env = {"PYTHONPATH": str(Path(__file__).parent.parent)}
            receiver = Daemon(argv, self._folder / "receiver.log", env)
            self._stack.callback(receiver.stop)
        url = f"http://127.0.0.1:{self._receiver}/"
        limits = {"timeout": "5s", "threshold": 10, "backoff": "1s"}
        return [
            {"name": f"endpoint-{number}", "url": url, **limits}
            for number in range(count)
        ]


def _wait(daemon: Daemon, port: int, tls: bool) -> None:
    """Wait until a server answers, and look often, for start-up is measured."""
    end = time.monotonic() + 60
    while not is_serving(port, tls=tls):
        if time.monotonic() > end or not daemon.running:
            raise AssertionError(f"not serving\n{daemon.log()}")
        time.sleep(0.002)
