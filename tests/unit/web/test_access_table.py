"""Tests of the access table: every endpoint, and who may use it."""

from __future__ import annotations

import inspect
import json
import pkgutil
from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.trial.unittest import SynchronousTestCase

from txregistry.auth.basic import BasicAuthenticator
from txregistry.auth.credentials import BearerToken
from txregistry.auth.rules import RulesPolicy, parse_rules
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.mediatypes import OCI_MANIFEST
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer, Wire
from txregistry.web import routes
from txregistry.web.app import Frame, make_resource
from txregistry.web.gate import Gate
from txregistry.web.routes.base import NotYetRoutes
from txregistry.web.routes.token import TokenRoutes

ROLES: Final = ("anonymous", "reader", "writer", "deleter", "admin")
EVERYBODY: Final = "anonymous reader writer deleter admin stranger"
KNOWN: Final = "reader writer deleter admin stranger"
READERS: Final = "reader writer deleter admin"

BLOB: Final = "/v2/<loose:name>/blobs/<digest>"
MANIFEST: Final = "/v2/<loose:name>/manifests/<tag_or_digest>"
UPLOADS: Final = "/v2/<loose:name>/blobs/uploads"
UPLOAD: Final = "/v2/<loose:name>/blobs/uploads/<session_id>"

TABLE: Final = {
    # The endpoint, who may use it, and what they are answered.
    ("GET", "/"): (EVERYBODY, 200),
    ("GET", "/v2/"): (KNOWN, 200),
    ("GET", "/v2"): (KNOWN, 200),
    ("GET", BLOB): (READERS, 200),
    ("DELETE", BLOB): ("deleter admin", 202),
    ("GET", MANIFEST): (READERS, 200),
    ("PUT", MANIFEST): ("writer admin", 201),
    ("DELETE", MANIFEST): ("deleter admin", 202),
    ("POST", f"{UPLOADS}/"): ("writer admin", 202),
    ("POST", UPLOADS): ("writer admin", 202),
    ("GET", UPLOAD): (READERS, 204),
    ("PATCH", UPLOAD): ("writer admin", 202),
    ("PUT", UPLOAD): ("writer admin", 201),
    # The Go registry asks for the right to delete: then who may only push cannot
    # take back what it has begun.
    ("DELETE", UPLOAD): ("writer admin", 204),
    ("GET", "/v2/<loose:name>/tags/list"): (READERS, 200),
    ("GET", "/v2/<loose:name>/referrers/<digest>"): (READERS, 200),
    ("GET", "/v2/_catalog"): ("reader admin", 200),
    ("GET", "/auth/token"): (EVERYBODY, 200),
    ("POST", "/auth/token"): (EVERYBODY, 200),
}

RULES: Final = parse_rules(
    [
        {"who": "user:admin", "may": "*", "on": "**"},
        {"who": "user:reader", "may": ["pull", "catalog"], "on": "team/**"},
        {"who": "user:writer", "may": ["pull", "push"], "on": "team/**"},
        {"who": "user:deleter", "may": ["pull", "delete"], "on": "team/**"},
    ]
)

NAME, SECRET, MISSING = "team/app", "secret/a", "secret/b"
CONTENT = b"a layer"
DIGEST = Digest.of(CONTENT)


def _nowhere(_request: object) -> str:
    """Return the address of each client."""
    return "127.0.0.1"


class _AnyToken:
    """A token service that gives everybody the same."""

    async def get(
        self, credentials: object, address: str, query: Mapping[str, Sequence[str]]
    ) -> JSON:
        """See TokenService."""
        return {}

    async def post(self, address: str, form: Mapping[str, Sequence[str]]) -> JSON:
        """See TokenService."""
        return {}


class TableCase(SynchronousTestCase):
    """A registry with users, rules and two repositories, one of them secret."""

    def setUp(self) -> None:
        """Push to the repositories."""
        self.open = MemoryRegistry()
        for name in (NAME, SECRET):
            self.manifest = self.open.push_image(name, "latest", CONTENT)
        users = InMemoryUsernamePasswordDatabaseDontUse(
            **dict.fromkeys((*ROLES[1:], "stranger"), b"sesame")
        )
        self.gate = Gate(
            [BasicAuthenticator("registry", users)],
            RulesPolicy(lambda: RULES),
            BearerToken,
            lambda _request: None,
            lambda _request: "http://registry.test",
            _nowhere,
        )
        self.token = TokenRoutes(_AnyToken(), "/auth/token", "registry", _nowhere)
        self.all_routes = [*self.open.routes, self.token]
        self.resource = make_resource(self.all_routes, Frame(), self.gate)

    def ask(
        self,
        role: str,
        method: str,
        target: str,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> Answer:
        """Send a request as somebody."""
        headers = {"Accept": OCI_MANIFEST}
        if role != "anonymous":
            shown = b64encode(f"{role}:sesame".encode()).decode()
            headers["Authorization"] = f"Basic {shown}"
        if content_type is not None:
            headers["Content-Type"] = content_type
        wire = Wire(self.resource, clock=self.open.clock)
        return wire.request(method, target, headers, body)

    def use(self, role: str, method: str, path: str, name: str = NAME) -> Answer:
        """Use an endpoint as somebody, in a way that is good if it is allowed."""
        digest = self.manifest if "referrers" in path else DIGEST
        parts = {"<loose:name>": name, "<digest>": digest, "<tag_or_digest>": "latest"}
        for part, value in parts.items():
            path = path.replace(part, str(value))
        body, content_type = _BODIES.get(method, (None, None))
        if "<session_id>" in path:
            path = self._begin_upload(name)
            path += f"&digest={DIGEST}" if method == "PUT" else ""
        elif method == "PUT":
            body = self.open.request("GET", path, {"Accept": OCI_MANIFEST}).body
            content_type = OCI_MANIFEST
        elif path == "/auth/token" and method == "POST":
            content_type = "application/x-www-form-urlencoded"
        return self.ask(role, method, path, body, content_type)

    def _begin_upload(self, name: str) -> str:
        started = self.open.request("POST", f"/v2/{name}/blobs/uploads/", body=b"")
        return started.header("location").removeprefix("http://registry.test")


_BODIES: Final[Mapping[str, tuple[bytes, str | None]]] = {
    "POST": (b"", None),
    "PUT": (CONTENT, "application/octet-stream"),
    "PATCH": (CONTENT, "application/octet-stream"),
}


class TableTests(TableCase):
    """The table holds."""

    def test_complete(self) -> None:
        """Each endpoint has a row, and each row an endpoint."""
        endpoints = {
            (endpoint.method, endpoint.path)
            for each in self.all_routes
            for endpoint in each.endpoints()
        }
        self.assertEqual(set(TABLE), endpoints)

    def test_all_routes(self) -> None:
        """All the classes with endpoints that there are were looked at."""
        found = {
            kind
            for module in pkgutil.iter_modules(routes.__path__, f"{routes.__name__}.")
            for _, kind in inspect.getmembers(
                import_module(module.name), inspect.isclass
            )
            if kind.__module__ == module.name and hasattr(kind, "endpoints")
        }
        self.assertEqual(found, {*map(type, self.all_routes), NotYetRoutes})

    def test_walk(self) -> None:
        """Who may use an endpoint is served; nobody is 401, somebody else 403."""
        expected, found = {}, {}
        for (method, path), (allowed, status) in TABLE.items():
            for role in (*ROLES, "stranger"):
                if method != "GET":
                    self.setUp()  # for somebody before may have been served
                refused = 401 if role == "anonymous" else 403
                row = method, path, role
                expected[row] = status if role in allowed.split() else refused
                found[row] = self.use(role, method, path).status
        self.assertEqual(expected, found)

    def test_head(self) -> None:
        """HEAD is answered as GET is."""
        for method, path in TABLE:
            for role in ROLES if method == "GET" else ():
                get, head = (self.use(role, each, path) for each in ("GET", "HEAD"))
                self.assertEqual(get.status, head.status, (path, role))


class SecrecyTests(TableCase):
    """What one may not pull from is as if it were not there."""

    def test_existence(self) -> None:
        """A repository that is there and one that is not give the same answers."""
        used = [key for key in TABLE if "<loose:name>" in key[1]]
        for role in ("anonymous", "stranger", "reader", "deleter"):
            for method, path in used:
                there, away = (
                    self._described(role, method, path, name)
                    for name in (SECRET, MISSING)
                )
                self.assertEqual(there, away, (role, method, path))

    def _described(self, role: str, method: str, path: str, name: str) -> str:
        answer = self.use(role, method, path, name)
        self.assertIn(answer.status, (401, 403))
        headers = {key: value for key, value in answer.headers.items() if key != "date"}
        return f"{answer.status} {headers} {answer.body!r}".replace(name, "NAME")

    def test_catalog(self) -> None:
        """The catalog shows what one may pull from."""
        shown = {}
        for role in ("reader", "admin"):
            answer = self.ask(role, "GET", "/v2/_catalog")
            shown[role] = json.loads(answer.body)["repositories"]
        self.assertEqual({"reader": [NAME], "admin": [SECRET, NAME]}, shown)


class MountTests(TableCase):
    """Blobs are mounted from where one may pull from."""

    def mount(self, role: str, digest: Digest, query: str = "") -> int:
        """Mount a blob into a repository of the team's; return the status."""
        target = f"/v2/team/other/blobs/uploads/?mount={digest}{query}"
        return self.ask(role, "POST", target, b"").status

    def test_from(self) -> None:
        """From elsewhere it becomes an upload, without a word."""
        self.assertEqual(201, self.mount("writer", DIGEST, f"&from={NAME}"))
        self.assertEqual(202, self.mount("writer", DIGEST, f"&from={SECRET}"))
        self.assertEqual(201, self.mount("admin", DIGEST, f"&from={SECRET}"))

    def test_from_missing(self) -> None:
        """From a repository that is not there it does, too."""
        self.assertEqual(202, self.mount("writer", DIGEST, f"&from={MISSING}"))

    def test_any(self) -> None:
        """Without ``from``, what only a secret repository has is not found."""
        secret = self.open.push_blob(SECRET, b"secret")
        self.assertEqual(201, self.mount("writer", DIGEST))
        self.assertEqual(202, self.mount("writer", secret))
        self.assertEqual(201, self.mount("admin", secret))
