"""Tests of the logs, read by the programs that people read logs with."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.real.case import RealTestCase
from tests.real.commands import need, run
from tests.real.daemons import Daemon, free_port
from tests.real.images import digest_of, make_image, push_image, random_layers
from tests.real.registries import Registry, installed
from tests.real.wire import connected, is_serving, unverified

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


class LogsCase(RealTestCase):
    """A registry that logs to files."""

    def setUp(self) -> None:
        """Take a folder for the logs."""
        self.here = self.folder()

    def logging(self, **settings: Any) -> Registry:
        """Start a registry.

        Args:
            **settings: What stands under ``log`` beside the files.
        """
        access = {"file": str(self.here / "access"), **settings.pop("accesslog", {})}
        log = {"file": str(self.here / "app"), "accesslog": access, **settings}
        return self.registry(settings={"log": log})

    def lines(self, name: str) -> list[str]:
        """Return the lines of a log."""
        return (self.here / name).read_text().splitlines()

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: It is not, after 30 seconds.
        """
        end = time.monotonic() + 30
        while not ready():
            if time.monotonic() > end:
                raise AssertionError("in vain")
            time.sleep(0.02)


def push_and_pull(registry: Registry) -> None:
    """Push an image, pull it, and ask for what is not there."""
    image = make_image(random_layers()[2:])
    with connected(registry.port) as wire:
        push_image(wire, "apps/shop", "1.0", image)
        wire.pull_manifest("apps/shop", "1.0")
        wire.ask("GET", "/v2/apps/none/manifests/1.0")
        wire.ask("HEAD", f"/v2/apps/shop/blobs/{digest_of(b'none')}")
        wire.ask("GET", "/v2/_catalog?n=5&last=%22%5C%0a")
        odd = {"User-Agent": 'a "b" \\c \xff', "Referer": '"'}
        wire.ask("GET", "/nowhere", headers=odd)


def send_garbage(registry: Registry) -> None:
    """Send what is no request, and TLS."""
    for data in (b"\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000):
        with socket.create_connection(("127.0.0.1", registry.port), 30) as plain:
            plain.sendall(data)
            plain.recv(1000)
    with (
        socket.create_connection(("127.0.0.1", registry.port), 30) as plain,
        contextlib.suppress(ssl.SSLError),
    ):
        unverified().wrap_socket(plain)


def ask_much(port: int, count: int, each: Callable[[int], None]) -> None:
    """Send requests on four connections at a time.

    Args:
        port: Where to.
        count: So many.
        each: Is called with the number of each, before it is sent.
    """

    def ask(worker: int) -> None:
        with connected(port) as wire:
            for number in range(worker, count, 4):
                each(number)
                target = f"/v2/apps/n{number}/manifests/1"
                wire.ask("PUT" if number % 5 == 0 else "GET", target)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))


class GoAccessTests(LogsCase):
    """goaccess, which reads access logs."""

    def test_combined(self) -> None:
        """It takes every line, whatever clients have sent."""
        need("goaccess")
        registry = self.logging()
        push_and_pull(registry)
        send_garbage(registry)
        registry.stop()
        report, invalid = self.here / "report.json", self.here / "invalid"
        run(
            *("goaccess", self.here / "access", "--no-global-config"),
            *("--log-format=COMBINED", f"--invalid-requests={invalid}"),
            *("-o", report),
        )
        general = json.loads(report.read_text())["general"]
        count = len(self.lines("access"))
        self.assertGreater(count, 10)
        self.assertEqual("", invalid.read_text())
        self.assertEqual(
            (count, 0), (general["valid_requests"], general["failed_requests"])
        )


class JqTests(LogsCase):
    """jq, which reads JSON."""

    def jq(self, name: str) -> list[Any]:
        """Return what jq makes of a log, a value for each line."""
        text = run(
            "jq", "--compact-output", "--raw-input", "fromjson", self.here / name
        )
        return [json.loads(line) for line in text.splitlines()]

    def test_load(self) -> None:
        """It takes every line of both logs while 500 requests run."""
        need("jq")
        for formatter, message in (("json", "msg"), ("logstash", "message")):
            self.here = self.folder()
            registry = self.logging(formatter=formatter, level="debug")
            push_and_pull(registry)
            send_garbage(registry)
            ask_much(registry.port, 500, lambda _: None)
            registry.stop()
            access, app = self.jq("access"), self.jq("app")
            self.assertEqual(len(self.lines("access")), len(access))
            self.assertEqual(len(self.lines("app")), len(app))
            asked = [line for line in access if line["repository"] is not None]
            counts = Counter(line["repository"].startswith("apps/n") for line in asked)
            self.assertEqual(501, counts[True])  # apps/none is one, too
            told = {
                line.get("request_id") for line in app if "refused" in line[message]
            }
            refused = {
                line["request_id"] for line in access if line["status"] in (400, 404)
            }
            self.assertGreaterEqual(len(refused), 500)
            self.assertEqual(set(), refused - told)


class RotationTests(LogsCase):
    """Files that are put aside."""

    def test_signals(self) -> None:
        """After a rename and SIGUSR1, or SIGHUP, a new file goes on, with no loss."""
        for number in (signal.SIGUSR1, signal.SIGHUP):
            self.here = self.folder()
            registry = self.logging()

            def rotate(
                index: int,
                registry: Registry = registry,
                number: signal.Signals = number,
            ) -> None:
                if index in (100, 200, 300):
                    for name in ("access", "app"):
                        os.rename(self.here / name, self.here / f"{name}.{index}")
                    registry.daemon.signal(number)

            ask_much(registry.port, 400, rotate)
            self.wait_for((self.here / "access").exists)
            registry.stop()
            names = [name for name in os.listdir(self.here) if "access" in name]
            self.assertEqual(4, len(names))
            lines = [line for name in names for line in self.lines(name)]
            found = Counter(re.findall(r"/apps/n(\d+)/", "".join(lines)))
            self.assertEqual(Counter(map(str, range(400))), found)
            self.assertIn("stopped", self.lines("app")[-1])

    def test_size(self) -> None:
        """By size the registry does so itself, and nothing is lost."""
        registry = self.logging(rotate={"size": 8192, "keep": 100})
        ask_much(registry.port, 400, lambda _: None)
        registry.stop()
        names = [name for name in os.listdir(self.here) if "access" in name]
        self.assertGreater(len(names), 3)
        text = "".join((self.here / name).read_text() for name in names)
        self.assertEqual(400, len(re.findall(r"/apps/n\d+/", text)))
        for name in names:
            self.assertLess((self.here / name).stat().st_size, 8192 + 200)

    def test_killed(self) -> None:
        """What was answered is in the log, though the process is killed."""
        registry = self.logging()
        ask_much(registry.port, 40, lambda _: None)
        # The answer's last byte is sent before the line is written.
        self.wait_for(lambda: len(self.lines("access")) >= 40)
        registry.daemon.kill()
        self.assertGreaterEqual(len(self.lines("access")), 40)


class StreamTests(LogsCase):
    """What goes where, with each way to start it."""

    def setUp(self) -> None:
        """Write a configuration."""
        super().setUp()
        self.port = free_port()
        self.config = self.here / "config.yml"

    def configure(self, **log: Any) -> None:
        """Write the configuration with what stands under ``log``."""
        settings: Mapping[str, Any] = {
            "version": 0.1,
            "log": log,
            "storage": {"inmemory": {}},
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        self.config.write_text(json.dumps(settings))

    def shell(self, command: str) -> Daemon:
        """Start something of ours, send a request to it, stop it."""
        path = installed("twistd").parent
        daemon = Daemon(
            ["sh", "-c", f"cd {self.here}; exec {path}/{command}"], self.log
        )
        self.server(daemon).wait_until(lambda: is_serving(self.port))
        self.ask()
        daemon.stop()
        self.assertEqual(0, daemon.wait(5))
        return daemon

    @property
    def log(self) -> Path:
        """Where the process's streams go."""
        return self.here / "streams"

    def ask(self) -> None:
        """Send a request that is refused."""
        with connected(self.port) as wire:
            self.assertEqual(400, wire.ask("PUT", "/v2/a/manifests/b").status)

    def assertText(self, name: str) -> None:  # noqa: N802 - as those of unittest
        """Check that a log is in the text form, without a line for a request."""
        text = (self.here / name).read_text()
        self.assertIn('level=info msg="txregistry/', text)
        self.assertIn('msg="PUT /v2/a/manifests/b refused: 400 MANIFEST_INVALID', text)
        self.assertIn('msg="stopped"', text)
        self.assertNotIn('"PUT /v2/a/manifests/b HTTP/1.1"', text)

    def test_serve(self) -> None:
        """The log goes to the standard error, that of requests to standard output."""
        self.configure()
        self.shell("txregistry serve config.yml >out 2>err")
        self.assertText("err")
        self.assertIn('"PUT /v2/a/manifests/b HTTP/1.1" 400 ', self.lines("out")[-1])

    def test_twistd(self) -> None:
        """So they do with twistd in the foreground."""
        self.configure()
        self.shell("twistd -n --pidfile= txregistry -c config.yml >out 2>err")
        self.assertText("err")
        self.assertIn('"PUT /v2/a/manifests/b HTTP/1.1" 400 ', self.lines("out")[-1])

    def test_twistd_logfile(self) -> None:
        """Twistd's --logfile says where the log goes, the settings what it is like."""
        self.configure()
        self.shell("twistd -n --pidfile= -l log txregistry -c config.yml >out 2>err")
        self.assertText("log")
        self.configure(formatter="json", file=str(self.here / "ours"))
        self.shell("twistd -n --pidfile= -l log2 txregistry -c config.yml >out 2>err")
        lines = [json.loads(line) for line in self.lines("ours") + self.lines("out")]
        self.assertIn("MANIFEST_INVALID", [line.get("code") for line in lines])
        self.assertIn("PUT", [line.get("method") for line in lines])
        self.assertFalse((self.here / "log2").exists())

    def test_daemon(self) -> None:
        """Twistd's daemon writes both to twistd.log, and keeps on after SIGUSR1."""
        self.configure()
        run(installed("twistd"), "txregistry", "-c", self.config, cwd=self.here)
        pidfile = self.here / "twistd.pid"
        self.wait_for(lambda: is_serving(self.port))
        pid = int(pidfile.read_text())
        self.addCleanup(_kill, pid)
        self.ask()
        os.rename(self.here / "twistd.log", self.here / "old.log")
        os.kill(pid, signal.SIGUSR1)
        self.wait_for((self.here / "twistd.log").exists)
        os.kill(pid, signal.SIGTERM)
        self.wait_for(lambda: not pidfile.exists())
        text = (self.here / "old.log").read_text()
        self.assertIn('"PUT /v2/a/manifests/b HTTP/1.1" 400 ', text)
        self.assertIn("MANIFEST_INVALID", text)
        self.assertIn("stopped", (self.here / "twistd.log").read_text())

    def test_full(self) -> None:
        """Where there is no more room requests go on, and one line says so."""
        self.configure(accesslog={"file": "/dev/full"})
        self.shell("txregistry serve config.yml >out 2>err")
        lines = [line for line in self.lines("err") if "/dev/full" in line]
        self.assertEqual(1, len(lines))
        self.assertIn("No space left on device; lines are lost", lines[0])

    def test_unwritable(self) -> None:
        """A log that cannot be written is one line that names the key, and status 1."""
        for command in ("txregistry serve", "twistd -n --pidfile= txregistry -c"):
            self.configure(accesslog={"file": "/nowhere/log"})
            log = self.here / "refused"
            name, *rest = command.split()
            daemon = Daemon([installed(name), *rest, self.config], log)
            self.assertEqual(1, self.server(daemon).wait(30))
            (line,) = log.read_text().splitlines()
            self.assertIn("log.accesslog.file: /nowhere/log cannot be written", line)
            log.unlink()


class PageTests(LogsCase):
    """What docs/logs.md shows."""

    def test_failed_push(self) -> None:
        """The lines of the failed push are those that one makes."""
        registry = self.logging(formatter="json", fields={"service": "registry"})
        missing = digest_of(b"{}")
        config = {"mediaType": CONFIG, "digest": missing, "size": 2}
        manifest = {"schemaVersion": 2, "mediaType": IMAGE, "config": config}
        with connected(registry.port) as wire:
            answer = wire.ask(
                "PUT",
                "/v2/apps/shop/manifests/1.0",
                json.dumps({**manifest, "layers": []}).encode(),
                {"Content-Type": IMAGE, "User-Agent": "docker/27.5.1"},
            )
        self.assertEqual(400, answer.status)
        registry.stop()
        (access,) = [line for line in self.lines("access") if "manifests" in line]
        (app,) = [line for line in self.lines("app") if "manifests" in line]
        self.assertEqual(
            json.loads(access)["request_id"], answer.headers["x-request-id"]
        )
        shown = re.findall(r"^\{.*\}$", PAGE.read_text("utf-8"), re.MULTILINE)
        shown = [line for line in shown if "manifests/1.0" in line]
        self.assertEqual(
            [_plain(access), _plain(app)], [_plain(each) for each in shown]
        )


def _plain(line: str) -> dict[str, Any]:
    """Return a line without what differs from one request to the next."""
    found = json.loads(line)
    assert isinstance(found, dict)
    for name in ("time", "duration", "request_id", "remote"):
        if name in found:
            found[name] = type(found[name]).__name__
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
