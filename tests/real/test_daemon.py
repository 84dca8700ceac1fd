"""Tests of the commands that start the registry and check its configuration."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.real.case import RealTestCase
from tests.real.daemons import Daemon, free_port
from tests.real.images import make_image, push_image, random_layers
from tests.real.registries import installed
from tests.real.wire import connected, is_serving

_CHECKOUT = Path(__file__).parents[2]


class ServeTests(RealTestCase):
    """The registry starts in each way that there is."""

    def setUp(self) -> None:
        """Take a port, and a folder that a configuration names."""
        self.port = free_port()
        self.where = self.folder()
        self.config = self.where / "config.yml"
        self.config.write_text(
            f"version: 0.1\n"
            f"storage: {{filesystem: {{rootdirectory: {self.where}/tree}}}}\n"
            f"http: {{addr: '127.0.0.1:{self.port}'}}\n"
        )

    def start(
        self, argv: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> Daemon:
        """Start a daemon, wait until it serves, and push an image to it."""
        daemon = self.server(Daemon(argv, self.where / "log", env))
        daemon.wait_until(lambda: is_serving(self.port), seconds=300)
        image = make_image(random_layers()[2:])
        with connected(self.port) as wire:
            push_image(wire, "app", "1", image)
            self.assertEqual(image.digest, wire.digest_of("app", "1"))
        return daemon

    def test_serve(self) -> None:
        """``txregistry serve FILE`` serves in the foreground."""
        self.start([installed("txregistry"), "serve", self.config])
        self.assertTrue((self.where / "tree/docker/registry/v2/repositories").is_dir())

    def test_twistd(self) -> None:
        """``twistd -n txregistry --config FILE`` serves, and SIGTERM ends it."""
        twistd = installed("twistd")
        daemon = self.start(
            [twistd, "-n", "--pidfile=", "txregistry", "--config", self.config]
        )
        self.assertTrue((self.where / "tree/docker/registry/v2/repositories").is_dir())
        daemon.stop()
        self.assertEqual(0, daemon.wait(1))

    def test_default(self) -> None:
        """Without a configuration it keeps images in a folder beside it."""
        env = {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}"}
        self.start([installed("txregistry"), "serve"], env)
        kept = self.where / "registry-data/docker/registry/v2/repositories/app"
        self.assertTrue(kept.is_dir())

    def test_make_run(self) -> None:
        """``make run`` sets up, serves, and says how to push."""
        env = {
            "REGISTRY_HTTP_ADDR": f"127.0.0.1:{self.port}",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.where / "tree"),
        }
        daemon = self.start(["make", "-C", _CHECKOUT, "run"], env)
        self.assertIn(f"docker push localhost:{self.port}/", daemon.log())

    def test_tls_on_plain_port(self) -> None:
        """A client that tries TLS first is turned away at once, and comes back without.

        Docker, podman and skopeo do so with each registry that may be a plain one.
        """
        self.start([installed("txregistry"), "serve", self.config])
        context = ssl.create_default_context()
        started = time.monotonic()
        with (
            socket.create_connection(("127.0.0.1", self.port), 30) as plain,
            self.assertRaises(OSError),
        ):
            context.wrap_socket(plain, server_hostname="localhost")
        self.assertLess(time.monotonic() - started, 2)

    def test_port_in_use(self) -> None:
        """A port that is taken is one line and exit status 1."""
        self.start([installed("txregistry"), "serve", self.config])
        second = Daemon(
            [installed("txregistry"), "serve", self.config], self.where / "second"
        )
        self.assertEqual(1, self.server(second).wait(30))
        self.assertNotIn("Traceback", second.log())
        self.assertIn(str(self.port), second.log())

    def test_twistd_port_in_use(self) -> None:
        """With twistd, too, whose pid file is gone then."""
        self.start([installed("txregistry"), "serve", self.config])
        pidfile = self.where / "twistd.pid"
        flags = ("-n", f"--pidfile={pidfile}", "txregistry", "--config")
        second = Daemon(
            [installed("twistd"), *flags, self.config], self.where / "second"
        )
        self.assertEqual(1, self.server(second).wait(30))
        self.assertNotIn("Traceback", second.log())
        self.assertIn(str(self.port), second.log())
        self.assertFalse(pidfile.exists())


class CheckTests(RealTestCase):
    """``txregistry check FILE`` says whether a configuration can be used."""

    def check(self, config: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Check a configuration."""
        path = self.folder() / "config.yml"
        path.write_text(json.dumps(config))
        return subprocess.run(
            [installed("txregistry"), "check", path],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")},
        )

    def test_good(self) -> None:
        """A good one is printed as it counts, its secrets masked."""
        ended = self.check(
            {
                "version": 0.1,
                "storage": {"inmemory": {}},
                "http": {"addr": "127.0.0.1:5001", "secret": "open sesame"},
            }
        )
        self.assertEqual((0, ""), (ended.returncode, ended.stderr))
        self.assertIn("127.0.0.1:5001", ended.stdout)
        self.assertNotIn("sesame", ended.stdout)

    def test_bad(self) -> None:
        """A bad one is one line that names the key, exit status 1, no traceback."""
        good: dict[str, Any] = {"version": 0.1, "storage": {"inmemory": {}}}
        for key, bad in (
            ("http.adr", {**good, "http": {"adr": ":5000"}}),
            ("http.addr", {**good, "http": {"addr": ["sesame"]}}),
            ("storage.filesystem", {**good, "storage": {"filesystem": {"root": "/"}}}),
            ("auth", {**good, "auth": {"htpasswd": {"realm": "x"}}}),
            ("http.tls", {**good, "http": {"tls": {"clientcas": ["/x"]}}}),
            ("storage", {"version": 0.1}),
        ):
            ended = self.check(bad)
            self.assertEqual((1, ""), (ended.returncode, ended.stdout), key)
            [line] = ended.stderr.splitlines()
            self.assertIn(key, line)
            self.assertIn("config.yml:1", line)

    def test_no_file(self) -> None:
        """A file that is not there is one line and exit status 1."""
        ended = subprocess.run(
            [installed("txregistry"), "check", "/nowhere/config.yml"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(1, ended.returncode)
        [line] = ended.stderr.splitlines()
        self.assertIn("/nowhere/config.yml", line)
