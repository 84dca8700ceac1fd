"""Tests of the Go registry and of ours with tokens of our own token service.

What one takes the other one takes, and what one refuses the other one refuses.
"""

from __future__ import annotations

import json
import re
import time
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OctKey
from twisted.internet.task import Clock

from tests.real.case import RealTestCase
from tests.real.commands import need
from tests.real.daemons import Daemon, free_port
from tests.real.wire import Answer, connected, location_of
from tests.unit.auth.signing import (
    Allowing,
    base64url,
    certificate,
    jwk,
    pem_of,
    private_key,
    signed,
    x5c_of,
)
from txregistry.auth.certificates import self_signed
from txregistry.auth.issuing import TokenIssuer
from txregistry.auth.keys import load_trusted_keys
from txregistry.auth.tokenkey import TokenKey
from txregistry.auth.tokens import TokenAuthenticator, TokenVerifier
from txregistry.interfaces import Identity, LoginFailed
from txregistry.oci.access import CATALOG, Access
from txregistry.oci.digest import Digest

REALM = "https://auth.example.com/token"
SERVICE = "registry.example.com"
ISSUER = "auth.example.com"
KINDS = ("P-256", "P-384", "P-521", "RSA")
"""The kinds of keys that the Go registry 2 can verify with."""

ALICE = Identity("alice", "user", frozenset(["dev"]))
PULL = Access("repository", "app", "pull")
PUSH = Access("repository", "app", "push")


def make_key(kind: str) -> TokenKey:
    """Make a key with its certificate."""
    private = private_key(kind)
    return TokenKey(private, (self_signed(private, f"tokens {kind}", time.time()),))


class GoTests(RealTestCase):
    """The Go registry 2.8.2, and our verifier, with the same bundle."""

    def setUp(self) -> None:
        """Start the Go registry."""
        need("docker-registry")
        self.clock = Clock()
        self.clock.advance(time.time())
        self.keys = {kind: make_key(kind) for kind in KINDS}
        folder = self.folder()
        bundle = folder / "bundle.pem"
        bundle.write_bytes(b"".join(key.certificates_pem for key in self.keys.values()))
        self.port = free_port()
        self.start(folder, bundle)
        keys = load_trusted_keys(str(bundle))
        self.verifier = TokenVerifier(keys, ISSUER, SERVICE, self.clock)
        self.ours = TokenAuthenticator(self.verifier, REALM, SERVICE)

    def start(self, folder: Path, bundle: Path) -> None:
        """Start the Go registry, and wait until it serves."""
        token = {
            "realm": REALM,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(bundle),
        }
        config = folder / "config.yml"
        config.write_text(
            json.dumps(
                {
                    "version": 0.1,
                    "log": {"level": "info", "accesslog": {"disabled": True}},
                    "storage": {"filesystem": {"rootdirectory": str(folder / "tree")}},
                    "http": {"addr": f"127.0.0.1:{self.port}", "secret": "sesame"},
                    "auth": {"token": token},
                }
            )
        )
        command: list[str | Path] = ["docker-registry", "serve", config]
        daemon = self.server(Daemon(command, folder / "log"))
        daemon.wait_until(self.is_serving)

    def is_serving(self) -> bool:
        """Say whether the Go registry answers."""
        try:
            return self.ask("/v2/").status == 401
        except (OSError, HTTPException):
            return False

    def ask(self, target: str, token: str | None = None, method: str = "GET") -> Answer:
        """Ask the Go registry for something."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with connected(self.port) as wire:
            return wire.ask(method, target, headers=headers)

    def issue(self, *accesses: Access, kind: str = "P-256", **changes: Any) -> str:
        """Issue a token.

        Args:
            accesses: What it is to grant.
            kind: The kind of key to sign with.
            changes: What the issuer is to do otherwise.
        """
        settings = {"issuer": ISSUER, "service": SERVICE, "clock": self.clock}
        key = changes.pop("key", self.keys[kind])
        issuer = TokenIssuer(key, **{**settings, **changes})
        return issuer.issue(ALICE, accesses, Allowing()).token

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims with changes."""
        now = int(time.time())
        times = {"exp": now + 300, "nbf": now, "iat": now}
        return {"iss": ISSUER, "sub": "alice", "aud": SERVICE, **times, **changes}

    def assert_both(self, expected: bool, token: str) -> None:
        """Assert that both take a token, or that both refuse it as invalid."""
        answer = self.ask("/v2/", token)
        try:
            self.verifier.verify(token)
            ours = True
        except LoginFailed:
            ours = False
        self.assertEqual((expected, expected), (answer.status == 200, ours))
        if not expected:
            challenge = self.ours.challenge([], "http://x", "invalid_token")
            self.assertEqual(challenge, answer.headers["www-authenticate"])

    def test_push_and_pull(self) -> None:
        """With a token of ours a blob is pushed and pulled, whatever key signed it."""
        for kind in KINDS:
            content = f"a blob for {kind}".encode()
            digest = str(Digest.of(content))
            push = partial(self.send, self.issue(PULL, PUSH, kind=kind))
            started = push("POST", "/v2/app/blobs/uploads/", 202)
            location = location_of(started, "/")
            push("PUT", f"{location}&digest={digest}", 201, content)
            pull = partial(self.send, self.issue(PULL, kind=kind))
            self.assertEqual(content, pull("GET", f"/v2/app/blobs/{digest}", 200).body)

    def send(
        self, token: str, method: str, target: str, expect: int, body: bytes = b""
    ) -> Answer:
        """Send a request with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        with connected(self.port) as wire:
            return wire.ask(method, target, body, headers, expect)

    def test_scope(self) -> None:
        """A token is for what it grants; for more both send the same challenge."""
        token = self.issue(PULL)
        for method, target, accesses in (
            ("POST", "/v2/app/blobs/uploads/", [PULL, PUSH]),
            ("GET", "/v2/other/tags/list", [Access("repository", "other", "pull")]),
            ("DELETE", "/v2/app/manifests/x", [Access("repository", "app", "delete")]),
            ("GET", "/v2/_catalog", [CATALOG]),
        ):
            for shown, problem in (
                (token, "insufficient_scope"),
                ("x.y.z", "invalid_token"),
                (None, None),
            ):
                answer = self.ask(target, shown, method)
                self.assertEqual(401, answer.status)
                self.assertEqual(
                    self.ours.challenge(accesses, "http://x", problem),
                    _sorted(answer.headers["www-authenticate"]),
                )

    def test_names(self) -> None:
        """Both find the key by its id and by its certificate, one at a time too."""
        for kind in KINDS:
            key = self.keys[kind]
            self.assert_both(True, self.issue(kind=kind))
            bare = TokenKey(private_key(kind))
            self.assert_both(True, self.issue(kind=kind, key=bare))
            private = jwk(private_key(kind))
            members = {**private.as_dict(private=False), "kid": key.kid}
            for named in ({"x5c": x5c_of(*key.certificates)}, {"jwk": members}):
                header = {"alg": key.algorithm, **named}
                self.assert_both(True, signed(private, header, self.claims()))

    def test_tampered(self) -> None:
        """Neither takes a token that was tampered with."""
        first, second, third = self.issue(PULL).split(".")
        other = self.issue(PULL, PUSH).split(".")
        self.assert_both(False, f"{first}.{other[1]}.{third}")
        self.assert_both(False, f"{first}.{second}.{other[2]}")
        self.assert_both(False, f"{first}.{second}.")
        self.assert_both(False, f"{first}.{second}")

    def test_time(self) -> None:
        """Neither takes one that has expired, or whose time has not come."""
        past, future = Clock(), Clock()
        past.advance(time.time() - 370)
        future.advance(time.time() + 70)
        self.assert_both(False, self.issue(PULL, clock=past))
        self.assert_both(False, self.issue(PULL, clock=future))
        past.advance(20)
        future.advance(-20)
        self.assert_both(True, self.issue(PULL, clock=past))
        self.assert_both(True, self.issue(PULL, clock=future))

    def test_others(self) -> None:
        """Neither takes one for another service, or from another issuer."""
        self.assert_both(False, self.issue(PULL, service="another"))
        self.assert_both(False, self.issue(PULL, issuer="another"))

    def test_stranger(self) -> None:
        """Neither takes one whose key it does not know, whatever the header says."""
        stranger = private_key("P-256", "stranger")
        made = certificate(stranger, begin=time.time() - 60, end=time.time() + 60)
        self.assert_both(False, self.issue(key=TokenKey(stranger, (made,))))
        self.assert_both(False, self.issue(key=TokenKey(stranger)))
        known = {"alg": "ES256", "kid": self.keys["P-256"].kid}
        self.assert_both(False, signed(jwk(stranger), known, self.claims()))
        members = jwk(stranger).as_dict(private=False)
        header = {"alg": "ES256", "jwk": members}
        self.assert_both(False, signed(jwk(stranger), header, self.claims()))

    def test_algorithms(self) -> None:
        """Neither takes none for an algorithm, nor a public key for a secret."""
        key = self.keys["RSA"]
        for name in ("none", "None", "HS256"):
            header = json.dumps({"alg": name, "kid": key.kid}).encode()
            payload = json.dumps(self.claims()).encode()
            unsigned = f"{base64url(header)}.{base64url(payload)}"
            self.assert_both(False, f"{unsigned}.")
            self.assert_both(False, f"{unsigned}.AA")
        pem = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for secret in (pem, pem_of(*key.certificates)):
            header_now = {"alg": "HS256", "kid": key.kid}
            token = signed(OctKey(secret, secret), header_now, self.claims())
            self.assert_both(False, token)


def _sorted(challenge: str) -> str:
    """Sort the actions of each scope; the Go registry has them in any order."""
    actions = re.compile(r":([a-z]+(?:,[a-z]+)+)")
    return actions.sub(
        lambda match: ":" + ",".join(sorted(match[1].split(","))), challenge
    )
