"""Tests of txregistry.web.routes.manifests: push."""

from __future__ import annotations

import json

from tests.unit.web.case import head
from tests.unit.web.routes.manifest_case import (
    ManifestCase,
    child,
    encode,
    index,
    target,
)
from tests.unit.web.routes.upload_case import place
from txregistry.oci.digest import Digest
from txregistry.oci.mediatypes import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
)
from txregistry.registry.layout import blob_data
from txregistry.registry.rules import ManifestRules
from txregistry.testing.registry import MemoryRegistry
from txregistry.web.routes.manifests import MOST_TAGS


class PushTests(ManifestCase):
    """end-7a: PUT by tag or by digest."""

    def test_by_tag(self) -> None:
        """A manifest that is pushed by a tag can be pulled by it and by its digest."""
        content = self.image()
        digest = Digest.of(content)
        answer = self.put("latest", content)
        self.assertEqual((201, b""), (answer.status, answer.body))
        self.assertEqual(target(digest), place(answer))
        self.assertEqual(str(digest), answer.header("docker-content-digest"))
        self.assertEqual("0", answer.header("content-length"))
        self.assertNotIn("oci-subject", answer.headers)
        self.assertNotIn("oci-tag", answer.headers)
        self.assertEqual(content, self.pull("latest").body)
        self.assertEqual(content, self.pull(digest).body)

    def test_by_digest(self) -> None:
        """A manifest that is pushed by its digest has no tag."""
        content = self.image()
        digest = Digest.of(content)
        self.assertEqual(201, self.put(digest, content).status)
        self.assertEqual(content, self.pull(digest).body)
        tags = json.loads(self.ask("GET", "/v2/a/b/tags/list").body)["tags"]
        self.assertEqual([], tags)

    def test_media_types(self) -> None:
        """Every media type comes back as it was pushed."""
        image, docker = self.image(), self.image(DOCKER_MANIFEST)
        self.put("image", image)
        self.put("docker", docker)
        manifests = {
            OCI_MANIFEST: image,
            DOCKER_MANIFEST: docker,
            OCI_INDEX: index(child(image)),
            DOCKER_LIST: index(child(docker), media_type=DOCKER_LIST),
            OCI_ARTIFACT: encode({"mediaType": OCI_ARTIFACT, "blobs": []}),
        }
        for media_type, content in manifests.items():
            self.assertEqual(201, self.put("tag", content).status, media_type)
            answer = self.pull("tag", media_type)
            self.assertEqual(media_type, answer.header("content-type"))
            self.assertEqual(content, answer.body)

    def test_undeclared(self) -> None:
        """OCI's manifests need not say what they are."""
        image = json.loads(self.image())
        del image["mediaType"]
        pushed = {
            OCI_MANIFEST: encode(image),
            OCI_INDEX: encode({"schemaVersion": 2, "manifests": []}),
        }
        for media_type, content in pushed.items():
            self.assertEqual(201, self.put("tag", content, media_type).status)
            answer = self.pull("tag", media_type)
            self.assertEqual(media_type, answer.header("content-type"))

    def test_parameters(self) -> None:
        """Parameters and letters' case of the Content-Type do not matter."""
        content_type = f"{OCI_MANIFEST.upper()}; charset=utf-8"
        self.assertEqual(201, self.put("t", self.image(), content_type).status)

    def test_again(self) -> None:
        """A manifest can be pushed again."""
        content = self.image()
        for _ in range(2):
            self.assertEqual(201, self.put("latest", content).status)
        self.assertEqual(content, self.pull("latest").body)

    def test_moved_tag(self) -> None:
        """A tag points to what was pushed by it last; the rest stays by digest."""
        first, second = self.image(), self.image(content=b"another layer")
        self.put("latest", first)
        self.put("latest", second)
        self.assertEqual(second, self.pull("latest").body)
        self.assertEqual(first, self.pull(Digest.of(first)).body)

    def test_sha512(self) -> None:
        """A manifest can be pushed and pulled by its sha512."""
        content = self.image()
        digest = Digest.of(content, "sha512")
        answer = self.put(digest, content)
        self.assertEqual(201, answer.status)
        self.assertEqual(str(digest), answer.header("docker-content-digest"))
        pulled = self.pull(digest)
        self.assertEqual(content, pulled.body)
        self.assertEqual(str(digest), pulled.header("docker-content-digest"))

    def test_chunked(self) -> None:
        """Its body may be chunked."""
        content = self.image()
        headers = {"Content-Type": OCI_MANIFEST}
        pieces = [content[:20], content[20:]]
        answer = self.ask_chunked("PUT", target("latest"), pieces, headers)
        self.assertEqual(201, answer.status)
        self.assertEqual(content, self.pull("latest").body)

    def test_repaired(self) -> None:
        """Content that was damaged in the store is put right by a push."""
        content = self.image()
        path = blob_data(Digest.of(content))
        self.successResultOf(self.registry.driver.put_content(path, content[:-1]))
        self.put("latest", content)
        self.assertEqual(content, self.pull("latest").body)


class TagParametersTests(ManifestCase):
    """end-7b: PUT by digest with ``tag`` parameters."""

    def test_tags(self) -> None:
        """Many tags can be pushed with one manifest, and are named in the answer."""
        content = self.image()
        tags = [f"v1.{number}" for number in range(12)]
        query = "&".join(f"tag={tag}" for tag in tags)
        answer = self.put(f"{Digest.of(content)}?{query}", content)
        self.assertEqual(201, answer.status)
        self.assertEqual(", ".join(tags), answer.header("oci-tag"))
        for tag in tags:
            self.assertEqual(content, self.pull(tag).body)

    def test_too_many(self) -> None:
        """More than a hundred are refused before the body comes."""
        digest = Digest.of(self.image())
        for count, status in ((MOST_TAGS, 100), (MOST_TAGS + 1, 414)):
            query = "&".join(f"tag=t{number}" for number in range(count))
            wire = self.registry.connect()
            headers = {"Content-Length": "100", "Expect": "100-continue"}
            wire.send(head("PUT", f"{target(digest)}?{query}", headers))
            first = wire.transport.value().split(b" ", 2)[1]
            self.assertEqual(status, int(first))

    def test_by_tag(self) -> None:
        """Further tags need a digest in the path."""
        answer = self.put("latest?tag=other", self.image())
        self.assert_refused(answer, 400, "UNSUPPORTED")
        self.assertEqual(404, self.pull("latest").status)

    def test_bad_tag(self) -> None:
        """If one tag is none, nothing is pushed."""
        content = self.image()
        digest = Digest.of(content)
        for tag in ("", "-a", "a/b", "a" * 129, "%c3%a9"):
            answer = self.put(f"{digest}?tag=good&tag={tag}", content)
            self.assert_refused(answer, 400, "TAG_INVALID")
        self.assertEqual(404, self.pull(digest).status)

    def test_same_twice(self) -> None:
        """A tag that is named twice is one tag."""
        content = self.image()
        digest = Digest.of(content)
        self.assertEqual(201, self.put(f"{digest}?tag=a&tag=a", content).status)
        self.assertEqual(content, self.pull("a").body)


class SizeTests(ManifestCase):
    """The largest manifest."""

    def setUp(self) -> None:
        """Take manifests of up to 1000 bytes only."""
        self.registry = MemoryRegistry(max_manifest=1000)

    def padded(self, size: int) -> bytes:
        """Return an index of a size."""
        content = index()
        return content + b" " * (size - len(content))

    def test_largest(self) -> None:
        """A manifest of the limit's size is taken, chunked or not."""
        content = self.padded(1000)
        self.assertEqual(201, self.put("a", content).status)
        headers = {"Content-Type": OCI_INDEX}
        answer = self.ask_chunked("PUT", target("b"), [content], headers)
        self.assertEqual(201, answer.status)

    def test_too_large(self) -> None:
        """One that is a byte larger is a 413."""
        answer = self.put("a", self.padded(1001))
        error = self.assert_refused(answer, 413, "MANIFEST_INVALID")
        self.assertEqual({"limit": 1000}, error["detail"])

    def test_before_body(self) -> None:
        """A promised length over the limit is refused before the body comes."""
        wire = self.registry.connect()
        wire.send(
            f"PUT {target('a')} HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        self.assert_refused(wire.answer(), 413, "MANIFEST_INVALID")

    def test_chunked(self) -> None:
        """A chunked body is refused where it goes over the limit."""
        wire = self.registry.connect()
        wire.send(
            f"PUT {target('a')} HTTP/1.1\r\nHost: a\r\n"
            f"Content-Type: {OCI_INDEX}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        wire.send(b"3e8\r\n" + self.padded(1000) + b"\r\n")
        self.assertEqual(b"", wire.transport.value())
        wire.send(b"1\r\n \r\n")
        self.assert_refused(wire.answer(), 413, "MANIFEST_INVALID")

    def test_default(self) -> None:
        """By default 4 MiB are taken, as the specification wants at least."""
        self.registry = MemoryRegistry()
        self.assertEqual(201, self.put("a", self.padded(4 * 1024 * 1024)).status)
        answer = self.put("b", self.padded(4 * 1024 * 1024 + 1))
        self.assertEqual(413, answer.status)


class RulesTests(ManifestCase):
    """Rules of the operator's."""

    def test_sparse(self) -> None:
        """Where sparse manifests are taken they may name what is not there."""
        self.registry = MemoryRegistry(rules=ManifestRules(sparse=True))
        content = self.image()
        absent = child(content)
        self.assertEqual(201, self.put("index", index(absent)).status)

    def test_platforms(self) -> None:
        """Where some platforms are required, only their images must be there."""
        rules = ManifestRules(platforms=frozenset({("amd64", "linux")}))
        self.registry = MemoryRegistry(rules=rules)
        content = self.image()
        arm, amd = child(content, "arm64"), child(content)
        self.assertEqual(201, self.put("a", index(arm)).status)
        answer = self.put("b", index(arm, amd))
        self.assert_refused(answer, 400, "MANIFEST_BLOB_UNKNOWN")
        self.put("image", content)
        self.assertEqual(201, self.put("b", index(arm, amd)).status)

    def test_urls(self) -> None:
        """Layers may name only the URLs that are allowed."""
        rules = ManifestRules(permits_url=lambda url: url.startswith("https://good/"))
        self.registry = MemoryRegistry(rules=rules)
        image = json.loads(self.image())
        (layer,) = image["layers"]
        for urls, status in (
            (["https://good/x"], 201),
            (["https://good/x", "https://bad/y"], 400),
        ):
            layer["urls"] = urls
            self.assertEqual(status, self.put("a", encode(image)).status)
        answer = self.put("a", encode(image))
        error = self.assert_refused(answer, 400, "MANIFEST_INVALID")
        self.assertEqual("https://bad/y", error["detail"]["url"])

    def test_classes(self) -> None:
        """Where classes are named, others are denied."""
        rules = ManifestRules(classes=frozenset({"image"}))
        self.registry = MemoryRegistry(rules=rules)
        image = json.loads(self.image())
        self.assertEqual(201, self.put("a", encode(image)).status)
        image["config"]["mediaType"] = "application/vnd.docker.plugin.v1+json"
        error = self.assert_refused(self.put("a", encode(image)), 403, "DENIED")
        self.assertEqual({"class": "plugin"}, error["detail"])
