"""Tests of txregistry.auth.tokens: generated tokens."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64decode
from functools import cache
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import (
    GRANTS,
    ISSUER,
    NOW,
    SERVICE,
    Allowing,
    base64url,
    certificate,
    claims,
    pem_of,
    private_key,
    secret_jwk,
    shared_jwk,
    signed,
    x5c_of,
)
from tests.unit.oci.generated import documents, generated, texts
from txregistry.auth.issuing import TokenIssuer
from txregistry.auth.jws import ALGORITHMS, LONGEST
from txregistry.auth.keyids import fingerprint
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.tokenkey import TokenKey
from txregistry.auth.tokens import TokenVerifier
from txregistry.interfaces import Identity, LoginFailed
from txregistry.oci.access import Access

ALPHABET: Final = "AZaz09-_.=+/ \n\0éĀ"
KINDS: Final = ("P-256", "P-521", "RSA", "Ed25519")
ALGS: Final = {"P-256": "ES256", "P-521": "ES512", "RSA": "RS256", "Ed25519": "EdDSA"}
names: Final = st.sampled_from(
    [
        *("alg", "kid", "x5c", "jwk", "crit", "b64", "typ", "x5u", "jku", "zip", "enc"),
        *("iss", "aud", "sub", "exp", "nbf", "access", "txregistry"),
    ]
)
changed: Final = st.dictionaries(names, documents, min_size=1, max_size=4)
"""What a header or a payload says otherwise; more at once is slow, and says no more."""
kinds: Final = st.sampled_from(KINDS)
algs: Final = st.sampled_from([*sorted(ALGORITHMS), "none", "None", "ES256K", ""])


@cache
def trusted() -> TrustedKeys:
    """Trust a certificate of each kind of key, a secret, and a key of our own."""
    keys = TrustedKeys({"secret": secret_jwk()})
    keys = keys.trusting(certificate(private_key(kind)) for kind in KINDS)
    own = private_key("P-256", "own")
    return keys.trusting_own(own.public_key(), [certificate(own, "own")])


def fresh() -> TokenVerifier:
    """Make a verifier that remembers nothing."""
    clock = Clock()
    clock.advance(NOW)
    return TokenVerifier(trusted(), ISSUER, SERVICE, clock)


@cache
def headers_of(kind: str) -> list[dict[str, Any]]:
    """Return all the ways to name a key."""
    key = private_key(kind)
    named: list[dict[str, Any]] = [
        {"kid": fingerprint(key.public_key())},
        {"jwk": shared_jwk(kind).as_dict(private=False)},
        {
            "x5c": x5c_of(
                *(each for each in trusted().certificates if _is_of(each, key))
            )
        },
    ]
    return [{"alg": ALGS[kind], **each} for each in named]


@cache
def stranger_chain(kind: str) -> list[str]:
    """Certify a key that is not trusted."""
    return x5c_of(certificate(private_key(kind, "stranger")))


def _is_of(each: Any, key: Any) -> bool:
    return bool(each.public_key() == key.public_key())


@cache
def good_tokens() -> list[str]:
    """Sign a token with each key, named in each way, and with the secret and ours."""
    found = [
        signed(shared_jwk(kind), header)
        for kind in KINDS
        for header in headers_of(kind)
    ]
    found.append(signed(secret_jwk(), {"alg": "HS256", "kid": "secret"}))
    own = private_key("P-256", "own")
    clock = Clock()
    clock.advance(NOW)
    issuer = TokenIssuer(TokenKey(own), ISSUER, SERVICE, clock)
    alice = Identity("alice", "user")
    found.append(issuer.issue(alice, sorted(GRANTS), Allowing()).token)
    return found


good: Final = st.integers(0, 13).map(lambda index: good_tokens()[index])


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str]:
    """Make a good token and something near it."""
    text = draw(good)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 3)))
    middle = draw(st.text(st.sampled_from(ALPHABET), max_size=3))
    return text, text[:start] + middle + text[end:]


@st.composite
def spliced(draw: st.DrawFn) -> str:
    """Join parts of good tokens, and of others."""
    parts = [draw(good).split(".")[index] for index in range(3)]
    other = draw(st.integers(0, 3))
    if other < 3:
        parts[other] = base64url(draw(st.binary(max_size=99)))
    return ".".join(parts)


class AnyTokenTests(SynchronousTestCase):
    """Whatever comes, it holds or fails the login; and only what is good holds."""

    def verify(self, text: str) -> Identity | None:
        """Verify a token twice; return whom it is for, None: it does not hold."""
        verifier = fresh()
        found = [self.try_once(verifier, text) for _ in range(2)]
        self.assertEqual(found[0], found[1])
        return found[0]

    def try_once(self, verifier: TokenVerifier, text: str) -> Identity | None:
        """Verify a token."""
        try:
            return verifier.verify(text)
        except LoginFailed as error:
            self.assertEqual("invalid_token", error.problem)
            return None

    def test_good(self) -> None:
        """Those that the others are made of do hold."""
        self.assertEqual(14, len(good_tokens()))
        for text in good_tokens():
            found = self.verify(text)
            assert found is not None
            self.assertEqual(("alice", GRANTS), (found.name, found.grants))

    @generated
    @given(mutated())
    def test_mutated(self, pair: tuple[str, str]) -> None:
        """What is a bit different from a good token does not hold."""
        before, after = pair
        self.assertEqual(before == after, self.verify(after) is not None)

    @generated
    @given(good, st.integers(0, 8 * 3000), st.integers(0, 2))
    def test_flipped(self, text: str, bit: int, which: int) -> None:
        """No bit of any part can be another one."""
        parts = text.split(".")
        content = bytearray(urlsafe_b64decode(parts[which] + "=="))
        index = bit // 8 % len(content)
        content[index] ^= 1 << bit % 8
        parts[which] = base64url(bytes(content))
        self.assertIsNone(self.verify(".".join(parts)))

    @generated
    @given(spliced())
    def test_spliced(self, text: str) -> None:
        """Parts of different tokens make no token."""
        self.assertEqual(text in good_tokens(), self.verify(text) is not None)

    @generated
    @given(texts | st.text(st.sampled_from(ALPHABET)))
    def test_texts(self, text: str) -> None:
        """No text is a token."""
        self.assertIsNone(self.verify(text))

    @generated
    @given(documents, documents, st.binary(max_size=80))
    def test_documents(self, header: Any, payload: Any, signature: bytes) -> None:
        """No JSON is a token."""
        content = (json.dumps(each).encode() for each in (header, payload))
        parts = (*map(base64url, content), base64url(signature))
        self.assertIsNone(self.verify(".".join(parts)))

    @generated
    @given(changed, kinds)
    def test_claims(self, changes: dict[str, Any], kind: str) -> None:
        """Signed well, it says what it says, or is malformed; nothing else."""
        header, payload = headers_of(kind)[0], claims(**changes)
        found = self.verify(signed(shared_jwk(kind), header, payload))
        if found is not None:
            said = {
                Access(each["type"], each["name"], action)
                for each in payload["access"] or ()
                for action in each.get("actions") or ()
            }
            self.assertEqual((payload["sub"] or None, said), (found.name, found.grants))
            self.assertEqual((ISSUER, "token"), (payload["iss"], found.kind))
            self.assertIn(SERVICE, payload["aud"])

    @generated
    @given(changed, kinds, st.integers(0, 2))
    def test_headers(self, changes: dict[str, Any], kind: str, which: int) -> None:
        """A key that is not trusted does not become so by what a header says."""
        stranger = shared_jwk(kind, "stranger")
        bare = {"alg": ALGS[kind], "jwk": stranger.as_dict(private=False)}
        chain = {**bare, "x5c": stranger_chain(kind)}
        for header in (headers_of(kind)[which], bare, chain):
            for each in (header, {**header, **changes}):
                text = signed(stranger, each, alg=ALGS[kind])
                self.assertIsNone(self.verify(text))

    @generated
    @given(kinds, algs, st.sampled_from(["HS256", "HS384", "HS512"]), st.integers(0, 4))
    def test_confusion(self, kind: str, said: str, done: str, which: int) -> None:
        """What everybody knows of a key is no secret, whatever the header says."""
        known = [
            pem_of(*trusted().certificates),
            json.dumps(shared_jwk(kind).as_dict(private=False)).encode(),
            str(headers_of(kind)[0]["kid"]).encode(),
            b"\0" * 32,
            b"secret",
        ][which]
        for header in headers_of(kind):
            text = signed(OctKey(known, known), {**header, "alg": said}, alg=done)
            self.assertIsNone(self.verify(text))

    @generated
    @given(kinds, algs)
    def test_other_algorithm(self, kind: str, said: str) -> None:
        """A signature counts for the algorithm that it was made by."""
        for header in headers_of(kind):
            key = shared_jwk(kind)
            text = signed(key, {**header, "alg": said}, alg=ALGS[kind])
            self.assertEqual(said == ALGS[kind], self.verify(text) is not None)

    @generated
    @given(kinds, st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 3))
    def test_certificates(self, kind: str, start: int, more: bytes, cut: int) -> None:
        """A certificate near a trusted one is not trusted, its key being the same."""
        (text,) = headers_of(kind)[2]["x5c"]
        der = b64decode(text)
        start %= len(der)
        near = der[:start] + more + der[start + cut :]
        for chain in ([near], [near, der]):
            x5c = [b64encode(each).decode() for each in chain]
            token = signed(shared_jwk(kind), {"alg": ALGS[kind], "x5c": x5c})
            self.assertEqual(near == der, self.verify(token) is not None)

    @generated
    @given(kinds, st.sampled_from(["alg", "kid", "crit"]), documents, st.booleans())
    def test_named_twice(self, kind: str, name: str, value: Any, last: bool) -> None:
        """What says something twice says nothing, even signed well."""
        members = json.dumps({**headers_of(kind)[0], name: value})[1:-1]
        more = f'"{name}": {json.dumps(headers_of(kind)[0].get(name))}'
        both = f"{members}, {more}" if last else f"{more}, {members}"
        text = signed(shared_jwk(kind), f"{{{both}}}".encode(), alg=ALGS[kind])
        self.assertIsNone(self.verify(text))

    def test_huge(self) -> None:
        """What is huge fails like anything else, and fast."""
        header = base64url(b'{"alg":"ES256","kid":"x"}')
        for content in (
            b"[" * 40_000,
            b'{"a":' * 9_000,
            b'{"exp":' + b"9" * 40_000 + b"}",
            b'{"a":"' + b"a" * 40_000 + b'"}',
        ):
            part = base64url(content)
            for text in (f"{header}.{part}.AA", f"{part}.{header}.AA"):
                self.assertIsNone(self.verify(text))
        for length in (LONGEST, LONGEST + 1, 10_000_000):
            for text in ("a" * length, "." * length, "é" * length):
                self.assertIsNone(self.verify(text))
