"""Tests of a registry with the token service of its own: ``auth.token.server``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from tests.real import auth_case
from tests.real.clients import SkopeoClient
from tests.real.registries import Registry
from txregistry.auth.editing import remove_user, set_password

SERVICE = "registry.test"


class TokenServerTests(auth_case.AuthCase):
    """Tokens for passwords, and for refresh tokens."""

    def setUp(self) -> None:
        """Start a registry with one user."""
        self.path = self.users()
        server = {
            "key": str(self.folder() / "key.pem"),
            "checker": "htpasswd",
            "htpasswd": {"path": self.path},
        }
        token = {"service": SERVICE, "issuer": "issuer.test", "server": server}
        settings: dict[str, Any] = {"auth": {"token": token}}
        self.under_test: Registry = self.registry(
            None, "txregistry", None, settings, "127.0.0.1"
        )

    def ask(
        self,
        method: str,
        target: str,
        form: Mapping[str, str] | None = None,
        token: str = "",
    ) -> tuple[int, str, Any]:
        """Send a request; return status, challenge and JSON."""
        connection = HTTPConnection("127.0.0.1", self.under_test.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(form)
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            challenge = answer.headers.get("WWW-Authenticate", "")
            return answer.status, challenge, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def grant(self, **fields: str) -> tuple[int, Any]:
        """Ask for a token by POST; return status and JSON."""
        form = {"service": SERVICE, "client_id": "test", **fields}
        status, _, document = self.ask("POST", "/auth/token", form)
        return status, document

    def refresh_token(self) -> str:
        """Log in with the password for a refresh token."""
        status, document = self.grant(
            grant_type="password",
            username=auth_case.USER,
            password=auth_case.PASSWORD,
            access_type="offline",
        )
        self.assertEqual(200, status)
        return str(document["refresh_token"])

    def refresh(self, token: str) -> tuple[int, Any]:
        """Ask for a token that lets push, for a refresh token."""
        return self.grant(
            grant_type="refresh_token",
            refresh_token=token,
            scope="repository:some/name:pull,push",
        )

    def test_challenge(self) -> None:
        """Who shows nothing is told where to get a token."""
        realm = f"http://{self.under_test.address}/auth/token"
        expected = f'Bearer realm="{realm}",service="{SERVICE}"'
        status, challenge, _ = self.ask("GET", "/v2/")
        self.assertEqual((401, expected), (status, challenge))

    def test_refresh(self) -> None:
        """A refresh token gives tokens that the registry takes, for what they say."""
        status, document = self.refresh(self.refresh_token())
        self.assertEqual(200, status)
        self.assertGreaterEqual(document["expires_in"], 60)
        token = document["access_token"]
        uploads = "/v2/{}/blobs/uploads/"
        mine, _, _ = self.ask("POST", uploads.format("some/name"), token=token)
        status, challenge, _ = self.ask("POST", uploads.format("other"), token=token)
        self.assertEqual((202, 401), (mine, status))
        self.assertIn('error="insufficient_scope"', challenge)

    def test_changed(self) -> None:
        """A refresh token is over when the password changes."""
        token = self.refresh_token()
        set_password(self.path, auth_case.USER.encode(), b"another", 4)
        status, document = self.refresh(token)
        self.assertEqual((401, "invalid_grant"), (status, document["error"]))

    def test_removed(self) -> None:
        """A refresh token is over when the user is gone."""
        token = self.refresh_token()
        remove_user(self.path, auth_case.USER.encode())
        self.assertEqual(401, self.refresh(token)[0])

    def test_wrong_password(self) -> None:
        """A wrong password gives no token."""
        status, document = self.grant(
            grant_type="password", username=auth_case.USER, password="wrong"
        )
        self.assertEqual((401, "invalid_grant"), (status, document["error"]))

    def test_client(self) -> None:
        """Skopeo logs in, pushes and pulls; one that has not logged in does neither."""
        client = self.server(SkopeoClient(self.folder(), None))
        image = f"{self.under_test.address}/some/name:1"
        self.assert_refused(client.push, image)
        client.log_in(self.under_test.address, auth_case.USER, auth_case.PASSWORD)
        client.push(image)
        client.pull(image)
        other = self.server(SkopeoClient(self.folder(), None))
        self.assert_refused(other.pull, image)
