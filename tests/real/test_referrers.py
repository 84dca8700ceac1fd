"""Tests of artifacts that refer to an image, by plain requests."""

from __future__ import annotations

from typing import Any

from tests.real.case import RealTestCase
from tests.real.images import (
    Image,
    descriptor,
    digest_of,
    encoded,
    make_image,
    push_image,
    random_layers,
)
from tests.real.wire import INDEX, MANIFEST, Answer, Wire, connected

SBOM = "application/vnd.example.sbom.v1"
SIGNATURE = "application/vnd.example.signature.v1"
EMPTY = "application/vnd.oci.empty.v1+json"


def make_artifact(subject: Image, artifact_type: str, content: bytes) -> bytes:
    """Make the manifest of an artifact about an image."""
    return encoded(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": descriptor(EMPTY, b"{}"),
            "layers": [descriptor("text/plain", content)],
            "subject": descriptor(MANIFEST, subject.manifest),
            "annotations": {"org.example.note": "hello"},
        }
    )


class ReferrersTests(RealTestCase):
    """What refers to an image is found through the image."""

    def setUp(self) -> None:
        """Start a registry, and make an image."""
        self.under_test = self.registry()
        self.image = make_image(random_layers()[2:])

    def push_artifact(self, wire: Wire, artifact_type: str, content: bytes) -> Answer:
        """Push an artifact about the image, under its digest."""
        manifest = make_artifact(self.image, artifact_type, content)
        for blob in (b"{}", content):
            wire.push_blob("app", digest_of(blob), blob)
        return wire.push_manifest("app", digest_of(manifest), manifest)

    def referrers(self, wire: Wire, query: str = "") -> list[dict[str, Any]]:
        """Ask what refers to the image."""
        target = f"/v2/app/referrers/{self.image.digest}{query}"
        answer = wire.ask("GET", target, expect=200)
        self.assertEqual(INDEX, answer.headers["content-type"])
        return list(answer.json()["manifests"])

    def test_found(self) -> None:
        """An artifact with a subject is listed, with its type and annotations."""
        with connected(self.under_test.port) as wire:
            push_image(wire, "app", "1", self.image)
            self.assertEqual([], self.referrers(wire))
            pushed = self.push_artifact(wire, SBOM, b"a list of parts")
            [found] = self.referrers(wire)
        self.assertEqual(self.image.digest, pushed.headers["oci-subject"])
        self.assertEqual(
            (pushed.headers["docker-content-digest"], SBOM, "hello"),
            (
                found["digest"],
                found["artifactType"],
                found["annotations"]["org.example.note"],
            ),
        )

    def test_filtered(self) -> None:
        """Only artifacts of a type are listed when a type is asked for."""
        with connected(self.under_test.port) as wire:
            push_image(wire, "app", "1", self.image)
            self.push_artifact(wire, SBOM, b"a list of parts")
            self.push_artifact(wire, SIGNATURE, b"signed")
            self.assertEqual(2, len(self.referrers(wire)))
            found = self.referrers(wire, f"?artifactType={SIGNATURE}")
        self.assertEqual([SIGNATURE], [each["artifactType"] for each in found])

    def test_subject_later(self) -> None:
        """An artifact that came before its subject is found, after a restart too."""
        with connected(self.under_test.port) as wire:
            self.push_artifact(wire, SBOM, b"a list of parts")
            push_image(wire, "app", "1", self.image)
        self.under_test.stop()
        self.under_test.start()
        with connected(self.under_test.port) as wire:
            self.assertEqual(1, len(self.referrers(wire)))

    def test_deleted(self) -> None:
        """A deleted artifact is not listed any more."""
        with connected(self.under_test.port) as wire:
            push_image(wire, "app", "1", self.image)
            pushed = self.push_artifact(wire, SBOM, b"a list of parts")
            digest = pushed.headers["docker-content-digest"]
            wire.ask("DELETE", f"/v2/app/manifests/{digest}", expect=202)
            self.assertEqual([], self.referrers(wire))
