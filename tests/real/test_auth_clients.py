"""Tests of logging in, pushing and pulling with each client."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from tests.real import auth_case
from tests.real.clients import (
    Client,
    ContainerdClient,
    DockerClient,
    PodmanClient,
    SkopeoClient,
)
from tests.real.dockerd import UNTRUSTED_LOOPBACK
from tests.real.registries import Registry
from tests.real.wire import connected

BASIC = 'Basic realm="txregistry"'


class DockerAuthTests(auth_case.ClientContract):
    """Docker, at registries that ask who is there."""

    tls_host = f"[{UNTRUSTED_LOOPBACK}]"

    def make_client(self, folder: Path, trust: Path | None = None) -> Client:
        """See ClientContract."""
        return DockerClient(folder, trust)


class PodmanAuthTests(auth_case.ClientContract):
    """Podman, at registries that ask who is there."""

    def make_client(self, folder: Path, trust: Path | None = None) -> Client:
        """See ClientContract."""
        return PodmanClient(folder, trust)


class SkopeoAuthTests(auth_case.ClientContract):
    """Skopeo, at registries that ask who is there."""

    def make_client(self, folder: Path, trust: Path | None = None) -> Client:
        """See ClientContract."""
        return SkopeoClient(folder, trust)


class ContainerdAuthTests(auth_case.ClientContract):
    """Containerd, at registries that ask who is there."""

    def make_client(self, folder: Path, trust: Path | None = None) -> Client:
        """See ClientContract."""
        return ContainerdClient(folder, trust)


class ChallengeTests(auth_case.AuthCase):
    """What is said to who has shown nothing, or nothing good."""

    def challenge(self, registry: Registry, method: str, password: str = "") -> str:
        """Ask a registry for a manifest; return how it refuses."""
        headers = {}
        if password:
            shown = f"{auth_case.USER}:{password}".encode()
            headers["Authorization"] = f"Basic {b64encode(shown).decode()}"
        with connected(registry.port) as wire:
            target = "/v2/some/name/manifests/1"
            answer = wire.ask(method, target, None, headers, expect=401)
        return answer.headers["www-authenticate"]

    def test_users(self) -> None:
        """With users alone it is that of the Go registry: Basic and the realm."""
        registry = self.guarded()
        for password in ("", "wrong"):
            self.assertEqual(BASIC, self.challenge(registry, "GET", password))

    def test_rules(self) -> None:
        """With rules it is where to get a token, and for what."""
        registry = self.guarded(auth_case.ONE_MACHINE)
        pull = (
            f'Bearer realm="http://{registry.address}/auth/token",'
            'service="txregistry",scope="repository:some/name:pull"'
        )
        push = f'{pull[:-1]},push"'
        for password in ("", "wrong"):
            self.assertEqual(pull, self.challenge(registry, "GET", password))
            self.assertEqual(push, self.challenge(registry, "PUT", password))

    def test_token_service(self) -> None:
        """The token service tells a wrong password by 401 and Basic."""
        registry = self.guarded(auth_case.ONE_MACHINE)
        shown = b64encode(f"{auth_case.USER}:wrong".encode()).decode()
        with connected(registry.port) as wire:
            headers = {"Authorization": f"Basic {shown}"}
            answer = wire.ask("GET", "/auth/token", None, headers, expect=401)
        self.assertEqual(BASIC, answer.headers["www-authenticate"])
