"""Tests of txregistry.web.routes.manifests: pull."""

from __future__ import annotations

from tests.unit.web.routes.manifest_case import (
    ManifestCase,
    child,
    index,
    target,
)
from txregistry.oci.digest import Digest
from txregistry.oci.mediatypes import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_MANIFEST,
)
from txregistry.registry.layout import blob_data

ABSENT = Digest.of(b"absent")


class PullTests(ManifestCase):
    """end-3: GET and HEAD."""

    def setUp(self) -> None:
        """Push an image."""
        super().setUp()
        self.content = self.image()
        self.digest = Digest.of(self.content)
        self.put("latest", self.content)

    def test_get(self) -> None:
        """A manifest comes byte for byte, with its type, length and digest."""
        for reference in ("latest", self.digest):
            answer = self.ask("GET", target(reference))
            self.assertEqual((200, self.content), (answer.status, answer.body))
            self.assertEqual(OCI_MANIFEST, answer.header("content-type"))
            self.assertEqual(str(self.digest), answer.header("docker-content-digest"))
            self.assertEqual(f'"{self.digest}"', answer.header("etag"))
            length = answer.header("content-length")
            self.assertEqual(str(len(self.content)), length)

    def test_head(self) -> None:
        """HEAD says what GET says, but for the body."""
        answer = self.ask("HEAD", target("latest"))
        self.assertEqual(self.ask("GET", target("latest")).headers, answer.headers)
        self.assertEqual((200, b""), (answer.status, answer.body))

    def test_unknown(self) -> None:
        """What is not there is MANIFEST_UNKNOWN, and is named."""
        details = {
            "nope": {"name": "a/b", "tag": "nope"},
            str(ABSENT): {"name": "a/b", "digest": str(ABSENT)},
        }
        for reference, detail in details.items():
            answer = self.ask("GET", target(reference))
            error = self.assert_refused(answer, 404, "MANIFEST_UNKNOWN")
            self.assertEqual(detail, error["detail"])

    def test_unknown_repository(self) -> None:
        """In a repository that is not there nothing is."""
        refused = self.refused("GET", "/v2/none/manifests/latest")
        self.assertEqual((404, "MANIFEST_UNKNOWN"), refused)

    def test_blob(self) -> None:
        """A blob is no manifest, even if its content is one."""
        digest = self.registry.push_blob("a/b", index())
        refused = self.refused("GET", target(digest))
        self.assertEqual((404, "MANIFEST_UNKNOWN"), refused)

    def test_content_gone(self) -> None:
        """A manifest whose content is gone is unknown."""
        driver = self.registry.driver
        self.successResultOf(driver.delete(blob_data(self.digest)))
        for reference in ("latest", self.digest):
            refused = self.refused("GET", target(reference))
            self.assertEqual((404, "MANIFEST_UNKNOWN"), refused)

    def test_content_broken(self) -> None:
        """A manifest whose content in the store is none is MANIFEST_INVALID."""
        writing = self.registry.driver.put_content(blob_data(self.digest), b"{}")
        self.successResultOf(writing)
        refused = self.refused("GET", target("latest"))
        self.assertEqual((400, "MANIFEST_INVALID"), refused)

    def test_if_none_match(self) -> None:
        """A client that has the manifest is told so without a body."""
        for tag in (f'"{self.digest}"', f'W/"{self.digest}"', str(self.digest), "*"):
            answer = self.ask("GET", target("latest"), {"If-None-Match": tag})
            self.assertEqual((304, b""), (answer.status, answer.body), tag)
            self.assertEqual(str(self.digest), answer.header("docker-content-digest"))
        headers = {"If-None-Match": f'"{ABSENT}"'}
        self.assertEqual(200, self.ask("GET", target("latest"), headers).status)

    def test_if_match(self) -> None:
        """A client that means another manifest is told so."""
        for tag in (f'"{self.digest}"', "*"):
            answer = self.ask("GET", target("latest"), {"If-Match": tag})
            self.assertEqual(200, answer.status)
        headers = {"If-Match": f'"{ABSENT}"'}
        refused = self.refused("GET", target("latest"), headers)
        self.assertEqual((412, "UNSUPPORTED"), refused)


class NegotiationTests(ManifestCase):
    """What a client gets that does not take everything."""

    def setUp(self) -> None:
        """Push one manifest of each kind."""
        super().setUp()
        self.arm, self.amd = (
            self.image(DOCKER_MANIFEST, content) for content in (b"arm", b"amd")
        )
        self.put("docker", self.amd)
        self.put("arm", self.arm)
        self.list = index(
            child(self.arm, "arm64"), child(self.amd), media_type=DOCKER_LIST
        )
        self.put("list", self.list)
        self.put("oci", self.image())
        self.put("index", index())

    def status(self, tag: str, *accept: str) -> int:
        """Return the status of a pull."""
        return self.pull(tag, *accept).status

    def test_nothing_said(self) -> None:
        """A client that does not say what it takes gets what was pushed."""
        for tag in ("docker", "list", "oci", "index"):
            self.assertEqual(200, self.status(tag), tag)
        self.assertEqual(self.list, self.pull("list").body)

    def test_taken(self) -> None:
        """Every way to take a type is understood."""
        for accept in (
            [OCI_MANIFEST],
            [f"{DOCKER_MANIFEST}, {OCI_MANIFEST}"],
            [DOCKER_MANIFEST, OCI_MANIFEST],
            [f"{OCI_MANIFEST};q=0.1"],
            [OCI_MANIFEST.upper()],
            ["*/*"],
            ["application/*"],
            ["application/json"],
            [f"text/html, {OCI_MANIFEST}; charset=utf-8"],
            ["*"],
            ["not a type"],
            [""],
        ):
            self.assertEqual(200, self.status("oci", *accept), accept)

    def test_not_taken(self) -> None:
        """OCI's manifests are kept from clients that do not know them."""
        for accept in (
            [DOCKER_MANIFEST],
            ["text/html"],
            [f"{OCI_MANIFEST};q=0, application/json;q=0, */*"],
            ["application/*;q=0"],
        ):
            refused = self.pull("oci", *accept)
            error = self.assert_refused(refused, 404, "MANIFEST_UNKNOWN")
            self.assertIn("OCI manifest found", error["message"])
        refused = self.pull("index", DOCKER_MANIFEST)
        error = self.assert_refused(refused, 404, "MANIFEST_UNKNOWN")
        self.assertIn("OCI index found", error["message"])

    def test_not_taken_by_digest(self) -> None:
        """So they are when asked for by digest."""
        digest = Digest.of(self.image())
        self.assertEqual(404, self.status(str(digest), DOCKER_MANIFEST))

    def test_docker(self) -> None:
        """Docker's image manifest is given to whoever asks."""
        answer = self.pull("docker", "text/html")
        self.assertEqual(self.amd, answer.body)
        self.assertEqual(DOCKER_MANIFEST, answer.header("content-type"))

    def test_list(self) -> None:
        """Of Docker's list an old client gets the image for linux/amd64."""
        answer = self.pull("list", DOCKER_MANIFEST)
        self.assertEqual((200, self.amd), (answer.status, answer.body))
        self.assertEqual(DOCKER_MANIFEST, answer.header("content-type"))
        digest = str(Digest.of(self.amd))
        self.assertEqual(digest, answer.header("docker-content-digest"))
        self.assertEqual(f'"{digest}"', answer.header("etag"))

    def test_list_taken(self) -> None:
        """A client that takes lists gets the list."""
        answer = self.pull("list", DOCKER_MANIFEST, DOCKER_LIST)
        self.assertEqual(self.list, answer.body)

    def test_list_by_digest(self) -> None:
        """By its digest the list comes whatever the client takes."""
        answer = self.pull(Digest.of(self.list), DOCKER_MANIFEST)
        self.assertEqual(self.list, answer.body)

    def test_list_without(self) -> None:
        """If there is no image for linux/amd64 there is nothing."""
        for children in ([child(self.arm, "arm64")], []):
            self.put("list", index(*children, media_type=DOCKER_LIST))
            refused = self.pull("list", DOCKER_MANIFEST)
            self.assert_refused(refused, 404, "MANIFEST_UNKNOWN")

    def test_list_child_gone(self) -> None:
        """If that image was deleted there is nothing either."""
        self.ask("DELETE", target(Digest.of(self.amd)))
        refused = self.pull("list", DOCKER_MANIFEST)
        self.assert_refused(refused, 404, "MANIFEST_UNKNOWN")

    def test_list_conditional(self) -> None:
        """A condition is about what the client gets."""
        digest = Digest.of(self.amd)
        headers = {"Accept": DOCKER_MANIFEST, "If-None-Match": f'"{digest}"'}
        self.assertEqual(304, self.ask("GET", target("list"), headers).status)
