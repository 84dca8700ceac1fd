"""Tests of tokens: those of another token service here, and ours at the Go registry."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.real import auth_case
from tests.real.clients import DockerClient
from tests.real.commands import need
from tests.real.registries import Registry
from tests.real.wire import connected
from tests.unit.auth.signing import base64url
from txregistry.auth.tokenkey import TokenKey, load_token_key

REALM, SERVICE, ISSUER = "https://auth.test/token", "registry.test", "auth.test"
NAME = "some/name"

_CHALLENGE = f'Bearer realm="{REALM}",service="{SERVICE}",scope="repository:{NAME}:%s"'
_HOUR = 3600


class ForeignTokenTests(auth_case.AuthCase):
    """Tokens of a token service that is not ours."""

    def setUp(self) -> None:
        """Make the service's key."""
        self.key = TokenKey.make("tokens", time.time())
        bundle = self.folder() / "bundle.pem"
        bundle.write_bytes(self.key.certificates_pem)
        self.bundle = str(bundle)

    def trusting(self, kind: str = "txregistry") -> Registry:
        """Start a registry that trusts the service."""
        token = {
            "realm": REALM,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": self.bundle,
        }
        return self.registry(kind=kind, settings={"auth": {"token": token}})

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims, with changes."""
        now = int(time.time())
        access = {"type": "repository", "name": NAME, "actions": ["pull", "push"]}
        good = {"iss": ISSUER, "sub": "alice", "aud": SERVICE, "access": [access]}
        times = {"iat": now, "nbf": now - 5, "exp": now + 300, "jti": "1"}
        return {**good, **times, **changes}

    def bad_tokens(self) -> dict[str, str]:
        """Return tokens that do not hold, by what is wrong."""
        good = self.key.sign(self.claims())
        header, payload, signature = good.split(".")
        ended = int(time.time()) - _HOUR
        pem = self.key.public.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        first = {"typ": "JWT", "alg": "HS256", "kid": self.key.kid}
        confused = f"{base64url(json.dumps(first).encode())}.{payload}"
        mac = hmac.digest(pem, confused.encode(), "sha256")
        unsigned = base64url(b'{"typ":"JWT","alg":"none"}')
        other = TokenKey.make("tokens", time.time())
        return {
            "expired": self.key.sign(self.claims(exp=ended)),
            "not valid yet": self.key.sign(self.claims(nbf=ended + 2 * _HOUR)),
            "tampered": f"{header}.{payload[:-9]}{payload[-8:]}A.{signature}",
            "cut": good[:-2],
            "wrong audience": self.key.sign(self.claims(aud="other.test")),
            "wrong issuer": self.key.sign(self.claims(iss="other.test")),
            "alg none": f"{unsigned}.{payload}.",
            "alg none, signed": f"{unsigned}.{payload}.{signature}",
            "HS256 by the public key": f"{confused}.{base64url(mac)}",
            "another key": other.sign(self.claims()),
            "no token": "nonsense",
        }

    def challenges(self, registry: Registry, tokens: Mapping[str, str]) -> Any:
        """Show tokens to a registry; return its challenges to a pull."""
        found = {}
        with connected(registry.port) as wire:
            for what, token in tokens.items():
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                target = f"/v2/{NAME}/manifests/1"
                answer = wire.ask("GET", target, None, headers)
                found[what] = answer.status, answer.headers.get("www-authenticate")
        return found

    def test_good(self) -> None:
        """A token that holds opens what it grants, and that only."""
        token = self.key.sign(self.claims())
        with connected(self.trusting().port) as wire:
            headers = {"Authorization": f"Bearer {token}"}
            wire.ask("GET", "/v2/", None, headers, expect=200)
            wire.ask("GET", f"/v2/{NAME}/manifests/1", None, headers, expect=404)
            wire.ask("POST", f"/v2/{NAME}/blobs/uploads/", b"", headers, expect=202)
            wire.ask("GET", "/v2/other/tags/list", None, headers, expect=401)
            wire.ask("GET", "/v2/_catalog", None, headers, expect=401)

    def test_bad(self) -> None:
        """A token that does not hold is refused, as invalid and nothing more."""
        tokens = self.bad_tokens()
        challenge = f'{_CHALLENGE % "pull"},error="invalid_token"'
        self.assertEqual(
            dict.fromkeys(tokens, (401, challenge)),
            self.challenges(self.trusting(), tokens),
        )

    def test_none(self) -> None:
        """Who has no token is told where to get one, and for what."""
        found = self.challenges(self.trusting(), {"none": ""})
        self.assertEqual({"none": (401, _CHALLENGE % "pull")}, found)

    def test_other_repository(self) -> None:
        """A token for another repository is not enough here."""
        other = {"type": "repository", "name": "other", "actions": ["pull"]}
        tokens = {"other": self.key.sign(self.claims(access=[other]))}
        challenge = f'{_CHALLENGE % "pull"},error="insufficient_scope"'
        found = self.challenges(self.trusting(), tokens)
        self.assertEqual({"other": (401, challenge)}, found)

    def test_as_go(self) -> None:
        """The Go registry says the same of all of them, to the byte."""
        need("docker-registry")
        other = {"type": "repository", "name": "other", "actions": ["pull"]}
        tokens = {
            **self.bad_tokens(),
            "none": "",
            "other": self.key.sign(self.claims(access=[other])),
        }
        go = self.challenges(self.trusting("go"), tokens)
        self.assertEqual(go, self.challenges(self.trusting(), tokens))


class OurTokensTests(auth_case.AuthCase):
    """Our token service for the Go registry, with docker."""

    def setUp(self) -> None:
        """Start ours for its token service, and the Go registry, which trusts it."""
        need("docker-registry")
        users = self.users()
        rules = [
            {"who": "*", "may": "pull", "on": "public/**"},
            {"who": f"user:{auth_case.USER}", "may": "push", "on": "public/**"},
        ]
        settings = {
            "auth": {"htpasswd": {"path": users}},
            "access": {"rules": rules},
        }
        ours = self.registry(kind="txregistry", settings=settings)
        bundle = self.folder() / "bundle.pem"
        key = load_token_key(f"{users}.token-key.pem")
        bundle.write_bytes(key.certificates_pem)
        token = {
            "realm": f"http://{ours.address}/auth/token",
            "service": "txregistry",
            "issuer": "txregistry",
            "rootcertbundle": str(bundle),
        }
        self.go = self.registry(kind="go", settings={"auth": {"token": token}})

    def client(self) -> DockerClient:
        """Start an engine."""
        return self.server(DockerClient(self.folder()))

    def test_docker(self) -> None:
        """Who logs in pushes where the rules let it; anybody pulls from there."""
        client = self.client()
        image = f"{self.go.address}/public/name:1"
        self.assert_refused(client.push, image)
        client.log_in(self.go.address, auth_case.USER, auth_case.PASSWORD)
        client.push(image)
        client.pull(image)
        self.assert_refused(client.push, f"{self.go.address}/private/name:1")
        self.client().pull(image)

    def test_wrong_password(self) -> None:
        """With a wrong password nobody logs in."""
        client = self.client()
        address = self.go.address
        self.assert_refused(client.log_in, address, auth_case.USER, "wrong")
