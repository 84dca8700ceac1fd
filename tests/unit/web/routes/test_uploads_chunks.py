"""Tests of txregistry.web.routes.uploads: chunks, and the end of a session."""

from __future__ import annotations

from tests.unit.web.routes.upload_case import (
    CONTENT,
    DIGEST,
    START,
    UploadCase,
    place,
    session_of,
)
from txregistry.interfaces import StorageFull
from txregistry.oci.digest import Digest
from txregistry.registry.layout import REPOSITORIES, blob_data
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import on
from txregistry.testing.registry import MemoryRegistry

OTHER = Digest.of(b"other")


class AppendTests(UploadCase):
    """end-5: PATCH."""

    def test_stream(self) -> None:
        """Bytes without a Content-Range go behind those that are there."""
        location = self.start()
        answer = self.append(location, CONTENT[:4])
        self.assertEqual((202, b""), (answer.status, answer.body))
        self.assertEqual("0-3", answer.header("range"))
        self.assertEqual("0", answer.header("content-length"))
        self.assertEqual(session_of(location), answer.header("docker-upload-uuid"))
        answer = self.append(place(answer), CONTENT[4:])
        self.assertEqual("0-9", answer.header("range"))
        self.assertEqual(201, self.commit(place(answer)).status)
        self.assert_pullable()

    def test_chunked(self) -> None:
        """A body may be chunked, as Docker's always is."""
        pieces = [CONTENT[:1], CONTENT[1:]]
        answer = self.ask_chunked("PATCH", self.start(), pieces)
        self.assertEqual((202, "0-9"), (answer.status, answer.header("range")))

    def test_in_order(self) -> None:
        """Chunks that say where they belong are put there, in order."""
        location = self.start()
        for first in range(0, 10, 2):
            part = CONTENT[first : first + 2]
            answer = self.append(location, part, f"{first}-{first + 1}")
            self.assertEqual(202, answer.status)
            self.assertEqual(f"0-{first + 1}", answer.header("range"))
            location = place(answer)
        self.assertEqual(201, self.commit(location).status)
        self.assert_pullable()

    def test_http_form(self) -> None:
        """A Content-Range may be in HTTP's form too."""
        answer = self.append(self.start(), CONTENT, "bytes 0-9/10")
        self.assertEqual(202, answer.status)

    def test_out_of_order(self) -> None:
        """A chunk that does not go on where the session stands is out of place."""
        location = place(self.append(self.start(), CONTENT[:4], "0-3"))
        for content_range in ("0-3", "2-5", "5-8", "99999999999999999999-1"):
            answer = self.append(location, b"xxxx", content_range)
            self.assertEqual(416, answer.status, content_range)
        answer = self.append(location, b"xxxx", "8-11")
        location = self.assert_elsewhere(answer, 4)
        answer = self.append(location, CONTENT[4:], "4-9")
        self.assertEqual(202, answer.status)

    def test_first_out_of_order(self) -> None:
        """The first chunk begins at 0."""
        self.assert_elsewhere(self.append(self.start(), b"x", "1-1"), 0)

    def test_stale_with_range(self) -> None:
        """A Content-Range counts for more than an old push location."""
        location = self.start()
        self.append(location, CONTENT[:4])
        self.assertEqual(202, self.append(location, CONTENT[4:], "4-9").status)

    def test_malformed_range(self) -> None:
        """What is no Content-Range is a 400, and nothing is taken."""
        location = self.start()
        for content_range in ("", "0", "a-b", "0-", "-5", "bytes", "0-9-", "0--9"):
            answer = self.append(location, CONTENT, content_range)
            self.assert_refused(answer, 400, "RANGE_INVALID")
        self.assert_stands(location, 0)

    def test_backward_range(self) -> None:
        """A Content-Range that ends before it begins is a 416."""
        answer = self.append(self.start(), CONTENT, "9-0")
        self.assert_refused(answer, 416, "RANGE_INVALID")

    def test_wrong_length(self) -> None:
        """A length other than the Content-Range's is refused before the body."""
        location = self.start()
        for content_range in ("0-8", "0-10", "0-0"):
            answer = self.append(location, CONTENT, content_range)
            self.assert_refused(answer, 400, "SIZE_INVALID")
            self.assertEqual("0-0", answer.header("range"))
            location = place(answer)
        self.assert_stands(location, 0)

    def test_chunked_wrong_length(self) -> None:
        """A chunked body other than its Content-Range says is SIZE_INVALID.

        The answer says where the session stands with what came.
        """
        location = self.start()
        for content_range, first in (("0-3", 0), ("10-30", 10)):
            headers = {"Content-Range": content_range}
            answer = self.ask_chunked("PATCH", location, [CONTENT], headers)
            error = self.assert_refused(answer, 400, "SIZE_INVALID")
            self.assertEqual({"received": 10}, error["detail"])
            self.assertEqual(f"0-{first + 9}", answer.header("range"))
            location = place(answer)
            self.assert_stands(location, first + 10)

    def test_chunked_right_length(self) -> None:
        """A chunked body that is as its Content-Range says is taken."""
        headers = {"Content-Range": "0-9"}
        answer = self.ask_chunked("PATCH", self.start(), [CONTENT], headers)
        self.assertEqual(202, answer.status)

    def test_nothing(self) -> None:
        """A chunk of no bytes is one."""
        answer = self.append(self.start(), b"")
        self.assertEqual((202, "0-0"), (answer.status, answer.header("range")))

    def test_content_type(self) -> None:
        """Bytes come as bytes; parameters and letters' case do not matter."""
        location = self.start()
        for content_type in (
            "application/octet-stream",
            "Application/Octet-Stream; charset=binary",
            "",
        ):
            headers = {"Content-Type": content_type}
            answer = self.ask("PATCH", location, headers, b"x")
            self.assertEqual(202, answer.status, content_type)
            location = place(answer)

    def test_wrong_content_type(self) -> None:
        """Anything else is a 415, and nothing is taken."""
        location = self.start()
        for content_type in ("application/x-www-form-urlencoded", "text/plain", "x"):
            headers = {"Content-Type": content_type}
            refused = self.refused("PATCH", location, headers, CONTENT)
            self.assertEqual((415, "UNSUPPORTED"), refused)
        self.assert_stands(location, 0)

    def test_disk_full(self) -> None:
        """A full store is a 507; what it took stays, and the session goes on."""
        faulty = FaultyDriver(self.registry.driver)
        self.registry = MemoryRegistry(driver=faulty)
        location = place(self.append(self.start(), b""))
        faulty.fail(on("write", "/data"), StorageFull())
        answer = self.append(location, CONTENT)
        self.assert_refused(answer, 507, "UNAVAILABLE")
        faulty.heal()
        location = self.assert_stands(location, 5)
        self.assertEqual(201, self.commit(location, DIGEST, CONTENT[5:]).status)
        self.assert_pullable()


class CommitTests(UploadCase):
    """end-6: PUT."""

    def test_whole(self) -> None:
        """POST, then PUT with all the bytes."""
        answer = self.commit(self.start(), DIGEST, CONTENT)
        self.assertEqual((201, b""), (answer.status, answer.body))
        self.assertEqual(f"/v2/a/b/blobs/{DIGEST}", place(answer))
        self.assertEqual(str(DIGEST), answer.header("docker-content-digest"))
        self.assertEqual("0", answer.header("content-length"))
        self.assert_pullable()

    def test_chunked(self) -> None:
        """The PUT's body may be chunked."""
        target = f"{self.start()}&digest={DIGEST}"
        self.assertEqual(201, self.ask_chunked("PUT", target, [CONTENT]).status)
        self.assert_pullable()

    def test_last_chunk(self) -> None:
        """The last bytes may come with the PUT."""
        location = place(self.append(self.start(), CONTENT[:7]))
        answer = self.commit(location, DIGEST, CONTENT[7:], "7-9")
        self.assertEqual(201, answer.status)
        self.assert_pullable()

    def test_last_chunk_out_of_order(self) -> None:
        """A last chunk that is out of place is a 416, and the session goes on."""
        location = place(self.append(self.start(), CONTENT[:7]))
        answer = self.commit(location, DIGEST, CONTENT[7:], "6-8")
        location = self.assert_elsewhere(answer, 7)
        answer = self.commit(location, DIGEST, CONTENT[7:], "7-9")
        self.assertEqual(201, answer.status)

    def test_last_chunk_wrong_length(self) -> None:
        """A last chunk of another length than it says is SIZE_INVALID."""
        location = self.start()
        answer = self.commit(location, DIGEST, CONTENT, "0-8")
        self.assert_refused(answer, 400, "SIZE_INVALID")
        self.assert_stands(location, 0)

    def test_last_chunked_wrong_length(self) -> None:
        """So is a chunked one; no blob comes of it, and the session goes on."""
        for content_range in ("0-8", "0-99"):
            location = self.start()
            headers = {"Content-Range": content_range}
            target = f"{location}&digest={DIGEST}"
            answer = self.ask_chunked("PUT", target, [CONTENT], headers)
            self.assert_refused(answer, 400, "SIZE_INVALID")
            self.assertEqual("0-9", answer.header("range"))
            self.assertEqual(404, self.ask("GET", f"/v2/a/b/blobs/{DIGEST}").status)
        self.assertEqual(201, self.commit(place(answer)).status)
        self.assert_pullable()

    def test_last_chunked_right_length(self) -> None:
        """A chunked last chunk that is as it says ends the session."""
        target = f"{self.start()}&digest={DIGEST}"
        headers = {"Content-Range": "0-9"}
        answer = self.ask_chunked("PUT", target, [CONTENT], headers)
        self.assertEqual(201, answer.status)

    def test_empty(self) -> None:
        """A blob of no bytes is one."""
        digest = Digest.of(b"")
        self.assertEqual(201, self.commit(self.start(), digest).status)
        self.assert_pullable(digest, b"")

    def test_no_digest(self) -> None:
        """Without a digest nothing ends."""
        location = place(self.append(self.start(), CONTENT))
        self.assertEqual((400, "DIGEST_INVALID"), self.refused("PUT", location))
        self.assert_stands(location, 10)

    def test_bad_digest(self) -> None:
        """With what is no digest nothing ends."""
        location = place(self.append(self.start(), CONTENT))
        for text in ("", "sha256:1", "md5:" + 32 * "0", "sha256:" + 64 * "G"):
            answer = self.commit(location, text)
            self.assert_refused(answer, 400, "DIGEST_INVALID")
        self.assertEqual(201, self.commit(location).status)

    def test_mismatch(self) -> None:
        """Bytes of another digest are refused, and the session is gone."""
        location = self.start()
        answer = self.commit(location, OTHER, CONTENT)
        self.assert_refused(answer, 400, "DIGEST_INVALID")
        self.assert_gone(location)
        listing = self.registry.driver.list_children("/")
        self.assertEqual([], self.successResultOf(listing))

    def test_session_gone(self) -> None:
        """A session that has ended is no more; only the blob is left."""
        location = self.start()
        self.commit(location, DIGEST, CONTENT)
        self.assert_gone(location)
        self.assert_refused(self.commit(location), 404, "BLOB_UPLOAD_UNKNOWN")
        listing = self.registry.driver.list_children(f"{REPOSITORIES}/a/b")
        self.assertEqual(["_layers"], self.successResultOf(listing))

    def test_there_already(self) -> None:
        """A blob that is in the store already can be pushed a second time."""
        self.registry.push_blob("other", CONTENT)
        self.assertEqual(201, self.commit(self.start(), DIGEST, CONTENT).status)
        self.assert_pullable()

    def test_there_of_another_size(self) -> None:
        """Content that was damaged in the store is put right by a push."""
        path = blob_data(DIGEST)
        self.successResultOf(self.registry.driver.put_content(path, CONTENT[:3]))
        self.assertEqual(201, self.commit(self.start(), DIGEST, CONTENT).status)
        self.assert_pullable()

    def test_twice_at_once(self) -> None:
        """Of two sessions that push the same blob both end well."""
        one, other = self.start(), self.start()
        one = place(self.append(one, CONTENT))
        self.assertEqual(201, self.commit(other, DIGEST, CONTENT).status)
        self.assertEqual(201, self.commit(one).status)
        self.assert_pullable()

    def test_form(self) -> None:
        """A body that a client calls a form is still the blob."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        content = b"digest=sha256:1&_state=x"
        digest = Digest.of(content)
        target = f"{self.start()}&digest={digest}"
        self.assertEqual(201, self.ask("PUT", target, headers, content).status)
        self.assert_pullable(digest, content)

    def test_other_repository(self) -> None:
        """A blob is pushed to the repository of its session only."""
        self.commit(self.start(), DIGEST, CONTENT)
        target = f"/v2/a/blobs/{DIGEST}"
        self.assertEqual((404, "BLOB_UNKNOWN"), self.refused("GET", target))

    def test_method(self) -> None:
        """A session takes no POST, and says what it takes."""
        answer = self.ask("POST", self.start(), body=b"")
        self.assert_refused(answer, 405, "UNSUPPORTED")
        self.assertEqual(
            "DELETE, GET, HEAD, OPTIONS, PATCH, PUT", answer.header("allow")
        )

    def test_start_method(self) -> None:
        """The start takes nothing but a POST."""
        answer = self.ask("PUT", START, body=b"")
        self.assert_refused(answer, 405, "UNSUPPORTED")
        self.assertEqual("OPTIONS, POST", answer.header("allow"))
