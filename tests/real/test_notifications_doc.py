"""Tests of docs/notifications.md: its receiver and its check of signatures, run."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.real.case import RealTestCase
from tests.real.commands import CommandFailed, need, run
from tests.real.daemons import Daemon, free_port
from tests.real.images import make_image, push_image, random_layers
from tests.real.registries import Registry, installed
from tests.real.wire import connected
from txregistry.webhooks.signing import Signer

PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"
SECRET = "whsec_dGhpcyBpcyBub3QgYSBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ=="
NAME = "apps/shop"


def blocks(kind: str) -> list[str]:
    """Return the page's blocks of a language."""
    text = PAGE.read_text("utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


class SignatureTests(RealTestCase):
    """The check of signatures in a shell."""

    def test_shell(self) -> None:
        """It takes what is signed, and nothing else."""
        need("openssl")
        script = self.folder() / "verify.sh"
        script.write_text(blocks("sh")[0])
        now = time.time()
        for secret in (SECRET, "plain text of some length"):
            signer = Signer.parse(("another secret of some length", secret))
            fresh = signer.headers("an-id", now, b"body\n").values()
            old = signer.headers("an-id", now - 400, b"body\n").values()
            early = signer.headers("an-id", now + 400, b"body\n").values()
            name, _, signature = fresh
            command = (name, "a[$(touch pwned)]", signature)
            for expected, given, headers, body in (
                (0, secret, fresh, b"body\n"),
                (1, secret, fresh, b"body"),
                (1, "wrong" * 9, fresh, b"body\n"),
                (1, secret, old, b"body\n"),
                (1, secret, early, b"body\n"),
                (1, secret, command, b"body\n"),
            ):
                for shell in ("sh", "bash"):
                    argv = [shell, str(script), given, *headers]
                    ended = subprocess.run(
                        argv, input=body, timeout=30, check=False, cwd=script.parent
                    )
                    self.assertEqual(expected, ended.returncode, (secret, body))
            self.assertFalse((script.parent / "pwned").exists())


class DeployTests(RealTestCase):
    """From push to deploy."""

    def setUp(self) -> None:
        """Start the page's receiver, with a script that notes its argument."""
        here = self.folder()
        signature, receiver = blocks("python")
        (here / "signature.py").write_text(signature)
        (here / "deploy.py").write_text(receiver)
        script = here / "deploy.sh"
        script.write_text('#!/bin/sh\necho "$1" >>deployed\n')
        script.chmod(0o700)
        self.deployed = here / "deployed"
        port = free_port()
        env = {"WEBHOOK_SECRET": SECRET, "PORT": str(port)}
        self.start_receiver = lambda: self.server(
            Daemon([sys.executable, here / "deploy.py"], here / "log", env)
        )
        deploy = {
            "name": "deploy",
            "url": f"http://127.0.0.1:{port}/",
            "timeout": "30s",
            "ignore": {"actions": ["pull", "mount", "delete"]},
            "repositories": [NAME],
            "secrets": [SECRET],
        }
        self.config = here / "config.yml"
        settings = {"notifications": {"endpoints": [deploy]}}
        registry = Registry(here, settings=settings)
        self.registry_port = self.server(registry).start().port

    def test_deploy(self) -> None:
        """A push of the tag runs the script, with the image by its digest; others not.

        The receiver is started after the pushes: they are not lost.
        """
        images = [make_image(random_layers()) for _ in range(3)]
        with connected(self.registry_port) as wire:
            for name, tag, image in zip(
                (NAME, NAME, "apps/other"),
                ("production", "testing", "production"),
                images,
                strict=True,
            ):
                push_image(wire, name, tag, image)
        self.start_receiver()
        self.await_deployments(1)
        address = f"127.0.0.1:{self.registry_port}"
        expected = f"{address}/{NAME}@{images[0].digest}\n"
        self.await_tally(0)
        self.assertEqual(expected, self.deployed.read_text())

    def test_trial(self) -> None:
        """``txregistry events test`` says that there is nobody, or what is answered."""
        argv = ["events", "test", "deploy", "--config", str(self.config)]
        error = self.assertRaises(
            CommandFailed, run, installed("txregistry"), *argv, timeout=30
        )
        self.assertIn("refused", error.output)
        receiver = self.start_receiver()
        receiver.wait_until(self.takes_a_test)
        as_production = [
            "--action",
            "push",
            "--repository",
            NAME,
            "--tag",
            "production",
        ]
        run(installed("txregistry"), *argv, *as_production, timeout=30)
        self.await_deployments(1)

    def takes_a_test(self) -> bool:
        """Say whether a test event is taken."""
        argv = ["events", "test", "deploy", "--config", str(self.config)]
        try:
            printed = run(installed("txregistry"), *argv, timeout=30)
        except CommandFailed:
            return False
        return "answered 204" in printed

    def await_deployments(self, count: int) -> None:
        """Wait until the script has run so often."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.deployed.exists():
                lines = self.deployed.read_text().splitlines()
                if len(lines) >= count:
                    return
            time.sleep(0.05)
        self.fail("nothing was deployed")

    def await_tally(self, waiting: int) -> None:
        """Wait until so many events wait, as ``txregistry events status`` says."""
        argv = ["events", "status", "--config", str(self.config)]
        end = time.monotonic() + 30
        while time.monotonic() < end:
            _head, line = run(installed("txregistry"), *argv).splitlines()
            if line.split()[:2] == ["deploy", str(waiting)]:
                return
            time.sleep(0.05)
        self.fail(line)
