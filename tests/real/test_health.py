"""Tests of health: each check is made to fail, and to recover, for real."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.real.case import RealTestCase
from tests.real.commands import run
from tests.real.daemons import Daemon, free_port
from tests.real.images import digest_of
from tests.real.mounts import OwnDisk, insist, mount
from tests.real.receivers import wait_until
from tests.real.registries import Registry
from tests.real.wire import Answer, connected

SOON = {"interval": "50ms"}
STORE = "storagedriver_filesystem"
REFUSAL = {
    "code": "UNAVAILABLE",
    "message": "service unavailable",
    "detail": "health check failed: please see /debug/health",
}


class HealthCase(RealTestCase):
    """A registry with checks that are made twenty times a second.

    Attributes:
        served: The registry.
        debug_port: The port of its debug listener.
    """

    def serve(
        self, tree: Path | None = None, storage: dict[str, Any] | None = None, **kw: Any
    ) -> None:
        """Start a registry.

        Args:
            tree: The folder with the images; None: one of its own.
            storage: ``health.storagedriver``.
            kw: What else is in ``health``.
        """
        self.debug_port = free_port()
        health = dict(kw)
        if storage is not None:
            health["storagedriver"] = {"enabled": True, **SOON, **storage}
        self.served = self.registry(
            tree,
            http={"debug": {"addr": f"127.0.0.1:{self.debug_port}"}},
            settings={"health": health},
        )

    def show(self, target: str) -> Answer:
        """Ask for a page."""
        with connected(self.debug_port) as wire:
            return wire.ask("GET", target)

    def wait_for(self, status: int, reason: str = "") -> dict[str, str]:
        """Wait until /debug/health has a status, and says why; return what it says.

        A check that ran when something was stopped may say something else at first.
        """
        answers: list[Answer] = []

        def has_it() -> bool:
            answers.append(self.show("/debug/health"))
            return answers[-1].status == status and reason in answers[-1].body.decode()

        wait_until(has_it, 10)
        self.assertEqual("application/json", answers[-1].headers["content-type"])
        report: dict[str, str] = answers[-1].json()
        return report

    def require_failing(self, name: str, reason: str) -> None:
        """Wait until a check fails, alone; see that it shows wherever it should."""
        report = self.wait_for(503, reason)
        self.assertEqual([name], list(report))
        self.assertIn(reason, report[name])
        self.assertEqual(200, self.show("/livez").status)
        ready = self.show("/readyz")
        self.assertEqual(503, ready.status)
        self.assertIn(reason, ready.body.decode())
        with connected(self.served.port) as wire:
            for target in ("/", "/v2/", "/v2/a/tags/list"):
                refused = wire.ask("GET", target, expect=503)
                self.assertEqual({"errors": [REFUSAL]}, refused.json())

    def require_good(self) -> None:
        """Wait until no check fails; see that requests are answered."""
        self.assertEqual({}, self.wait_for(200))
        self.assertEqual(200, self.show("/livez").status)
        self.assertEqual(200, self.show("/readyz").status)
        with connected(self.served.port) as wire:
            for target in ("/", "/v2/"):
                wire.ask("GET", target, expect=200)

    def require_lines(self, name: str, times: int = 1) -> None:
        """Require one line of the log for each failure and each recovery."""
        log = self.served.log()
        self.assertEqual(times, log.count(f"health check {name} fails: "), log)
        self.assertEqual(times, log.count(f"health check {name} is good again"), log)


class FileTests(HealthCase):
    """The check of a file."""

    def test_file(self) -> None:
        """The file takes the registry out of service for as long as it is there."""
        path = self.folder() / "out-of-service"
        self.serve(file=[{"file": str(path), **SOON}])
        self.require_good()
        for _ in range(2):
            path.touch()
            self.require_failing(str(path), "file exists")
            path.unlink()
            self.require_good()
        self.require_lines(str(path), 2)


class HTTPTests(HealthCase):
    """The check of an HTTP server: Python's own, in front of a folder."""

    def setUp(self) -> None:
        """Choose the server's port and folder."""
        self.port = free_port()
        self.files = self.folder()
        self.page = self.files / "up"
        self.page.touch()
        self.uri = f"http://127.0.0.1:{self.port}/up"

    def start(self) -> Daemon:
        """Start the server."""
        argv = f"{sys.executable} -m http.server --bind 127.0.0.1 --directory".split()
        daemon = Daemon([*argv, self.files, str(self.port)], self.files / "log")
        self.server(daemon)
        daemon.wait_until(lambda: takes_connections(self.port))
        return daemon

    def test_stopped(self) -> None:
        """A server that is stopped fails the check; one that is started mends it."""
        daemon = self.start()
        self.serve(http=[{"uri": self.uri, **SOON}])
        self.require_good()
        daemon.kill()
        self.require_failing(self.uri, "refused")
        self.start()
        self.require_good()
        self.require_lines(self.uri)

    def test_status(self) -> None:
        """A server that answers with another status fails the check."""
        self.start()
        self.serve(http=[{"uri": self.uri, **SOON}])
        self.page.unlink()
        self.require_failing(self.uri, "answered with status 404")
        self.page.touch()
        self.require_good()

    def test_hangs(self) -> None:
        """A server that does not answer in time fails the check."""
        with listening(self.port):
            self.serve(http=[{"uri": self.uri, "timeout": "100ms", **SOON}])
            self.require_failing(self.uri, "no answer in 0.1 s")
        self.start()
        self.require_good()
        self.require_lines(self.uri)

    def test_threshold(self) -> None:
        """Failures count when there are so many in a row."""
        uri = f"http://127.0.0.1:{free_port()}/"
        never = {"uri": self.uri, "threshold": 1_000_000, **SOON}
        self.serve(http=[never, {"uri": uri, "threshold": 5, **SOON}])
        self.require_failing(uri, "refused")


class TCPTests(HealthCase):
    """The check of a TCP port."""

    def test_port(self) -> None:
        """A port that is closed fails the check; one that is opened mends it."""
        port = free_port()
        addr = f"127.0.0.1:{port}"
        with listening(port):
            self.serve(tcp=[{"addr": addr, **SOON}])
            self.require_good()
        self.require_failing(addr, "refused")
        with listening(port):
            self.require_good()
        self.require_lines(addr)

    def test_unreachable(self) -> None:
        """An address that leads nowhere fails its check, and so does nobody's name."""
        nowhere = ["192.0.2.1:9", "nobody.invalid:9"]  # RFC 5737, RFC 6761
        # Not before it has started, which is when it has once answered well.
        soon = {"timeout": "100ms", "threshold": 30, **SOON}
        self.serve(tcp=[{"addr": addr, **soon} for addr in nowhere])
        wait_until(lambda: list(self.wait_for(503)) == nowhere, 30)


class StorageTests(HealthCase):
    """The check of the store."""

    def setUp(self) -> None:
        """Choose a blob."""
        self.content = b"a blob"
        self.digest = digest_of(self.content)

    def wait_for_check(self, tree: Path) -> None:
        """Wait until the check has been made: it knows then what the store holds."""
        wait_until((tree / "docker/registry/v2/_txregistry/probe").exists, 10)

    def push(self) -> None:
        """Push the blob."""
        with connected(self.served.port) as wire:
            wire.push_blob("a", self.digest, self.content)

    def pull(self) -> None:
        """Pull the blob."""
        with connected(self.served.port) as wire:
            self.assertEqual(self.content, wire.pull_blob("a", self.digest))

    def test_gone(self) -> None:
        """A folder that is gone fails the check, is not made anew, and may be back."""
        tree = self.folder() / "tree"
        self.serve(tree, {})
        self.push()
        self.wait_for_check(tree)
        aside = tree.with_name("aside")
        tree.rename(aside)
        self.require_failing(STORE, "is gone")
        if tree.exists():
            # The check had looked, and was about to write, when the folder was moved.
            self.assertEqual(["probe"], files_in(tree))
            run("rm", "-r", tree)
        aside.rename(tree)
        self.require_good()
        self.pull()
        self.require_lines(STORE)

    def test_unmounted(self) -> None:
        """A file system that is unmounted does so, too: under it is another store."""
        kept, tree = self.folder(), self.folder()
        mount("--bind", kept, tree)
        self.addCleanup(run, "umount", tree)
        self.serve(tree, {})
        self.push()
        self.wait_for_check(tree)
        # At once, as when a line breaks: the journal is open for moments.
        insist("umount", "--lazy", tree)
        try:
            self.require_failing(STORE, "is gone")
            self.assertLessEqual(files_in(tree), ["probe"])
        finally:
            mount("--bind", kept, tree)
        self.require_good()
        self.pull()
        self.require_lines(STORE)

    def test_read_only(self) -> None:
        """A file system that becomes read-only fails the check."""
        tree = self.small_disk()
        self.serve(tree, {})
        insist("mount", "-o", "remount,ro", tree)
        self.require_failing(STORE, "Read-only file system")
        run("mount", "-o", "remount,rw", tree)
        self.require_good()
        self.require_lines(STORE)

    def test_looks_only(self) -> None:
        """Without writing, pulls go on from a file system that is read-only."""
        tree = self.small_disk()
        self.serve(tree, {"write": False})
        self.push()
        insist("mount", "-o", "remount,ro", tree)
        self.require_good()
        self.pull()
        self.assertFalse((tree / "docker/registry/v2/_txregistry/probe").exists())
        self.assertNotIn("health check", self.served.log())

    def test_full(self) -> None:
        """A file system that is full fails no check: pulls go on."""
        tree = self.small_disk()
        self.serve(tree, {})
        self.push()
        ballast = tree / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        self.require_good()
        self.pull()
        self.assertNotIn("health check", self.served.log())

    def test_hangs(self) -> None:
        """A disk that hangs fails the check in time, and the registry goes on."""
        tree = OwnDisk(self, 16 << 20).folder
        self.serve(tree, {"timeout": "200ms"})
        self.require_good()
        run("fsfreeze", "--freeze", tree)
        try:
            self.require_failing(STORE, "no answer in 0.2 s")
        finally:
            run("fsfreeze", "--unfreeze", tree)
        self.require_good()
        self.require_lines(STORE)

    def small_disk(self) -> Path:
        """Mount a file system of 1 MiB for as long as the test."""
        folder = self.folder()
        mount("-t", "tmpfs", "-o", "size=1m", "txregistry-test", folder)
        self.addCleanup(run, "umount", folder)
        return folder


class DrainTests(HealthCase):
    """A registry that ends."""

    def test_drain(self) -> None:
        """While it drains it is alive and not ready, until nobody asks any more."""
        self.serve(storage={})
        self.require_good()
        with unfinished(self.served):
            self.served.daemon.signal(signal.SIGTERM)
            wait_until(lambda: self.show("/readyz").status == 503, 10)
            self.assertIn(b"draining", self.show("/readyz").body)
            self.assertEqual(200, self.show("/livez").status)
            self.assertEqual(200, self.show("/debug/health").status)
        self.assertEqual(0, self.served.daemon.wait(10))


def files_in(folder: Path) -> list[str]:
    """Return the names of all files in a folder, however deep, but the journal's."""
    files = (each for each in folder.rglob("*") if each.is_file())
    return sorted(each.name for each in files if each.parent.name != "~journal")


def takes_connections(port: int) -> bool:
    """Say whether something listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Listen on a port of 127.0.0.1, and say nothing to whoever comes."""
    with socket.create_server(("127.0.0.1", port), backlog=1000):
        yield


@contextmanager
def unfinished(registry: Registry) -> Iterator[None]:
    """Begin a request whose body never comes."""
    connection = http.client.HTTPConnection("127.0.0.1", registry.port)
    try:
        connection.putrequest("PUT", "/v2/a/manifests/b")
        connection.putheader("Content-Length", "10")
        connection.endheaders()
        # The answer to a second connection shows that the first has been read.
        with connected(registry.port) as wire:
            wire.ask("GET", "/v2/", expect=200)
        yield
    finally:
        connection.close()
