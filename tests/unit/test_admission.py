"""Tests of txregistry.admission: what is wrong in ``auth``, and what reaches whom."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry.admission import make_admission
from txregistry.auth.editing import set_password
from txregistry.config import ConfigError, load
from txregistry.lookups import Lookups
from txregistry.testing.wire import Wire
from txregistry.web.app import Frame, make_resource
from txregistry.web.gate import Admitted
from txregistry.web.urls import Urls

_RULES = 'access: {rules: [{who: authenticated, may: "*", on: "**"}]}\n'


class AdmissionTests(SynchronousTestCase):
    """The gate and the token service, as the settings say."""

    def setUp(self) -> None:
        """Write a file with one user."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.users = self.folder / "htpasswd"
        set_password(str(self.users), b"alice", b"sesame", 4)

    def make(self, auth: str, more: str = "") -> Admitted:
        """Join what a configuration says."""
        path = self.folder / "config.yml"
        path.write_text(f"version: 0.1\nstorage: inmemory\nauth: {auth}\n{more}")
        reactor: Any = QuietReactor()
        urls = Urls("/", None, False, lambda _: False)
        return make_admission(load(str(path), {}), reactor, urls)

    def refuse(self, auth: str) -> str:
        """Return what is said of a configuration that cannot be used, less the file."""
        error = self.assertRaises(ConfigError, self.make, auth)
        self.assertEqual(3, error.line)
        return f"{error.key}: {error.problem}"

    def test_realm(self) -> None:
        """A realm that is no text is one line that names it, like any wrong value."""
        for realm in ("5", "[a]", "{a: b}", "''"):
            line = self.refuse(f"{{htpasswd: {{realm: {realm}, path: {self.users}}}}}")
            self.assertEqual("auth.htpasswd.realm: has to be a text", line)

    def test_unknown(self) -> None:
        """An option that nobody knows is refused, whoever would not have read it."""
        for auth, key in (
            ("{silly: {realm: a, service: b, nope: 1}}", "auth.silly.nope"),
            (f"{{htpasswd: {{path: {self.users}, nope: 1}}}}", "auth.htpasswd.nope"),
        ):
            self.assertIn(f"{key}: unknown option", self.refuse(auth))

    def test_logins(self) -> None:
        """Whoever asks can see how often logins were remembered, if any are."""
        htpasswd = f"{{htpasswd: {{realm: a, path: {self.users}}}}}"
        silly = self.make("{silly: {realm: a, service: b}}")
        for admitted in (self.make(htpasswd), self.make(htpasswd, _RULES)):
            self.assertEqual(Lookups(), admitted.logins)
        self.assertIsNone(silly.logins)

    def test_realm_of_tokens(self) -> None:
        """The realm that was configured is what a wrong password is told."""
        auth = f"{{htpasswd: {{realm: 'Our \"own\"', path: {self.users}}}}}"
        admitted = self.make(auth, _RULES)
        wire = Wire(make_resource(admitted.routes, Frame(), admitted.gate))
        wrong = {"Authorization": "Basic " + b64encode(b"alice:wrong").decode()}
        answer = wire.request("GET", "/auth/token", wrong)
        self.assertEqual(401, answer.status)
        challenge = answer.header("www-authenticate")
        self.assertEqual(r'Basic realm="Our \"own\""', challenge)
