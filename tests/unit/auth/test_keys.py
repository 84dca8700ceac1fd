"""Tests of txregistry.auth.keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed448
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import (
    NOW,
    certificate,
    jwk,
    pem_of,
    private_key,
    secret_jwk,
    x5c_of,
)
from txregistry.auth.jws import BadToken
from txregistry.auth.keyids import fingerprint, public_key, thumbprint
from txregistry.auth.keys import TrustedKeys, load_trusted_keys
from txregistry.interfaces import InvalidOption

FIRST = private_key("P-256", "first")
SECOND = private_key("RSA", "second")
LEAF = private_key("P-256", "leaf")
ROOT = certificate(FIRST, "root", authority=True)
CHAIN = x5c_of(certificate(LEAF, "leaf", FIRST, "root", end=NOW + 60))


class SignerTests(SynchronousTestCase):
    """The key that a token's header names."""

    def setUp(self) -> None:
        """Trust two certificates."""
        self.keys = TrustedKeys().trusting([ROOT, certificate(SECOND)])

    def assert_found(self, key: Any, header: dict[str, Any]) -> None:
        """Assert which key a header names."""
        found = self.keys.signer(header, NOW)
        self.assertEqual(key.public_key(), public_key(found.key))
        self.assertFalse(found.ours)

    def assert_refused(self, header: dict[str, Any], now: float = NOW) -> None:
        """Assert that a header names no trusted key."""
        self.assertRaises(BadToken, self.keys.signer, header, now)

    def test_kid(self) -> None:
        """A key is found by its id, in the styles of both Go registries."""
        for key in (FIRST, SECOND):
            self.assert_found(key, {"kid": fingerprint(key.public_key())})
            self.assert_found(key, {"kid": thumbprint(key.public_key())})

    def test_unknown(self) -> None:
        """What is not trusted is not found, nor is what is no id."""
        kids: list[object] = [fingerprint(LEAF.public_key()), "", None, 1, ["a"], {}]
        for kid in kids:
            self.assert_refused({"kid": kid})
        self.assert_refused({})

    def test_chain(self) -> None:
        """A chain that leads to a trusted certificate is trusted for its time."""
        self.assert_found(LEAF, {"x5c": CHAIN})
        self.assertEqual(NOW + 60, self.keys.signer({"x5c": CHAIN}, NOW).not_after)
        self.assert_refused({"x5c": CHAIN}, NOW + 61)

    def test_trusted_certificate(self) -> None:
        """A trusted certificate is a chain of one."""
        self.assert_found(FIRST, {"x5c": x5c_of(ROOT)})

    def test_order(self) -> None:
        """A chain counts before a key, a key before an id; there is no second try."""
        kid = fingerprint(FIRST.public_key())
        second = jwk(SECOND).as_dict(private=False)
        self.assert_found(LEAF, {"x5c": CHAIN, "jwk": second, "kid": kid})
        self.assert_found(SECOND, {"jwk": second, "kid": kid})
        stranger = certificate(private_key("P-256", "stranger"))
        self.assert_refused({"x5c": x5c_of(stranger), "kid": kid})
        self.assert_refused({"jwk": {"kty": "EC"}, "kid": kid})
        self.assert_refused({"jwk": {"x5c": x5c_of(stranger)}, "kid": kid})

    def test_empty(self) -> None:
        """An empty chain is none."""
        kid = fingerprint(FIRST.public_key())
        self.assert_found(FIRST, {"x5c": [], "jwk": None, "kid": kid})
        self.assert_found(FIRST, {"x5c": None, "jwk": {"x5c": [], "kid": kid}})

    def test_jwk(self) -> None:
        """A key in a header is one that we have, by its id or by what it is."""
        for key in (FIRST, SECOND):
            self.assert_found(key, {"jwk": jwk(key).as_dict(private=False)})
            self.assert_found(key, {"jwk": {"kid": fingerprint(key.public_key())}})
        self.assert_found(LEAF, {"jwk": {"kty": "EC", "x5c": CHAIN}})

    def test_claimed(self) -> None:
        """With the id of a trusted key it is that key, whatever else it says."""
        stranger = jwk(private_key("P-256", "stranger")).as_dict(private=False)
        claimed = {**stranger, "kid": fingerprint(FIRST.public_key())}
        self.assert_found(FIRST, {"jwk": claimed})
        self.assert_refused({"jwk": stranger})

    def test_malformed_key(self) -> None:
        """What is no key is refused."""
        malformed: list[object] = ["a", 1, [], True, {"kty": 1}, {"kty": ["EC"]}]
        malformed += [
            {"kty": "oct", "k": "AA"},
            {"kty": "RSA", "n": 1, "e": "AQAB"},
            {"kty": "EC", "crv": "P-256", "x": "\ud800", "y": "AA"},
        ]
        for each in malformed:
            self.assert_refused({"jwk": each})

    def test_malformed_chain(self) -> None:
        """What is no chain is refused, and so is one too long."""
        (leaf,) = CHAIN
        malformed: list[object] = ["a", leaf, 1, True, {"a": 1}, "", 0, {}, [leaf] * 9]
        malformed += [[1], [None], [[]], ["ä"], ["AA"], [""]]
        malformed += [[leaf[:-4]], [leaf + "\n"], ["-" + leaf[1:]]]
        for chain in malformed:
            self.assert_refused({"x5c": chain})
            self.assert_refused({"jwk": {"x5c": chain}})

    def test_strange_key(self) -> None:
        """A trusted certificate's key has to be of a kind that signs tokens."""
        key = private_key("P-256", "strange")
        strange = certificate(_strange_key(), "strange", key)
        self.keys = TrustedKeys().trusting([strange])
        self.assertEqual({}, self.keys.ids)
        self.assert_refused({"x5c": x5c_of(strange)})

    def test_own(self) -> None:
        """What our own token service signs with is told apart, however it is named."""
        own = certificate(LEAF)
        keys = self.keys.trusting_own(LEAF.public_key(), [own])
        for header in (
            {"x5c": x5c_of(own)},
            {"x5c": CHAIN},
            {"jwk": jwk(LEAF).as_dict(private=False)},
            {"kid": fingerprint(LEAF.public_key())},
        ):
            self.assertTrue(keys.signer(header, NOW).ours)
        self.assertFalse(keys.signer({"x5c": x5c_of(ROOT)}, NOW).ours)
        self.assertFalse(keys.signer({"kid": _kid(FIRST)}, NOW).ours)

    def test_own_without_certificate(self) -> None:
        """Our own key needs no certificate."""
        keys = TrustedKeys().trusting_own(LEAF.public_key())
        self.assertTrue(keys.signer({"kid": _kid(LEAF)}, NOW).ours)

    def test_repr(self) -> None:
        """The repr shows ids alone."""
        self.keys = TrustedKeys({"b": secret_jwk(), "a": secret_jwk()})
        self.assertIn("ids=['a', 'b']", repr(self.keys))
        self.assertNotIn("OctKey", repr(self.keys.signer({"kid": "a"}, NOW)))


class LoadingTests(SynchronousTestCase):
    """Files with keys."""

    def setUp(self) -> None:
        """Choose two files."""
        self.bundle, self.jwks = self.mktemp(), self.mktemp()

    def assert_refused(self, key: str, problem: str, **files: str) -> None:
        """Assert that a file cannot be used."""
        error = self.assertRaises(InvalidOption, load_trusted_keys, **files)
        self.assertEqual((key, problem), (error.key, error.problem))

    def test_bundle(self) -> None:
        """The certificates of a bundle are trusted, and their keys."""
        Path(self.bundle).write_bytes(pem_of(ROOT))
        keys = load_trusted_keys(self.bundle)
        self.assertEqual((ROOT,), keys.certificates)
        self.assertEqual({_kid(FIRST), thumbprint(FIRST.public_key())}, set(keys.ids))

    def test_jwks(self) -> None:
        """The keys of a set are trusted; an id of theirs counts before a bundle's."""
        Path(self.bundle).write_bytes(pem_of(ROOT))
        member = {**secret_jwk().as_dict(), "kid": _kid(FIRST)}
        Path(self.jwks).write_text(json.dumps({"keys": [member]}))
        keys = load_trusted_keys(self.bundle, self.jwks)
        self.assertIsNone(public_key(keys.ids[_kid(FIRST)]))
        self.assertFalse(keys.signer({"kid": _kid(FIRST)}, NOW).ours)

    def test_nothing(self) -> None:
        """Without files nothing is trusted."""
        self.assertEqual(TrustedKeys(), load_trusted_keys())

    def test_missing(self) -> None:
        """A file that is not there is named."""
        problem = f"{self.bundle}: No such file or directory"
        self.assert_refused("rootcertbundle", problem, rootcertbundle=self.bundle)
        self.assert_refused("jwks", problem, jwks=self.bundle)

    def test_unusable(self) -> None:
        """A file with nothing of use in it is named, and why it is of none."""
        Path(self.bundle).write_bytes(b"hello")
        problem = f"{self.bundle}: has no CERTIFICATE block"
        self.assert_refused("rootcertbundle", problem, rootcertbundle=self.bundle)
        problem = f"{self.bundle}: is not a JWK set"
        self.assert_refused("jwks", problem, jwks=self.bundle)


def _kid(key: Any) -> str:
    return fingerprint(key.public_key())


def _strange_key() -> Any:
    return ed448.Ed448PrivateKey.generate()
