"""The case under tests of upload sessions."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.unit.web.case import RegistryCase
from txregistry.oci.digest import Digest
from txregistry.testing.wire import Answer

START = "/v2/a/b/blobs/uploads/"
CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)


class UploadCase(RegistryCase):
    """A registry, and short ways to push to it in sessions."""

    def start(self, query: str = "") -> str:
        """Begin a session and return where it goes on."""
        return place(self.ask("POST", START + query, body=b""))

    def append(
        self, location: str, body: bytes, content_range: str | None = None
    ) -> Answer:
        """Send a chunk."""
        headers = {} if content_range is None else {"Content-Range": content_range}
        return self.ask("PATCH", location, headers, body)

    def commit(
        self,
        location: str,
        digest: object = DIGEST,
        body: bytes = b"",
        content_range: str | None = None,
    ) -> Answer:
        """End a session."""
        headers = {} if content_range is None else {"Content-Range": content_range}
        return self.ask("PUT", f"{location}&digest={digest}", headers, body)

    def status(self, location: str) -> Answer:
        """Ask where a session stands, as a client that knows no state."""
        return self.ask("GET", urlsplit(location).path)

    def assert_stands(self, location: str, offset: int) -> str:
        """Check where a session stands; return where it goes on."""
        answer = self.status(location)
        self.assertEqual(204, answer.status)
        self.assertEqual(f"0-{max(offset - 1, 0)}", answer.header("range"))
        return place(answer)

    def assert_gone(self, location: str) -> None:
        """Check that there is no session any more."""
        self.assert_refused(self.status(location), 404, "BLOB_UPLOAD_UNKNOWN")

    def assert_elsewhere(self, answer: Answer, offset: int) -> str:
        """Check that a chunk was out of place; return where the session goes on."""
        self.assert_refused(answer, 416, "RANGE_INVALID")
        self.assertEqual(f"0-{max(offset - 1, 0)}", answer.header("range"))
        return place(answer)

    def assert_pullable(
        self, digest: object = DIGEST, content: bytes = CONTENT
    ) -> None:
        """Check that a blob is there and whole."""
        answer = self.ask("GET", f"/v2/a/b/blobs/{digest}")
        self.assertEqual((200, content), (answer.status, answer.body))


def place(answer: Answer) -> str:
    """Return an answer's Location as it goes over the wire: path and query."""
    parts = urlsplit(answer.header("location"))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def session_of(location: str) -> str:
    """Return the id of a session."""
    return urlsplit(location).path.rpartition("/")[2]


def state_of(location: str) -> str:
    """Return the state in a location."""
    (state,) = parse_qs(urlsplit(location).query)["_state"]
    return state
