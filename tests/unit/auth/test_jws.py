"""Tests of txregistry.auth.jws."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.signing import (
    base64url,
    claims,
    jwk,
    key_for,
    private_key,
    signed,
)
from txregistry.auth.jws import ALGORITHMS, LONGEST, BadToken, SignedToken, sign

PAYLOAD = base64url(b"{}")


def compact(header: bytes | str, payload: str = PAYLOAD, signature: str = "AA") -> str:
    """Join a token of these parts; the header is encoded if it is bytes."""
    first = base64url(header) if isinstance(header, bytes) else header
    return f"{first}.{payload}.{signature}"


class ParseTests(SynchronousTestCase):
    """Tokens taken apart."""

    def assert_bad(self, why: str, text: str) -> None:
        """Assert that a token is malformed."""
        error = self.assertRaises(BadToken, SignedToken.parse, text)
        self.assertEqual(why, str(error))

    def test_parts(self) -> None:
        """Header and claims are there to look at."""
        token = SignedToken.parse(compact(b'{"alg": "ES256"}', base64url(b'{"a": 1}')))
        self.assertEqual(({"alg": "ES256"}, {"a": 1}), (token.header, token.claims))

    def test_shape(self) -> None:
        """Three parts in base64url, none empty, without padding, and nothing else."""
        for text in (
            *("", "a", "a.b", "a.b.c.d", "..", "a..c", "a.b.", ".b.c"),
            *("a=.b.c", "a.b.c=", "a.b.c\n", " a.b.c", "a+.b.c", "a/.b.c", "ä.b.c"),
            *("a.b.c\u0661", '{"payload": "a"}'),
        ):
            self.assert_bad("not a compact JWS", text)

    def test_one_text(self) -> None:
        """Bits that stand for nothing are zero, so no other text is the same token."""
        header = base64url(b'{"alg": "ES256"}')
        for part in ("A", "AB", "AAB", "AAAAA"):
            self.assert_bad("not base64url", compact(header, signature=part))
            self.assert_bad("not base64url", compact(header, part))
            self.assert_bad("not base64url", compact(part))

    def test_json(self) -> None:
        """Header and payload are JSON objects in UTF-8."""
        header = base64url(b'{"alg": "ES256"}')
        for content in (b"x", b"{", b"\xff", b'{"a": 01}', b"[" * 30_000, b"1" * 5000):
            self.assert_bad("not JSON", compact(content))
            self.assert_bad("not JSON", compact(header, base64url(content)))
        for content in (b"[]", b"1", b'"a"', b"null"):
            self.assert_bad("not a JSON object", compact(content))
            self.assert_bad("not a JSON object", compact(header, base64url(content)))
        self.assert_bad("NaN is not JSON", compact(header, base64url(b'{"exp": NaN}')))

    def test_named_twice(self) -> None:
        """No member is there twice, at any depth."""
        header = base64url(b'{"alg": "ES256"}')
        self.assert_bad("a member is named twice", compact(b'{"alg": "a", "alg": "b"}'))
        nested = base64url(b'{"a": [{"b": 1, "\\u0062": 2}]}')
        self.assert_bad("a member is named twice", compact(header, nested))

    def test_alg(self) -> None:
        """The header says how it is signed."""
        for header in (b"{}", b'{"alg": null}', b'{"alg": ["ES256"]}'):
            self.assert_bad("has no alg", compact(header))

    def test_critical(self) -> None:
        """What has to be understood, and is not, spoils the token (RFC 7515, 4.1.11).

        Also an empty list, and the extension that leaves the payload as it is.
        """
        for member in ('"crit": ["exp"]', '"crit": []', '"b64": false', '"b64": true'):
            header = f'{{"alg": "ES256", {member}}}'.encode()
            self.assert_bad("has critical extensions", compact(header))

    def test_long(self) -> None:
        """A token beyond all bounds is not looked at."""
        self.assert_bad("too long", "a" * (LONGEST + 1))


class VerifyTests(SynchronousTestCase):
    """Signatures."""

    def assert_bad(self, token: str, key: object, *algorithms: str) -> None:
        """Assert that a signature does not hold."""
        parsed = SignedToken.parse(token)
        self.assertRaises(BadToken, parsed.verify, key, algorithms or ALGORITHMS)

    def test_algorithms(self) -> None:
        """Each algorithm goes with a key of its kind."""
        for alg in sorted(ALGORITHMS):
            key = key_for(alg)
            SignedToken.parse(signed(key, {"alg": alg})).verify(key, ALGORITHMS)

    def test_other_kinds(self) -> None:
        """No algorithm goes with a key of another kind, or on another curve.

        Least of all an HMAC whose secret is what everybody knows: a public key.
        """
        for alg in sorted(ALGORITHMS):
            token = signed(key_for(alg), {"alg": alg})
            for other in sorted(ALGORITHMS):
                if key_for(other) is not key_for(alg):
                    self.assert_bad(token, key_for(other))

    def test_allowed(self) -> None:
        """What is not on the list does not count, right as it may be."""
        token = signed(key_for("RS256"), {"alg": "RS256"})
        self.assert_bad(token, key_for("RS256"), "PS256", "ES256")

    def test_none(self) -> None:
        """There is no such algorithm as none, in any spelling or list."""
        for alg in ("none", "None", "NONE", "nOnE", ""):
            header = base64url(json.dumps({"alg": alg}).encode())
            for signature in ("AA", "-A"):
                self.assert_bad(
                    f"{header}.{PAYLOAD}.{signature}", key_for("ES256"), "none", "ES256"
                )

    def test_tampered(self) -> None:
        """A signature is for one header and one payload."""
        key = key_for("ES256")
        first, _, third = signed(key, {"alg": "ES256"}).split(".")
        payload = base64url(json.dumps(claims(sub="root")).encode())
        self.assert_bad(f"{first}.{payload}.{third}", key)
        header = base64url(b'{"alg":"ES256","typ":"JWT"}')
        self.assert_bad(f"{header}.{PAYLOAD}.{third}", key)

    def test_empty_signature(self) -> None:
        """A signature of nothing, of zeros, or of another length does not hold."""
        header = base64url(b'{"alg":"ES256"}')
        for content in (b"\0", b"\0" * 64, b"\0" * 63, b"\xff" * 64, b"\x30" * 72):
            self.assert_bad(
                compact(header, signature=base64url(content)), key_for("ES256")
            )

    def test_intended(self) -> None:
        """A key that says what it is for is for that alone."""
        key = jwk(private_key("RSA"), alg="RS512", use="sig")
        token = signed(key_for("RS256"), {"alg": "RS256"})
        self.assert_bad(token, key)
        self.assert_bad(token, jwk(private_key("RSA"), use="enc"))

    def test_unknown_members(self) -> None:
        """What we do not know of a header does not matter (RFC 7515, 4)."""
        token = signed(key_for("ES256"), {"alg": "ES256", "x": 1, "typ": 3, "jku": "x"})
        SignedToken.parse(token).verify(key_for("ES256"), ALGORITHMS)


class SignTests(SynchronousTestCase):
    """Tokens of our own."""

    def test_sign(self) -> None:
        """What is signed can be read and verified."""
        token = sign({"alg": "EdDSA", "typ": "JWT"}, {"a": "ä"}, key_for("EdDSA"))
        parsed = SignedToken.parse(token)
        parsed.verify(key_for("EdDSA"), ["EdDSA"])
        self.assertEqual({"a": "ä"}, parsed.claims)
