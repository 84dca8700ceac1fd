"""Tests of txregistry.auth.token_requests."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated, texts
from txregistry.auth.issuing import IssuedToken
from txregistry.auth.token_requests import (
    GrantInvalid,
    GrantUnsupported,
    Parameters,
    PasswordGrant,
    RefreshGrant,
    TokenRefused,
    TokenRequest,
    parse_form,
    parse_query,
    token_answer,
)
from txregistry.oci.access import Access

PULL = Access("repository", "a/b", "pull")
PUSH = Access("repository", "a/b", "push")

SCOPES = ["repository:a/b:pull,push", "registry:catalog:* repository:c:pull", "bad"]
ACCESSES = (
    PULL,
    PUSH,
    Access("registry", "catalog", "*"),
    Access("repository", "c", "pull"),
)


class QueryTests(SynchronousTestCase):
    """GET requests."""

    def test_docker(self) -> None:
        """A client that logs in says who it is and wants a refresh token."""
        query = {
            "account": ["alice"],
            "client_id": ["docker"],
            "offline_token": ["true"],
            "service": ["r"],
        }
        expected = TokenRequest("r", (), None, True, "alice", "docker")
        self.assertEqual(expected, parse_query(query))

    def test_scopes(self) -> None:
        """Scopes come in several parameters, or in one; bad ones are left out."""
        self.assertEqual(ACCESSES, parse_query({"scope": SCOPES}).accesses)

    def test_nothing(self) -> None:
        """Nothing has to be there; what is empty is not there."""
        for query in ({}, {"service": [""], "account": [""], "scope": [""]}):
            self.assertEqual(TokenRequest(None, ()), parse_query(query))

    def test_offline(self) -> None:
        """A refresh token is wanted by those who say so."""
        for value in ("false", "0", "", "yes"):
            self.assertFalse(parse_query({"offline_token": [value]}).offline)
        self.assertTrue(parse_query({"offline_token": ["1"]}).offline)

    def test_twice(self) -> None:
        """What is there twice has to be the same."""
        self.assertEqual("r", parse_query({"service": ["r", "r"]}).service)
        error = self.assertRaises(TokenRefused, parse_query, {"service": ["r", "s"]})
        self.assertEqual("service is there more than once", error.message)


class FormTests(SynchronousTestCase):
    """POST requests."""

    def test_password(self) -> None:
        """A name and a password may be in the form."""
        form = {
            "grant_type": ["password"],
            "username": ["alice"],
            "password": ["secret"],
            "service": ["r"],
            "client_id": ["containerd"],
            "access_type": ["offline"],
            "scope": [" ".join(SCOPES)],
        }
        grant = PasswordGrant("alice", "secret")
        expected = TokenRequest("r", ACCESSES, grant, True, "alice", "containerd")
        self.assertEqual(expected, parse_form(form))

    def test_refresh_token(self) -> None:
        """Or a refresh token."""
        form = {"grant_type": ["refresh_token"], "refresh_token": ["x"]}
        self.assertEqual(TokenRequest(None, (), RefreshGrant("x")), parse_form(form))

    def assert_refused(self, expected: TokenRefused, form: Parameters) -> None:
        """Assert how a form is refused."""
        error = self.assertRaises(type(expected), parse_form, form)
        self.assertEqual(expected.to_document(), error.to_document())

    def test_missing(self) -> None:
        """What a way to log in needs has to be there."""
        for name, form in (
            ("grant_type", {}),
            ("username", {"grant_type": ["password"], "password": ["x"]}),
            ("password", {"grant_type": ["password"], "username": ["x"]}),
            ("refresh_token", {"grant_type": ["refresh_token"]}),
        ):
            self.assert_refused(TokenRefused(message=f"{name} is missing"), form)

    def test_other_grants(self) -> None:
        """There are no other ways."""
        self.assert_refused(GrantUnsupported(), {"grant_type": ["authorization_code"]})

    def test_masked(self) -> None:
        """The repr does not give away what is secret."""
        for grant in (PasswordGrant("alice", "secret"), RefreshGrant("secret")):
            self.assertNotIn("secret", repr(TokenRequest("r", (), grant)))


class AnswerTests(SynchronousTestCase):
    """What clients are told."""

    def test_token(self) -> None:
        """They are told all that both ways of asking want to know."""
        issued = IssuedToken("a.b.c", 300, 1_800_000_000, (PULL, PUSH))
        expected = {
            "token": "a.b.c",
            "access_token": "a.b.c",
            "token_type": "Bearer",
            "expires_in": 300,
            "issued_at": "2027-01-15T08:00:00Z",
            "scope": "repository:a/b:pull,push",
        }
        self.assertEqual(expected, token_answer(issued, None))
        with_refresh = {**expected, "refresh_token": "x"}
        self.assertEqual(with_refresh, token_answer(issued, "x"))

    def test_refused(self) -> None:
        """Errors are OAuth2's and the registry's in one."""
        expected = {
            "error": "invalid_grant",
            "error_description": "incorrect username or password",
            "errors": [
                {"code": "UNAUTHORIZED", "message": "incorrect username or password"}
            ],
        }
        self.assertEqual(
            (401, expected), (GrantInvalid.status, GrantInvalid().to_document())
        )
        self.assertEqual("unsupported_grant_type", GrantUnsupported.error)
        self.assertEqual("invalid_request", TokenRefused.error)


NAMES = st.sampled_from(
    [
        *("service", "scope", "account", "client_id", "offline_token", "grant_type"),
        *("username", "password", "refresh_token", "access_type"),
    ]
)
VALUES = texts | st.sampled_from(["password", "refresh_token", *SCOPES])


class AnyTests(SynchronousTestCase):
    """Generated requests."""

    @generated
    @given(st.dictionaries(NAMES | texts, st.lists(VALUES, max_size=2)))
    def test_any(self, parameters: Parameters) -> None:
        """Whatever is asked for, it is understood or refused."""
        parsers: list[Callable[[Parameters], TokenRequest]] = [parse_query, parse_form]
        for parse in parsers:
            try:
                parse(parameters)
            except TokenRefused as error:
                self.assertEqual(400, error.status)
