"""Fuzz of the Authorization header: nothing breaks, and nothing gets in."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any, Final

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.credentials import BearerToken
from txregistry.auth.issuing import TokenIssuer
from txregistry.auth.keys import TrustedKeys
from txregistry.auth.policy import AllOf, EverybodyPolicy, GrantsPolicy, UsersPolicy
from txregistry.auth.tokenkey import TokenKey
from txregistry.auth.tokens import TokenAuthenticator, TokenVerifier
from txregistry.interfaces import Identity
from txregistry.oci.access import Access
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer
from txregistry.web.gate import Gate

NOW: Final = 1_800_000_000.0
TARGET: Final = "/v2/a/tags/list"
PASSWORD: Final = b"open sesame"

_KEY: Final = TokenKey.make("fuzz", NOW)


def _registry() -> MemoryRegistry:
    """Make a registry with a user, who has a token, too."""
    clock = Clock()
    clock.advance(NOW)
    keys = TrustedKeys().trusting_own(_KEY.public, _KEY.certificates)
    verifier = TokenVerifier(keys, "fuzz", "fuzz", clock)
    users = InMemoryUsernamePasswordDatabaseDontUse(alice=PASSWORD)
    gate = Gate(
        [
            TokenAuthenticator(verifier, "http://registry.test/auth/token", "fuzz"),
            BasicAuthenticator("fuzz", users),
        ],
        AllOf(UsersPolicy(), GrantsPolicy(EverybodyPolicy())),
        BearerToken,
        lambda _request: None,
        lambda _request: "http://registry.test",
        lambda _request: "127.0.0.1",
    )
    pushing = MemoryRegistry(clock=clock)
    pushing.push_image("a", "latest")
    return MemoryRegistry(clock=clock, driver=pushing.driver, gate=gate)


def _good_token() -> str:
    clock = Clock()
    clock.advance(NOW)
    alice = Identity("alice", "user")
    pull = Access("repository", "a", "pull")
    issued = TokenIssuer(_KEY, "fuzz", "fuzz", clock).issue(
        alice, [pull], EverybodyPolicy()
    )
    return issued.token


TOKEN: Final = _good_token()


def _base64url(value: object) -> str:
    text = json.dumps(value).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


# What may stand in a header, as the wire carries it.
_TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")
)
_SCHEMES = st.sampled_from(
    ["Basic", "basic", "BASIC", "Bearer", "bearer", "Digest", "Negotiate", "B", ""]
)
_SPACES = st.sampled_from(["", " ", "  ", "\t", ","])
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=9,
)
_HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["none", "None", "HS256", "ES256", "RS256", "EdDSA"])},
    optional={
        "typ": _JSON,
        "kid": st.just(_KEY.kid) | _JSON,
        "jwk": _JSON,
        "jku": _JSON,
        "x5c": st.lists(st.text(max_size=9), max_size=3) | _JSON,
        "crit": _JSON,
        "b64": _JSON,
    },
)
_CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "iss": st.just("fuzz") | _JSON,
        "aud": st.just("fuzz") | _JSON,
        "exp": st.just(int(NOW) + 300) | _JSON,
        "nbf": _JSON,
        "sub": _JSON,
        "access": _JSON,
        "txregistry": _JSON,
    },
)
_CHARACTERS = st.sampled_from("AQgw-_.=! é")


class AuthorizationFuzz(SynchronousTestCase):
    """A registry that only alice's password or token opens."""

    def setUp(self) -> None:
        """Make the registry."""
        self.registry = _registry()

    def ask(self, value: str) -> Answer:
        """Send a header; its text is Latin-1 on the wire."""
        wire = self.registry.connect()
        lines = f"GET {TARGET} HTTP/1.1\r\nHost: a\r\nAuthorization: {value}\r\n\r\n"
        wire.send(lines.encode("latin-1"))
        return wire.answer()

    def assert_refused(self, value: str) -> None:
        """Check that a header does not get in, and that its answer is well-formed."""
        answer = self.ask(value)
        self.assertEqual(401, answer.status, value)
        self.assertTrue(answer.header("www-authenticate").startswith("Bearer realm="))
        self.assertEqual("UNAUTHORIZED", json.loads(answer.body)["errors"][0]["code"])

    def test_good(self) -> None:
        """What is good gets in; else the rest would show nothing."""
        password = b64encode(b"alice:" + PASSWORD).decode()
        for value in (f"Basic {password}", f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
            self.assertEqual(200, self.ask(value).status)

    @given(_SCHEMES, _SPACES, _TEXTS)
    @settings(deadline=None)
    @example("Basic", " ", "YWxpY2U=")  # no colon
    @example("Basic", " ", "OjpvcGVuIHNlc2FtZQ==")  # no name
    @example("Basic", " ", "YWxpY2U6")  # no password
    @example("Basic", " ", "YWxpY2U6b3BlbiBzZXNhbWU")  # no padding
    @example("Basic", " ", "/////w==")  # not UTF-8
    @example("Bearer", " ", "..")
    @example("Bearer", " ", "e30.e30.")
    @example("", "", "")
    def test_any_text(self, scheme: str, space: str, rest: str) -> None:
        """Whatever stands in the header is refused."""
        self.assert_refused(f"{scheme}{space}{rest}")

    @given(st.binary())
    @settings(deadline=None)
    def test_any_password(self, content: bytes) -> None:
        """Whatever is encoded as a name and a password is refused."""
        self.assert_refused(f"Basic {b64encode(content).decode()}")

    @given(_HEADERS, _CLAIMS | _JSON, st.binary(max_size=70))
    @settings(deadline=None)
    def test_any_token(self, header: Any, claims: Any, signature: bytes) -> None:
        """Whatever is put together as a token is refused."""
        last = urlsafe_b64encode(signature).rstrip(b"=").decode()
        self.assert_refused(f"Bearer {_base64url(header)}.{_base64url(claims)}.{last}")

    @given(
        st.integers(0, len(TOKEN) - 1), st.sampled_from("AQgw-_.=! é"), st.booleans()
    )
    @settings(deadline=None, max_examples=100)
    def test_changed_token(self, place: int, character: str, inserted: bool) -> None:
        """A token with one character changed, or one more, is refused."""
        rest = TOKEN[place if inserted else place + 1 :]
        changed = TOKEN[:place] + character + rest
        if changed.strip() != TOKEN:
            self.assert_refused(f"Bearer {changed}")

    @given(_HEADERS, _CLAIMS)
    @settings(deadline=None)
    def test_borrowed_signature(self, header: Any, claims: Any) -> None:
        """The signature of a good token is not good for another header or payload."""
        first, second, signature = TOKEN.split(".")
        for one, two in ((_base64url(header), second), (first, _base64url(claims))):
            self.assert_refused(f"Bearer {one}.{two}.{signature}")

    def test_two_headers(self) -> None:
        """Of two headers neither counts."""
        password = f"Basic {b64encode(b'alice:' + PASSWORD).decode()}"
        answer = self.ask(f"{password}\r\nAuthorization: {password}")
        self.assertEqual(400, answer.status)
