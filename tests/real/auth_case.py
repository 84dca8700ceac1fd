"""The auth case: registries that ask who is there, and what clients do with them."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.real.case import RealTestCase
from tests.real.clients import Client
from tests.real.commands import CommandFailed
from tests.real.registries import Registry
from txregistry.auth.editing import set_password

USER, PASSWORD = "alice", "open sesame"
MACHINE = "builder"
"""The common name of the client's certificate."""

Rule = Mapping[str, Any]

ANYBODY_PULLS: list[Rule] = [
    {"who": "*", "may": "pull", "on": "**"},
    {"who": "authenticated", "may": "push", "on": "**"},
]
ONE_MACHINE: list[Rule] = [
    {"who": f"certificate:{MACHINE}", "may": ["pull", "push"], "on": "**"}
]

_LOW_COST = 4
_REFUSALS = (
    "(?i)unauthorized|authentication required|no basic auth|invalid username/password"
    "|access to the resource is denied|authorization failed|unknown authority"
    "|403 Forbidden|unexpected status: 429"
)
"""What clients say when they are refused, each in its words.

Containerd shows a wrong password so often that at last it is told to wait.
"""


class AuthCase(RealTestCase):
    """Registries that ask who is there."""

    def users(self) -> str:
        """Write an htpasswd file with one user; return its path."""
        path = str(self.folder() / "htpasswd")
        set_password(path, USER.encode(), PASSWORD.encode(), _LOW_COST)
        return path

    def guarded(
        self,
        rules: list[Rule] | None = None,
        http: Mapping[str, Any] | None = None,
        host: str = "127.0.0.1",
    ) -> Registry:
        """Start a registry with one user.

        Args:
            rules: The access rules; None: there are none.
            http: Settings to add under ``http``.
            host: The address to listen at.
        """
        settings: dict[str, Any] = {"auth": {"htpasswd": {"path": self.users()}}}
        if rules is not None:
            settings["access"] = {"rules": rules}
        return self.registry(None, "txregistry", http, settings, host)

    def assert_refused(self, act: Any, *arguments: str | Client) -> None:
        """Do something that the registry has to refuse."""
        failed = self.assertRaises(CommandFailed, act, *arguments)
        self.assertRegex(failed.output, _REFUSALS)


class ClientContract(AuthCase):
    """What every client can do with such registries.

    Attributes:
        tls_host: The loopback address at which the client looks at certificates.
    """

    tls_host = "127.0.0.1"

    @abc.abstractmethod
    def make_client(self, folder: Path, trust: Path | None = None) -> Client:
        """Make a client; for the arguments see DockerClient."""

    def client(self, trust: Path | None = None) -> Client:
        """Make a client, which is stopped at the test's end."""
        return self.server(self.make_client(self.folder(), trust))

    def test_users(self) -> None:
        """With users alone, who logs in pushes and pulls; nobody else does either."""
        registry, client = self.guarded(), self.client()
        image = f"{registry.address}/some/name:1"
        self.assert_refused(client.push, image)
        client.log_in(registry.address, USER, PASSWORD)
        client.push(image)
        client.pull(image)
        self.assert_refused(self.client().pull, image)

    def test_rules(self) -> None:
        """With two rules anybody pulls, and who logs in pushes."""
        registry, client = self.guarded(ANYBODY_PULLS), self.client()
        image = f"{registry.address}/some/name:1"
        self.assert_refused(client.push, image)
        client.log_in(registry.address, USER, PASSWORD)
        client.push(image)
        client.pull(image)
        self.client().pull(image)

    def test_wrong_password(self) -> None:
        """A wrong password is refused, with users alone and with rules."""
        for rules in (None, ANYBODY_PULLS):
            registry, client = self.guarded(rules), self.client()
            self.assert_refused(self.try_password, client, registry.address, "wrong")

    def test_tls(self) -> None:
        """Over TLS with a private authority, who logs in pushes and pulls."""
        for rules in (None, ANYBODY_PULLS):  # by password, by token
            registry, authority = self.over_tls(rules)
            client = self.client(self.trust(registry, authority))
            address = f"localhost:{registry.port}"
            client.log_in(address, USER, PASSWORD)
            client.push(f"{address}/some/name:1")
            client.pull(f"{address}/some/name:1")

    def test_unknown_authority(self) -> None:
        """A registry whose authority the client does not know is not spoken to."""
        registry, _ = self.over_tls(ANYBODY_PULLS)
        client = self.client(self.trust(registry, Authority()))
        address = f"localhost:{registry.port}"
        self.assert_refused(self.try_password, client, address, PASSWORD)

    def test_certificate(self) -> None:
        """With a certificate of its own a client pushes and pulls; without, it cannot.

        Nobody logs in, and there are no passwords.
        """
        registry, authority = self.over_tls(ONE_MACHINE)
        image = f"localhost:{registry.port}/some/name:1"
        client = self.client(self.trust(registry, authority, MACHINE))
        client.push(image)
        client.pull(image)
        for name in (None, "somebody"):
            other = self.client(self.trust(registry, authority, name))
            self.assert_refused(other.pull, image)

    def try_password(self, client: Client, address: str, password: str) -> None:
        """Log in, and push if the client has not asked the registry yet."""
        client.log_in(address, USER, password)
        client.push(f"{address}/some/name:1")

    def over_tls(self, rules: list[Rule] | None) -> tuple[Registry, Authority]:
        """Start a registry that speaks TLS, and that takes clients' certificates."""
        authority = Authority()
        folder = self.folder()
        certificate, key = authority.issue().write(folder)
        tls = {
            "certificate": certificate,
            "key": key,
            "clientcas": [authority.write(folder)],
            "clientauth": "verify-client-cert-if-given",
        }
        return self.guarded(rules, {"tls": tls}, self.tls_host), authority

    def trust(
        self, registry: Registry, authority: Authority, name: str | None = None
    ) -> Path:
        """Write what a client needs to speak TLS with a registry.

        Args:
            registry: The registry.
            authority: Whom the client trusts.
            name: The common name of its own certificate; None: it has none.
        """
        folder = self.folder()
        for place in (folder, folder / "certs.d" / f"localhost:{registry.port}"):
            place.mkdir(parents=True, exist_ok=True)
            authority.write(place)
            if name is not None:
                issued = authority.issue(name, is_client=True)
                (place / "client.cert").write_bytes(issued.pem)
                (place / "client.key").write_bytes(issued.key_pem())
        return folder
