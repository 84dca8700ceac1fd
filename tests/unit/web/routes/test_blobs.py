"""Tests of txregistry.web.routes.blobs: pull and delete."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.unit.web.case import RegistryCase, head
from txregistry.deferreds import deferred
from txregistry.interfaces import IStorageDriver
from txregistry.oci.digest import Digest
from txregistry.oci.names import Name
from txregistry.registry import links
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.storage.memory import MemoryDriver
from txregistry.storage.sources import CHUNK_SIZE, CHUNKS_A_TURN
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import on
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer

CONTENT = b"0123456789"
ABSENT = Digest.of(b"absent")


@implementer(IStorageDriver)
class RedirectingDriver(MemoryDriver):
    """A memory driver whose files have URLs."""

    @deferred
    async def redirect_url(self, path: str, method: str, lifetime: float) -> str | None:
        """See IStorageDriver."""
        return f"https://store.test{path}?{method}&{lifetime:.0f}"


class BlobCase(RegistryCase):
    """A registry with one blob in ``a/b``."""

    def setUp(self) -> None:
        """Push the blob."""
        super().setUp()
        self.digest = self.registry.push_blob("a/b", CONTENT)
        self.target = f"/v2/a/b/blobs/{self.digest}"


class PullTests(BlobCase):
    """end-2: GET and HEAD."""

    def test_get(self) -> None:
        """A blob comes whole, with all that lets a client keep it."""
        answer = self.ask("GET", self.target)
        self.assertEqual((200, CONTENT), (answer.status, answer.body))
        self.assertEqual(str(self.digest), answer.header("docker-content-digest"))
        self.assertEqual(f'"{self.digest}"', answer.header("etag"))
        self.assertEqual("max-age=31536000", answer.header("cache-control"))
        self.assertEqual("application/octet-stream", answer.header("content-type"))
        self.assertEqual("10", answer.header("content-length"))
        self.assertEqual("bytes", answer.header("accept-ranges"))

    def test_head(self) -> None:
        """HEAD says what GET says, but for the body and the date."""
        heads = self.ask("HEAD", self.target)
        self.assertEqual(self.ask("GET", self.target).headers, heads.headers)
        self.assertEqual((200, b""), (heads.status, heads.body))

    def test_empty(self) -> None:
        """A blob of no bytes is a blob."""
        digest = self.registry.push_blob("a/b", b"")
        answer = self.ask("GET", f"/v2/a/b/blobs/{digest}")
        self.assertEqual((200, b""), (answer.status, answer.body))
        self.assertEqual("0", answer.header("content-length"))

    def test_sha512(self) -> None:
        """A blob that was pushed by another algorithm is pulled by it."""
        digest = self.registry.push_blob("a/b", CONTENT, "sha512")
        answer = self.ask("GET", f"/v2/a/b/blobs/{digest}")
        self.assertEqual(CONTENT, answer.body)
        self.assertEqual(str(digest), answer.header("docker-content-digest"))

    def test_unknown(self) -> None:
        """A digest that the repository lacks is BLOB_UNKNOWN, and is named."""
        answer = self.ask("GET", f"/v2/a/b/blobs/{ABSENT}")
        error = self.assert_refused(answer, 404, "BLOB_UNKNOWN")
        self.assertEqual(str(ABSENT), error["detail"])

    def test_head_unknown(self) -> None:
        """HEAD of one that is not there is a 404 without a body."""
        answer = self.ask("HEAD", f"/v2/a/b/blobs/{ABSENT}")
        self.assertEqual((404, b""), (answer.status, answer.body))

    def test_other_repository(self) -> None:
        """A blob is in the repositories that link it and in no other."""
        target = f"/v2/a/blobs/{self.digest}"
        self.assertEqual((404, "BLOB_UNKNOWN"), self.refused("GET", target))

    def test_content_gone(self) -> None:
        """A blob whose content was collected is unknown."""
        driver = self.registry.driver
        self.successResultOf(driver.delete(blob_data(self.digest)))
        self.assertEqual((404, "BLOB_UNKNOWN"), self.refused("GET", self.target))

    def test_gone_meanwhile(self) -> None:
        """A blob that goes away between look and read is unknown."""
        faulty = FaultyDriver(self.registry.driver)
        self.registry = MemoryRegistry(driver=faulty, clock=self.registry.clock)
        faulty.hang(on("open_reader"))
        wire = self.registry.connect()
        wire.send(head("GET", self.target))
        self.successResultOf(faulty.delete(blob_data(self.digest)))
        faulty.heal()
        self.assert_refused(wire.answer(), 404, "BLOB_UNKNOWN")

    def test_bad_digest(self) -> None:
        """What is no digest of a known algorithm is DIGEST_INVALID."""
        digests = (
            "sha256:abc",
            "sha256:" + "g" * 64,
            "sha256:" + "A" * 64,
            "md5:" + "0" * 32,
            "sha512:" + "0" * 64,
            "latest",
            ":",
        )
        found = {each: self.refused("GET", f"/v2/a/blobs/{each}") for each in digests}
        self.assertEqual(dict.fromkeys(digests, (400, "DIGEST_INVALID")), found)

    def test_bad_name(self) -> None:
        """What is no name is NAME_INVALID, before anything is looked for."""
        target = f"/v2/A/blobs/{self.digest}"
        self.assertEqual((400, "NAME_INVALID"), self.refused("GET", target))

    def test_go_alias(self) -> None:
        """A link of the Go registry's from sha512 leads to the content by sha256."""
        alias = Digest.of(CONTENT, "sha512")
        path = RepositoryLayout(Name("a/b")).layer_link(alias)
        writing = links.write(self.registry.driver, path, self.digest)
        self.successResultOf(Deferred.fromCoroutine(writing))
        self.assertEqual(CONTENT, self.ask("GET", f"/v2/a/b/blobs/{alias}").body)

    def test_large(self) -> None:
        """A large blob comes in parts, between which the reactor has its turns."""
        content = bytes(CHUNK_SIZE) * (CHUNKS_A_TURN + 1)
        digest = self.registry.push_blob("a/b", content)
        wire = self.registry.connect()
        wire.send(head("GET", f"/v2/a/b/blobs/{digest}"))
        self.assertLess(len(wire.transport.value()), len(content))
        self.registry.clock.advance(0)
        self.assertEqual(content, wire.answer().body)

    def test_client_leaves(self) -> None:
        """A client that leaves in the middle leaves no reader open."""
        faulty = FaultyDriver(self.registry.driver)
        self.registry = MemoryRegistry(driver=faulty, clock=self.registry.clock)
        digest = self.registry.push_blob("a/b", bytes(CHUNK_SIZE * 9))
        wire = self.registry.connect()
        wire.send(head("GET", f"/v2/a/b/blobs/{digest}"))
        self.assertEqual([f"reader of {blob_data(digest)}"], faulty.still_open)
        wire.hang_up()
        self.assertEqual([], faulty.still_open)

    def test_fails_midway(self) -> None:
        """A blob that cannot be read to its end ends in a cut, not in a short body."""
        faulty = FaultyDriver(self.registry.driver)
        self.registry = MemoryRegistry(driver=faulty, clock=self.registry.clock)
        faulty.fail(on("produce"))
        wire = self.registry.connect()
        wire.send(head("GET", self.target))
        self.assertTrue(wire.transport.value().endswith(b"\r\n\r\n01234"))
        self.assertTrue(wire.transport.disconnecting)
        self.assertEqual([], faulty.still_open)


class RangeTests(BlobCase):
    """Parts of a blob (RFC 9110 14)."""

    def part(self, header: str, **headers: str) -> Answer:
        """Ask for a range."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("GET", self.target, {"Range": header, **more})

    def test_parts(self) -> None:
        """A range that the blob has is answered with 206 and says which it is."""
        expected = {
            "bytes=0-0": (b"0", "bytes 0-0/10"),
            "bytes=2-4": (b"234", "bytes 2-4/10"),
            "bytes=7-": (b"789", "bytes 7-9/10"),
            "bytes=7-99": (b"789", "bytes 7-9/10"),
            "bytes=-3": (b"789", "bytes 7-9/10"),
            "bytes=-99": (CONTENT, "bytes 0-9/10"),
            "bytes=0-": (CONTENT, "bytes 0-9/10"),
            "BYTES=9-9": (b"9", "bytes 9-9/10"),
            " bytes=1-1 ": (b"1", "bytes 1-1/10"),
        }
        found = {}
        for header in expected:
            answer = self.part(header)
            self.assertEqual(206, answer.status, header)
            self.assertEqual(str(len(answer.body)), answer.header("content-length"))
            found[header] = (answer.body, answer.header("content-range"))
        self.assertEqual(expected, found)

    def test_headers(self) -> None:
        """A part carries what the whole carries, its length and place apart."""
        part, whole = self.part("bytes=0-4").headers, self.ask("GET", self.target)
        del part["content-range"]
        part["content-length"] = ["10"]
        self.assertEqual(whole.headers, part)

    def test_unsatisfiable(self) -> None:
        """A range of which the blob has nothing is a 416 that names the size."""
        for header in ("bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999-"):
            answer = self.part(header)
            self.assert_refused(answer, 416, "RANGE_INVALID")
            self.assertEqual("bytes */10", answer.header("content-range"))

    def test_backward(self) -> None:
        """A range that ends before it begins is a 416, as the suite of OCI wants."""
        self.assert_refused(self.part("bytes=5-0"), 416, "RANGE_INVALID")

    def test_ignored(self) -> None:
        """What is no single range of bytes is answered with the whole."""
        headers = ("bytes=", "bytes=a-b", "lines=0-1", "0-1", "bytes=0-1,3-4", "bytes")
        found = {each: self.part(each) for each in headers}
        self.assertEqual(
            dict.fromkeys(headers, (200, CONTENT)),
            {each: (answer.status, answer.body) for each, answer in found.items()},
        )

    def test_head(self) -> None:
        """A range in a HEAD is not looked at (RFC 9110 14.2)."""
        answer = self.ask("HEAD", self.target, {"Range": "bytes=99-"})
        self.assertEqual((200, "10"), (answer.status, answer.header("content-length")))

    def test_empty(self) -> None:
        """Of an empty blob no byte can be had."""
        self.target = f"/v2/a/b/blobs/{self.registry.push_blob('a/b', b'')}"
        self.assertEqual(416, self.part("bytes=0-0").status)

    def test_if_range(self) -> None:
        """If-Range with the blob's tag lets the part be served."""
        answer = self.part("bytes=0-1", If_Range=f'"{self.digest}"')
        self.assertEqual((206, b"01"), (answer.status, answer.body))

    def test_if_range_other(self) -> None:
        """If-Range with anything else gets the whole."""
        for tag in (f'"{ABSENT}"', "Wed, 21 Oct 2015 07:28:00 GMT", '""'):
            answer = self.part("bytes=0-1", If_Range=tag)
            self.assertEqual((200, CONTENT), (answer.status, answer.body), tag)

    def test_range_within_large(self) -> None:
        """A part in the midst of a large blob is read from where it begins."""
        content = bytes(range(256)) * 4096
        digest = self.registry.push_blob("a/b", content)
        self.target = f"/v2/a/b/blobs/{digest}"
        answer = self.part("bytes=300000-700000")
        self.assertEqual(content[300_000:700_001], answer.body)


class ConditionTests(BlobCase):
    """If-None-Match (RFC 9110 13.1.2)."""

    def test_match(self) -> None:
        """A client that has the blob is told so without a body."""
        tags = (
            f'"{self.digest}"',
            f'W/"{self.digest}"',
            str(self.digest),
            f'"{ABSENT}", "{self.digest}"',
            "*",
        )
        for tag in tags:
            answer = self.ask("GET", self.target, {"If-None-Match": tag})
            self.assertEqual((304, b""), (answer.status, answer.body), tag)
            self.assertEqual(f'"{self.digest}"', answer.header("etag"))
            self.assertNotIn("content-length", answer.headers)

    def test_no_match(self) -> None:
        """A client that has something else gets the blob."""
        answer = self.ask("GET", self.target, {"If-None-Match": f'"{ABSENT}"'})
        self.assertEqual(200, answer.status)

    def test_before_range(self) -> None:
        """The condition is looked at before the range (RFC 9110 13.2.2)."""
        headers = {"If-None-Match": f'"{self.digest}"', "Range": "bytes=0-1"}
        self.assertEqual(304, self.ask("GET", self.target, headers).status)

    def test_unknown(self) -> None:
        """A blob that is not there matches nothing, not even ``*``."""
        answer = self.ask("GET", f"/v2/a/blobs/{ABSENT}", {"If-None-Match": "*"})
        self.assertEqual(404, answer.status)


class RedirectTests(RegistryCase):
    """Stores that serve blobs themselves."""

    def setUp(self) -> None:
        """Push a blob to a store that has URLs."""
        clock = Clock()
        driver = RedirectingDriver(clock)
        self.registry = MemoryRegistry(clock=clock, driver=driver, redirects=True)
        self.digest = self.registry.push_blob("a", CONTENT)
        self.target = f"/v2/a/blobs/{self.digest}"

    def test_redirect(self) -> None:
        """GET and HEAD are sent to the store, for twenty minutes."""
        for method in ("GET", "HEAD"):
            answer = self.ask(method, self.target)
            url = f"https://store.test{blob_data(self.digest)}?{method}&1200"
            self.assertEqual((307, url), (answer.status, answer.header("location")))

    def test_matched(self) -> None:
        """A client that has the blob is sent nowhere."""
        answer = self.ask("GET", self.target, {"If-None-Match": f'"{self.digest}"'})
        self.assertEqual(304, answer.status)

    def test_switched_off(self) -> None:
        """With redirects switched off the registry serves the blob."""
        self.registry = MemoryRegistry(driver=self.registry.driver)
        self.assertEqual(CONTENT, self.ask("GET", self.target).body)

    def test_store_without(self) -> None:
        """A store that has no URLs is served from."""
        self.registry = MemoryRegistry(redirects=True)
        self.registry.push_blob("a", CONTENT)
        self.assertEqual(CONTENT, self.ask("GET", self.target).body)


class DeleteTests(BlobCase):
    """end-10: DELETE."""

    def test_delete(self) -> None:
        """A blob that is deleted is gone from its repository, and from there only."""
        self.registry.push_blob("other", CONTENT)
        answer = self.ask("DELETE", self.target)
        self.assertEqual((202, b""), (answer.status, answer.body))
        self.assertEqual((404, "BLOB_UNKNOWN"), self.refused("GET", self.target))
        self.assertEqual(200, self.ask("GET", f"/v2/other/blobs/{self.digest}").status)

    def test_again(self) -> None:
        """What is deleted cannot be deleted again."""
        self.ask("DELETE", self.target)
        self.assertEqual((404, "BLOB_UNKNOWN"), self.refused("DELETE", self.target))

    def test_bad_digest(self) -> None:
        """A bad digest is said to be one."""
        target = "/v2/a/b/blobs/sha256:0"
        self.assertEqual((400, "DIGEST_INVALID"), self.refused("DELETE", target))

    def test_disabled(self) -> None:
        """Where clients may not delete they are told so."""
        self.registry = MemoryRegistry(driver=self.registry.driver, can_delete=False)
        answer = self.ask("DELETE", self.target)
        self.assert_refused(answer, 405, "UNSUPPORTED")
        self.assertEqual("GET, HEAD, OPTIONS", answer.header("allow"))
        self.assertEqual(200, self.ask("GET", self.target).status)

    def test_pushed_again(self) -> None:
        """A blob that was deleted can be pushed again."""
        self.ask("DELETE", self.target)
        self.registry.push_blob("a/b", CONTENT)
        self.assertEqual(CONTENT, self.ask("GET", self.target).body)
