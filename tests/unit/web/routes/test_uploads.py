"""Tests of txregistry.web.routes.uploads: begin, mount, ask, end, cancel."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from tests.unit.web.routes.upload_case import (
    CONTENT,
    DIGEST,
    START,
    UploadCase,
    place,
    session_of,
    state_of,
)
from txregistry.interfaces import StorageError
from txregistry.oci.digest import Digest
from txregistry.oci.names import Name
from txregistry.registry import links
from txregistry.registry.layout import REPOSITORIES, RepositoryLayout
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import nth, on
from txregistry.testing.registry import MemoryRegistry

OTHER = Digest.of(b"other")
NOWHERE = f"{START}00000000-0000-4000-8000-000000000000"


class StartTests(UploadCase):
    """end-4a, end-4c: POST."""

    def test_start(self) -> None:
        """A session begins with a location of its own and no bytes."""
        answer = self.ask("POST", START, body=b"")
        self.assertEqual((202, b""), (answer.status, answer.body))
        session_id = answer.header("docker-upload-uuid")
        location = urlsplit(answer.header("location"))
        self.assertEqual(START + session_id, location.path)
        self.assertEqual(
            "http://registry.test", f"{location.scheme}://{location.netloc}"
        )
        self.assertEqual("0-0", answer.header("range"))
        self.assertEqual("0", answer.header("content-length"))

    def test_without_slash(self) -> None:
        """It begins without the last slash too."""
        self.assertEqual(202, self.ask("POST", START[:-1], body=b"").status)

    def test_own(self) -> None:
        """Each session is another."""
        self.assertNotEqual(session_of(self.start()), session_of(self.start()))

    def test_body(self) -> None:
        """A body that comes without a digest is not taken."""
        answer = self.ask("POST", START, body=CONTENT)
        self.assertEqual(202, answer.status)
        self.assert_stands(place(answer), 0)

    def test_algorithm(self) -> None:
        """A client can say of which algorithm the digest will be."""
        for algorithm in ("sha256", "sha384", "sha512"):
            location = self.start(f"?digest-algorithm={algorithm}")
            location = place(self.append(location, CONTENT))
            digest = Digest.of(CONTENT, algorithm)
            self.assertEqual(201, self.commit(location, digest).status)
            self.assert_pullable(digest)

    def test_algorithm_not_said(self) -> None:
        """A client that has not said it may use another algorithm all the same."""
        location = place(self.append(self.start(), CONTENT))
        digest = Digest.of(CONTENT, "sha512")
        self.assertEqual(201, self.commit(location, digest).status)
        self.assert_pullable(digest)

    def test_algorithm_changed(self) -> None:
        """A client may use another algorithm than it has said."""
        location = place(self.append(self.start("?digest-algorithm=sha512"), CONTENT))
        self.assertEqual(201, self.commit(location).status)

    def test_unknown_algorithm(self) -> None:
        """An algorithm that is not supported is DIGEST_INVALID."""
        target = f"{START}?digest-algorithm=md5"
        self.assertEqual((400, "DIGEST_INVALID"), self.refused("POST", target))

    def test_bad_name(self) -> None:
        """What is no name is refused before anything is made."""
        for name in ("A", "a/", "a//b", "-a", "a/..", "a" * 256):
            target = f"/v2/{name}/blobs/uploads/"
            self.assertEqual((400, "NAME_INVALID"), self.refused("POST", target), name)
        listing = self.registry.driver.list_children("/")
        self.assertEqual([], self.successResultOf(listing))

    def test_longest_name(self) -> None:
        """A name of 255 characters is a name."""
        target = f"/v2/{'a' * 255}/blobs/uploads/"
        self.assertEqual(202, self.ask("POST", target).status)

    def test_store_fails(self) -> None:
        """A store that fails is a 503 that does not say why; the log does."""
        faulty = FaultyDriver(self.registry.driver)
        faulty.fail(on("close"), StorageError("the disk in rack 7"))
        self.registry = MemoryRegistry(driver=faulty)
        location = self.start()
        with capturedLogs() as events:
            answer = self.append(location, CONTENT)
        self.assert_refused(answer, 503, "UNAVAILABLE")
        self.assertNotIn(b"rack", answer.body)
        lines = [formatEvent(event) for event in events]
        path = urlsplit(location).path
        self.assertIn(f"PATCH {path}: the disk in rack 7", lines)


class SinglePostTests(UploadCase):
    """end-4b: POST with the digest and all the bytes."""

    def test_whole(self) -> None:
        """A blob can be pushed in one request."""
        answer = self.ask("POST", f"{START}?digest={DIGEST}", body=CONTENT)
        self.assertEqual((201, b""), (answer.status, answer.body))
        self.assertEqual(f"/v2/a/b/blobs/{DIGEST}", place(answer))
        self.assertEqual(str(DIGEST), answer.header("docker-content-digest"))
        self.assertNotIn("docker-upload-uuid", answer.headers)
        self.assert_pullable()

    def test_chunked(self) -> None:
        """Its body may be chunked."""
        target = f"{START}?digest={DIGEST}"
        answer = self.ask_chunked("POST", target, [CONTENT[:3], CONTENT[3:]])
        self.assertEqual(201, answer.status)
        self.assert_pullable()

    def test_sha512(self) -> None:
        """Its digest may be of another algorithm."""
        self.assert_pullable(self.registry.push_blob("a/b", CONTENT, "sha512"))

    def test_no_body(self) -> None:
        """Without a body it is a blob of no bytes."""
        digest = Digest.of(b"")
        self.assertEqual(201, self.ask("POST", f"{START}?digest={digest}").status)
        self.assert_pullable(digest, b"")

    def test_mismatch(self) -> None:
        """Bytes of another digest are refused, and no session is left."""
        answer = self.ask("POST", f"{START}?digest={OTHER}", body=CONTENT)
        error = self.assert_refused(answer, 400, "DIGEST_INVALID")
        self.assertEqual(
            {"provided": str(OTHER), "computed": str(DIGEST)}, error["detail"]
        )
        self.assert_nothing_left()

    def test_bad_digest(self) -> None:
        """What is no digest is refused before the body is read."""
        target = f"{START}?digest=sha256:1"
        self.assertEqual((400, "DIGEST_INVALID"), self.refused("POST", target))

    def test_client_leaves(self) -> None:
        """If the client leaves, no session is left that nobody knows of."""
        wire = self.registry.connect()
        wire.send(
            f"POST {START}?digest={DIGEST} HTTP/1.1\r\nHost: a\r\n"
            "Content-Length: 10\r\n\r\n0123".encode()
        )
        wire.hang_up()
        self.assert_nothing_left()

    def test_store_fails(self) -> None:
        """If the store fails in the middle, no session is left."""
        faulty = FaultyDriver(self.registry.driver)
        self.registry = MemoryRegistry(driver=faulty)
        faulty.fail(nth(3, {"write"}))  # two go into making the session
        answer = self.ask_chunked("POST", f"{START}?digest={DIGEST}", [CONTENT])
        self.assertEqual(503, answer.status)
        self.assert_nothing_left()
        faulty.fail(on("put_content"))
        answer = self.ask("POST", f"{START}?digest={DIGEST}", body=CONTENT)
        self.assertEqual(503, answer.status)
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        """Check that no repository is in the store, nor a part of one."""
        listing = self.registry.driver.list_children("/")
        self.assertEqual([], self.successResultOf(listing))


class MountTests(UploadCase):
    """end-11: POST with ``mount``."""

    def mount(self, query: str) -> int:
        """Ask for a mount into ``a/b``; return the status."""
        return self.ask("POST", f"{START}?mount={DIGEST}{query}", body=b"").status

    def test_from(self) -> None:
        """A blob that another repository holds is taken over at once."""
        self.registry.push_blob("other", CONTENT)
        answer = self.ask("POST", f"{START}?mount={DIGEST}&from=other", body=b"")
        self.assertEqual((201, b""), (answer.status, answer.body))
        self.assertEqual(f"/v2/a/b/blobs/{DIGEST}", place(answer))
        self.assertEqual(str(DIGEST), answer.header("docker-content-digest"))
        self.assertNotIn("docker-upload-uuid", answer.headers)
        self.assert_pullable()

    def test_source_deleted(self) -> None:
        """What was taken over stays when the other repository deletes it."""
        self.registry.push_blob("other", CONTENT)
        self.mount("&from=other")
        self.ask("DELETE", f"/v2/other/blobs/{DIGEST}")
        self.assert_pullable()

    def test_from_without(self) -> None:
        """A repository that does not hold it gives nothing: a session begins."""
        self.registry.push_blob("third", CONTENT)
        answer = self.ask("POST", f"{START}?mount={DIGEST}&from=other", body=b"")
        self.assertEqual(202, answer.status)
        self.assertEqual(201, self.commit(place(answer), DIGEST, CONTENT).status)

    def test_any(self) -> None:
        """Without ``from`` it is taken from wherever it is."""
        self.registry.push_blob("other", CONTENT)
        self.assertEqual(201, self.mount(""))
        self.assert_pullable()

    def test_nowhere(self) -> None:
        """Without ``from``, and nowhere to be found, a session begins."""
        self.assertEqual(202, self.mount(""))

    def test_itself(self) -> None:
        """A blob can be mounted from where it is."""
        self.registry.push_blob("a/b", CONTENT)
        self.assertEqual(201, self.mount("&from=a/b"))
        self.assert_pullable()

    def test_bad_from(self) -> None:
        """From what is no repository nothing can be had: a session begins."""
        self.registry.push_blob("other", CONTENT)
        self.assertEqual(202, self.mount("&from=OTHER"))

    def test_bad_digest(self) -> None:
        """What is no digest is nowhere: a session begins."""
        target = f"{START}?mount=sha256:1&from=other"
        self.assertEqual(202, self.ask("POST", target, body=b"").status)

    def test_with_digest(self) -> None:
        """A mount that does not come off is no push in one request."""
        target = f"{START}?mount={DIGEST}&from=other&digest={DIGEST}"
        self.assertEqual(202, self.ask("POST", target, body=b"").status)

    def test_go_alias(self) -> None:
        """A blob that the Go registry knows by two digests can be mounted by either."""
        self.registry.push_blob("other", CONTENT)
        alias = Digest.of(CONTENT, "sha512")
        path = RepositoryLayout(Name("other")).layer_link(alias)
        writing = links.write(self.registry.driver, path, DIGEST)
        self.successResultOf(Deferred.fromCoroutine(writing))
        target = f"{START}?mount={alias}&from=other"
        self.assertEqual(201, self.ask("POST", target, body=b"").status)
        self.assert_pullable(alias)


class StatusTests(UploadCase):
    """end-13: GET."""

    def test_status(self) -> None:
        """A session says where it stands and goes on, to a client without a state."""
        location = place(self.append(self.start(), CONTENT[:4]))
        answer = self.status(location)
        self.assertEqual((204, b""), (answer.status, answer.body))
        self.assertEqual("0-3", answer.header("range"))
        self.assertEqual(session_of(location), answer.header("docker-upload-uuid"))
        self.assertEqual(202, self.append(place(answer), CONTENT[4:]).status)

    def test_head(self) -> None:
        """HEAD says the same."""
        location = place(self.append(self.start(), CONTENT[:4]))
        answer = self.ask("HEAD", urlsplit(location).path)
        self.assertEqual((204, "0-3"), (answer.status, answer.header("range")))

    def test_unknown(self) -> None:
        """A session that is not there is unknown."""
        self.assertEqual((404, "BLOB_UPLOAD_UNKNOWN"), self.refused("GET", NOWHERE))

    def test_no_session_id(self) -> None:
        """What no registry has handed out is unknown, whatever it looks like."""
        for text in ("1", "..", "%2e%2e", "a" * 1000, str(DIGEST), "_", "%20"):
            refused = self.refused("GET", START + text)
            self.assertEqual((404, "BLOB_UPLOAD_UNKNOWN"), refused, text)

    def test_other_repository(self) -> None:
        """A session is its own repository's."""
        target = f"/v2/a/blobs/uploads/{session_of(self.start())}"
        self.assertEqual((404, "BLOB_UPLOAD_UNKNOWN"), self.refused("GET", target))

    def test_started_at_lost(self) -> None:
        """A session goes on without its time of beginning."""
        location = place(self.append(self.start(), b""))
        folder = f"{REPOSITORIES}/a/b/_uploads/{session_of(location)}"
        self.successResultOf(self.registry.driver.delete(f"{folder}/startedat"))
        location = self.assert_stands(location, 0)
        self.assertEqual(201, self.commit(location, DIGEST, CONTENT).status)

    def test_started_at_of_go(self) -> None:
        """A session's time of beginning may be written as the Go registry does."""
        location = place(self.append(self.start(), b""))
        folder = f"{REPOSITORIES}/a/b/_uploads/{session_of(location)}"
        for text in (b"2024-01-02T03:04:05Z", b"2024-01-02", b"\xff", b""):
            writing = self.registry.driver.put_content(f"{folder}/startedat", text)
            self.successResultOf(writing)
            self.assert_stands(location, 0)


class StateTests(UploadCase):
    """The state in push locations."""

    def setUp(self) -> None:
        """Begin a session."""
        super().setUp()
        self.location = self.start()

    def refusals(self, location: str) -> set[tuple[int, str]]:
        """Try all that needs a state; return how it is refused."""
        return {
            self.refused("PATCH", location, body=CONTENT),
            self.refused("PUT", f"{location}&digest={DIGEST}", body=CONTENT),
            self.refused("DELETE", location),
        }

    def test_missing(self) -> None:
        """Without a state nothing but the status can be had."""
        location = urlsplit(self.location).path + "?"
        self.assertEqual({(404, "BLOB_UPLOAD_INVALID")}, self.refusals(location))
        self.assert_stands(self.location, 0)

    def test_forged(self) -> None:
        """A state that nobody signed is refused."""
        state = state_of(self.location)
        other = ("B" if state[0] == "A" else "A") + state[1:]
        for forged in (state[1:], other, "", "%ff", "=", "é", state * 20):
            location = f"{urlsplit(self.location).path}?_state={quote(forged)}"
            self.assertEqual({(404, "BLOB_UPLOAD_INVALID")}, self.refusals(location))

    def test_foreign(self) -> None:
        """A state that somebody with another secret signed is refused."""
        self.registry = MemoryRegistry(driver=self.registry.driver, secret=b"other")
        self.assertEqual({(404, "BLOB_UPLOAD_INVALID")}, self.refusals(self.location))

    def test_other_session(self) -> None:
        """A state is good for its own session only."""
        path = urlsplit(self.start()).path
        location = f"{path}?_state={quote(state_of(self.location))}"
        self.assertEqual({(404, "BLOB_UPLOAD_INVALID")}, self.refusals(location))

    def test_other_repository(self) -> None:
        """A state is good for its own repository only."""
        location = self.location.replace("/a/b/", "/a/c/")
        self.assertEqual({(404, "BLOB_UPLOAD_INVALID")}, self.refusals(location))

    def test_session_gone(self) -> None:
        """A good state of a session that is gone finds it unknown."""
        self.ask("DELETE", self.location)
        self.assertEqual({(404, "BLOB_UPLOAD_UNKNOWN")}, self.refusals(self.location))

    def test_stale(self) -> None:
        """A state from before the last chunk is out of place, and gets a right one."""
        self.append(self.location, CONTENT[:4])
        self.assert_elsewhere(self.append(self.location, CONTENT[4:]), 4)
        location = self.assert_elsewhere(self.commit(self.location), 4)
        answer = self.commit(location, DIGEST, CONTENT[4:])
        self.assertEqual(201, answer.status)

    def test_stale_cancel(self) -> None:
        """A session can be cancelled with any state of its own."""
        self.append(self.location, CONTENT[:4])
        self.assertEqual(204, self.ask("DELETE", self.location).status)

    def test_other_process(self) -> None:
        """A session goes on in another process with the same secret and store."""
        location = place(self.append(self.location, CONTENT[:4]))
        self.registry = MemoryRegistry(driver=self.registry.driver)
        location = place(self.append(location, CONTENT[4:]))
        self.assertEqual(201, self.commit(location).status)
        self.assert_pullable()


class CancelTests(UploadCase):
    """end-14: DELETE."""

    def test_cancel(self) -> None:
        """A session that is cancelled is gone, with all that it had."""
        location = place(self.append(self.start(), CONTENT))
        answer = self.ask("DELETE", location)
        self.assertEqual((204, b""), (answer.status, answer.body))
        self.assertEqual(session_of(location), answer.header("docker-upload-uuid"))
        self.assert_gone(location)
        listing = self.registry.driver.list_children("/")
        self.assertEqual([], self.successResultOf(listing))

    def test_again(self) -> None:
        """What is cancelled cannot be cancelled again."""
        location = self.start()
        self.ask("DELETE", location)
        refused = self.refused("DELETE", location)
        self.assertEqual((404, "BLOB_UPLOAD_UNKNOWN"), refused)
