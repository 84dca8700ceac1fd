"""Tests of where the registry listens: Unix sockets, systemd's, several at once."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.real.case import RealTestCase
from tests.real.commands import CommandFailed, need, run
from tests.real.daemons import Daemon, free_port
from tests.real.registries import installed

_HANDS_OVER = """
exec 3<&"$0"
LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@"
"""
"""What systemd does with a socket, as a script: its number, then the command."""


class ListenerCase(RealTestCase):
    """Registries that listen anywhere."""

    def setUp(self) -> None:
        """Make a folder."""
        need("curl")
        self.where = self.folder()
        self.socket = self.where / "registry.sock"

    def configured(self, http: dict[str, Any]) -> list[str | Path]:
        """Write a configuration; return the command for it."""
        path = self.where / "config.yml"
        storage = {"filesystem": {"rootdirectory": str(self.where / "tree")}}
        path.write_text(json.dumps({"version": 0.1, "storage": storage, "http": http}))
        return [installed("txregistry"), "serve", path]

    def start(self, http: dict[str, Any]) -> Daemon:
        """Start a registry, and wait until it serves."""
        daemon = self.server(Daemon(self.configured(http), self.where / "log"))
        daemon.wait_until(lambda: "serves on" in daemon.log())
        return daemon

    def status(self, url: str, *options: str | Path) -> str:
        """Ask for a URL; return the status (000: no answer)."""
        written = ("--output", self.where / "answer", "--write-out", "%{http_code}")
        try:
            return run("curl", "-sS", "--max-time", "10", *written, *options, url)
        except CommandFailed:
            return "000"

    def over_socket(self) -> str:
        """Ask over the Unix socket; return the status."""
        return self.status("http://localhost/v2/", "--unix-socket", self.socket)


class UnixTests(ListenerCase):
    """A Unix socket."""

    def test_serve(self) -> None:
        """It serves its owner and group, and is removed in the end."""
        daemon = self.start({"net": "unix", "addr": str(self.socket)})
        self.assertEqual("200", self.over_socket())
        self.assertEqual(0o660, stat.S_IMODE(self.socket.stat().st_mode))
        self.assertIn(f"serves on {self.socket},", daemon.log())
        self.assertRegex(daemon.log(), r'unix - - \[.*\] "GET /v2/ HTTP/1.1" 200')
        daemon.stop()
        self.assertFalse(self.socket.exists())

    def test_push(self) -> None:
        """What is pushed over it comes back."""
        http = {"net": "unix", "addr": str(self.socket), "socketmode": "0600"}
        self.start(http)
        content = os.urandom(3_000_000)
        (self.where / "content").write_bytes(content)
        digest = run("sha256sum", self.where / "content").split()[0]
        curl = ("curl", "-sS", "--fail", "--unix-socket", self.socket)
        head = run(*curl, "-i", "-X", "POST", "http://localhost/v2/a/blobs/uploads/")
        location = head.partition("\nLocation: ")[2].partition("\n")[0]
        sent = ("-X", "PUT", "-T", self.where / "content")
        run(*curl, *sent, f"{location}&digest=sha256:{digest}")
        url = f"http://localhost/v2/a/blobs/sha256:{digest}"
        run(*curl, "-o", self.where / "pulled", url)
        self.assertEqual(content, (self.where / "pulled").read_bytes())
        self.assertEqual(0o600, stat.S_IMODE(self.socket.stat().st_mode))

    def test_tls(self) -> None:
        """It may speak TLS."""
        authority = Authority()
        certificate, key = authority.issue().write(self.where)
        tls = {"certificate": certificate, "key": key}
        self.start({"net": "unix", "addr": str(self.socket), "tls": tls})
        ca = authority.write(self.where)
        over = ("--unix-socket", self.socket, "--cacert", ca)
        self.assertEqual("200", self.status("https://localhost/v2/", *over))

    def test_stale(self) -> None:
        """After ``kill -9`` it starts again; beside a living one it does not."""
        http = {"net": "unix", "addr": str(self.socket)}
        self.start(http).kill()
        self.assertTrue(self.socket.exists())
        (self.where / "log").unlink()
        self.start(http)
        second = Daemon(self.configured(http), self.where / "second")
        self.assertEqual(1, self.server(second).wait(30))
        self.assertIn(str(self.socket), second.log())
        self.assertNotIn("Traceback", second.log())
        self.assertEqual("200", self.over_socket())


class SeveralTests(ListenerCase):
    """Several listeners."""

    def test_several(self) -> None:
        """Plain on the loopback interface, TLS for others, a socket, all at once."""
        authority = Authority()
        certificate, key = authority.issue().write(self.where)
        trusted = ("--cacert", authority.write(self.where))
        ports = [free_port() for _ in range(4)]
        addresses = [f"127.0.0.1:{port}" for port in ports]
        described = f"tcp:{ports[2]}:interface=127.0.0.1"
        of_twisted = f"ssl:{ports[3]}:interface=127.0.0.1:privateKey={key}"
        daemon = self.start(
            {
                "addr": addresses[0],
                "tls": {"certificate": certificate, "key": key},
                "listeners": [
                    {"addr": addresses[1], "tls": False},
                    {"addr": str(self.socket), "net": "unix", "tls": False},
                    {"endpoint": described},
                    {"endpoint": f"{of_twisted}:certKey={certificate}"},
                ],
            }
        )
        for port in (ports[0], ports[2], ports[3]):
            url = f"https://localhost:{port}/v2/"
            self.assertEqual("200", self.status(url, *trusted, "--http2"))
        self.assertEqual("200", self.status(f"http://{addresses[1]}/v2/"))
        self.assertEqual("200", self.over_socket())
        daemon.stop()
        for port in ports:
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5)
        self.assertFalse(self.socket.exists())

    def test_one_taken(self) -> None:
        """A port that is taken is one line and exit status 1, and nothing stays."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            listeners = [{"addr": f"127.0.0.1:{port}"}]
            http = {"net": "unix", "addr": str(self.socket), "listeners": listeners}
            daemon = Daemon(self.configured(http), self.where / "log")
            self.assertEqual(1, self.server(daemon).wait(30))
        self.assertIn(str(port), daemon.log())
        self.assertNotIn("Traceback", daemon.log())
        self.assertFalse(self.socket.exists())


class Activated:
    """A registry that is given a socket, as systemd does it."""

    def __init__(self, command: list[str | Path], handed: int, log: Path) -> None:
        """Start it.

        Args:
            command: The registry's command.
            handed: The socket's number here.
            log: Where its output goes, behind what is there.
        """
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", _HANDS_OVER, str(handed), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[handed],
            )

    def stop(self) -> None:
        """End it in good order."""
        self._process.terminate()
        self._process.wait(30)

    def log(self) -> str:
        """Return its log."""
        return self._log.read_text()


class SystemdTests(ListenerCase):
    """Sockets that systemd hands over."""

    def activate(self, description: str, handed: socket.socket) -> Activated:
        """Start a registry on a socket; it serves clients from before its start."""
        http = {"listeners": [{"endpoint": description}]}
        return self.server(
            Activated(self.configured(http), handed.fileno(), self.where / "log")
        )

    def test_tcp(self) -> None:
        """A TCP socket outlives the registry: clients wait from one to the next."""
        with socket.create_server(("127.0.0.1", 0)) as handed:
            url = f"http://127.0.0.1:{handed.getsockname()[1]}/v2/"
            for description in ("systemd:domain=INET:index=0", "systemd:INET:name=web"):
                registry = self.activate(description, handed)
                self.assertEqual("200", self.status(url, "--retry", "0"))
                registry.stop()

    def test_unix(self) -> None:
        """So does a Unix socket, whose file stays with the mode that it has."""
        with socket.socket(socket.AF_UNIX) as handed:
            handed.bind(str(self.socket))
            self.socket.chmod(0o640)
            handed.listen()
            for _ in range(2):
                registry = self.activate("systemd:domain=UNIX:name=web", handed)
                self.assertEqual("200", self.over_socket())
                self.assertEqual(0o640, stat.S_IMODE(self.socket.stat().st_mode))
                registry.stop()
                self.assertTrue(self.socket.exists())

    def test_none(self) -> None:
        """Without a socket it ends with one line; the configuration alone is good."""
        http = {"listeners": [{"endpoint": "systemd:domain=INET:index=0"}]}
        command = self.configured(http)
        daemon = self.server(Daemon(command, self.where / "log"))
        self.assertEqual(1, daemon.wait(30))
        self.assertIn("no such socket was handed over", daemon.log())
        self.assertNotIn("Traceback", daemon.log())
        run(command[0], "check", command[2])


class TerminalTests(ListenerCase):
    """A registry that was started by hand."""

    def test_gone(self) -> None:
        """It ends with the terminal that it was started in, and not before."""
        command = self.configured({"addr": f"127.0.0.1:{free_port()}"})
        pid, terminal = pty.fork()
        if pid == 0:  # the child, which has a terminal
            os.execv(command[0], [str(word) for word in command])
        try:
            self.read_until(terminal, b"push to it")
            os.kill(pid, signal.SIGHUP)
            self.read_until(terminal, b"reloading")
        finally:
            os.close(terminal)
        end = time.monotonic() + 20
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self.fail("it still ran")
            time.sleep(0.05)

    def read_until(self, terminal: int, words: bytes) -> None:
        """Read what it prints, up to some words."""
        printed = b""
        while words not in printed:
            printed += os.read(terminal, 4096)
        sys.stdout.flush()
