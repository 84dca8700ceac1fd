"""Tests of txregistry.web.routes.lists: referrers."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.web.case import RegistryCase
from tests.unit.web.routes.manifest_case import child, encode, index
from tests.unit.web.routes.test_lists import link
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.mediatypes import (
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
)
from txregistry.oci.names import Name
from txregistry.registry.layout import RepositoryLayout, blob_data
from txregistry.registry.referrers import LARGEST_PAGE, referrers_tag
from txregistry.testing.registry import MemoryRegistry

SBOM = "application/vnd.example.sbom.v1"
SIGNATURE = "application/vnd.example.signature.v1"


class ReferrersCase(RegistryCase):
    """A registry with an image that others refer to."""

    def setUp(self) -> None:
        """Push the image."""
        super().setUp()
        self.subject = self.registry.push_image("a/b", "latest")

    def subject_of(self, subject: Digest | None = None) -> dict[str, JSON]:
        """Return the member that names a subject."""
        digest = str(subject or self.subject)
        return {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}

    def refer(
        self,
        kind: str | None = SBOM,
        subject: Digest | None = None,
        reference: str = "",
        **members: JSON,
    ) -> Digest:
        """Push an artifact that refers to a subject; return its digest."""
        config = self.registry.push_described("a/b", OCI_EMPTY, b"{}")
        manifest: dict[str, JSON] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config,
            "layers": [],
            "subject": self.subject_of(subject),
            **members,
        }
        if kind is not None:
            manifest["artifactType"] = kind
        return self.registry.push_manifest("a/b", reference, manifest)

    def page(self, query: str = "", subject: Digest | None = None) -> list[Any]:
        """Return the descriptors on a page."""
        digest = subject or self.subject
        answer = self.ask("GET", f"/v2/a/b/referrers/{digest}{query}")
        self.assertEqual(200, answer.status, answer.body)
        self.assertEqual(OCI_INDEX, answer.header("content-type"))
        content = json.loads(answer.body)
        self.assertEqual(2, content["schemaVersion"])
        self.assertEqual(OCI_INDEX, content["mediaType"])
        found: list[Any] = content["manifests"]
        return found

    def digests(self, query: str = "", subject: Digest | None = None) -> list[str]:
        """Return the digests on a page."""
        return [each["digest"] for each in self.page(query, subject)]


class ReferrersTests(ReferrersCase):
    """end-12a."""

    def test_none(self) -> None:
        """What nothing refers to, be it there or not, has an empty list."""
        self.assertEqual([], self.page())
        self.assertEqual([], self.page(subject=Digest.of(b"absent")))
        answer = self.ask("GET", f"/v2/none/referrers/{self.subject}")
        self.assertEqual(200, answer.status)

    def test_descriptor(self) -> None:
        """A referrer is described with its kind and annotations."""
        digest = self.refer(annotations={"org.example": "x"})
        target = f"/v2/a/b/manifests/{digest}"
        size = len(self.ask("GET", target).body)
        expected = {
            "mediaType": OCI_MANIFEST,
            "digest": str(digest),
            "size": size,
            "annotations": {"org.example": "x"},
            "artifactType": SBOM,
        }
        self.assertEqual([expected], self.page())

    def test_header(self) -> None:
        """The push of a referrer is answered with its subject."""
        manifest = index(subject=self.subject_of())
        headers = {"Content-Type": OCI_INDEX}
        answer = self.ask("PUT", "/v2/a/b/manifests/x", headers, manifest)
        self.assertEqual(str(self.subject), answer.header("oci-subject"))

    def test_kind_of_config(self) -> None:
        """An image that says no kind is of its config's (spec: Listing Referrers)."""
        self.refer(None)
        self.assertEqual(OCI_EMPTY, self.page()[0]["artifactType"])

    def test_empty_kind(self) -> None:
        """So is one whose kind is empty."""
        self.refer("")
        self.assertEqual(OCI_EMPTY, self.page()[0]["artifactType"])

    def test_index(self) -> None:
        """An index may refer, and has a kind only if it says so."""
        manifest = json.loads(index(subject=self.subject_of()))
        self.registry.push_manifest("a/b", "", manifest)
        (described,) = self.page()
        self.assertEqual(OCI_INDEX, described["mediaType"])
        self.assertNotIn("artifactType", described)
        self.registry.push_manifest("a/b", "", {**manifest, "artifactType": SBOM})
        kinds = {each.get("artifactType") for each in self.page()}
        self.assertEqual({None, SBOM}, kinds)

    def test_artifact_manifest(self) -> None:
        """An artifact manifest, of before image-spec 1.1, may refer too."""
        manifest: dict[str, JSON] = {
            "mediaType": OCI_ARTIFACT,
            "artifactType": SBOM,
            "subject": self.subject_of(),
        }
        digest = self.registry.push_manifest("a/b", "", manifest)
        self.assertEqual([str(digest)], self.digests())

    def test_tagged(self) -> None:
        """It does not matter whether a referrer has a tag."""
        digest = self.refer(reference="sbom")
        self.assertEqual([str(digest)], self.digests())

    def test_before_subject(self) -> None:
        """A referrer may come before its subject, which then finds it."""
        content = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
        subject = Digest.of(content)
        digest = self.refer(subject=subject)
        self.assertEqual([str(digest)], self.digests(subject=subject))
        headers = {"Content-Type": OCI_INDEX}
        target = f"/v2/a/b/manifests/{subject}"
        self.assertEqual(201, self.ask("PUT", target, headers, content).status)
        self.assertEqual([str(digest)], self.digests(subject=subject))

    def test_subject_deleted(self) -> None:
        """Referrers outlive their subject."""
        digest = self.refer()
        self.ask("DELETE", f"/v2/a/b/manifests/{self.subject}")
        self.assertEqual([str(digest)], self.digests())

    def test_deleted(self) -> None:
        """A referrer that is deleted is one no more; deleting its tag does not do."""
        digest = self.refer(reference="sbom")
        self.ask("DELETE", "/v2/a/b/manifests/sbom")
        self.assertEqual([str(digest)], self.digests())
        self.ask("DELETE", f"/v2/a/b/manifests/{digest}")
        self.assertEqual([], self.digests())

    def test_deleted_by_go(self) -> None:
        """Nor is one that a registry without this API has deleted."""
        digest = self.refer()
        path = RepositoryLayout(Name("a/b")).revision_link(digest)
        self.successResultOf(self.registry.driver.delete(path))
        self.assertEqual([], self.digests())

    def test_other_repository(self) -> None:
        """Referrers are their own repository's."""
        self.refer()
        answer = self.ask("GET", f"/v2/a/referrers/{self.subject}")
        self.assertEqual([], json.loads(answer.body)["manifests"])

    def test_sha512(self) -> None:
        """A subject may be known by its sha512, and so may a referrer."""
        subject = Digest.of(b"x", "sha512")
        manifest = index(subject=self.subject_of(subject))
        digest = Digest.of(manifest, "sha512")
        headers = {"Content-Type": OCI_INDEX}
        target = f"/v2/a/b/manifests/{digest}"
        self.assertEqual(201, self.ask("PUT", target, headers, manifest).status)
        self.assertEqual([str(digest)], self.digests(subject=subject))

    def test_bad_digest(self) -> None:
        """What is no digest is refused."""
        for text in ("latest", "sha256:1", "md5:" + "0" * 32):
            refused = self.refused("GET", f"/v2/a/b/referrers/{text}")
            self.assertEqual((400, "DIGEST_INVALID"), refused)

    def test_bad_name(self) -> None:
        """What is no name is refused."""
        refused = self.refused("GET", f"/v2/A/referrers/{self.subject}")
        self.assertEqual((400, "NAME_INVALID"), refused)


class FilterTests(ReferrersCase):
    """end-12b."""

    def test_filter(self) -> None:
        """Only those of the kind that is asked for are listed."""
        sbom, other = self.refer(SBOM), self.refer(SIGNATURE)
        self.assertEqual([str(sbom)], self.digests(f"?artifactType={SBOM}"))
        self.assertEqual([str(other)], self.digests(f"?artifactType={SIGNATURE}"))
        self.assertEqual([], self.digests("?artifactType=x"))
        self.assertEqual(sorted([str(sbom), str(other)]), self.digests())

    def test_header(self) -> None:
        """A filter that was applied is named, and only such a one."""
        target = f"/v2/a/b/referrers/{self.subject}"
        answer = self.ask("GET", f"{target}?artifactType=x")
        self.assertEqual("artifactType", answer.header("oci-filters-applied"))
        self.assertNotIn("oci-filters-applied", self.ask("GET", target).headers)

    def test_config(self) -> None:
        """A kind that comes from the config can be asked for."""
        digest = self.refer(None)
        self.assertEqual([str(digest)], self.digests(f"?artifactType={OCI_EMPTY}"))

    def test_plus(self) -> None:
        """A kind with a plus is understood, percent-encoded or, by hand, not."""
        digest = self.refer("application/x+json")
        for kind in ("application%2Fx%2Bjson", "application/x+json"):
            self.assertEqual([str(digest)], self.digests(f"?artifactType={kind}"))


class PagesTests(ReferrersCase):
    """Lists that come in parts."""

    def walk(self, query: str) -> list[list[str]]:
        """Follow the links; return the digests on each page."""
        pages = []
        following: str | None = f"/v2/a/b/referrers/{self.subject}{query}"
        while following is not None:
            answer = self.ask("GET", following)
            manifests = json.loads(answer.body)["manifests"]
            pages.append([each["digest"] for each in manifests])
            following = link(answer)
        return pages

    def test_count(self) -> None:
        """With ``n`` the links lead through all of them."""
        digests = sorted(str(self.refer(annotations={"n": n})) for n in "abcde")
        pages = self.walk("?n=2")
        self.assertEqual([digests[:2], digests[2:4], digests[4:]], pages)
        self.assertEqual([digests], self.walk(""))
        self.assertEqual([digests], self.walk("?n=0"))
        self.assertEqual([digests], self.walk("?n=5"))

    def test_filter(self) -> None:
        """The links keep the filter."""
        kept = sorted(str(self.refer(SBOM, annotations={"n": n})) for n in "abc")
        for n in "abc":
            self.refer(SIGNATURE, annotations={"n": n})
        pages = self.walk(f"?n=2&artifactType={SBOM}")
        self.assertEqual([kept[:2], kept[2:]], pages)

    def test_size(self) -> None:
        """A page is never larger than a manifest may be."""
        annotations = {"large": "x" * (LARGEST_PAGE // 3)}
        digests = sorted(
            str(self.refer(annotations={**annotations, "n": n})) for n in "abcd"
        )
        self.assertEqual([digests[:2], digests[2:]], self.walk(""))

    def test_too_large(self) -> None:
        """One that is larger by itself is a page by itself."""
        self.registry = MemoryRegistry(max_manifest=2 * LARGEST_PAGE)
        large = "x" * LARGEST_PAGE
        digests = sorted(str(self.refer(annotations={n: large})) for n in "ab")
        self.assertEqual([[each] for each in digests], self.walk(""))

    def test_bad_number(self) -> None:
        """What is no number of entries is refused."""
        refused = self.refused("GET", f"/v2/a/b/referrers/{self.subject}?n=x")
        self.assertEqual((400, "PAGINATION_NUMBER_INVALID"), refused)


class TagSchemaTests(ReferrersCase):
    """What was pushed to a registry without this API (spec: Referrers Tag Schema)."""

    def forget(self, subject: Digest | None = None) -> None:
        """Make it so that the registry has not kept any referrers itself."""
        layout = RepositoryLayout(Name("a/b"))
        folder = layout.referrers(subject or self.subject)
        self.successResultOf(self.registry.driver.delete(folder))

    def keep_index(self, *descriptors: dict[str, JSON]) -> None:
        """Push the index that clients keep."""
        manifest = json.loads(index(*descriptors))
        tag = str(referrers_tag(self.subject))
        self.registry.push_manifest("a/b", tag, manifest)

    def described(self, digest: Digest) -> dict[str, JSON]:
        """Return a descriptor as a client writes it, of no kind."""
        return {"mediaType": OCI_MANIFEST, "digest": str(digest), "size": 1}

    def test_tagged_index(self) -> None:
        """Referrers in the index under the tag are found, as they really are."""
        digest = self.refer(SBOM, annotations={"a": "b"})
        self.forget()
        self.assertEqual([], self.digests())
        self.keep_index(self.described(digest))
        (described,) = self.page()
        self.assertEqual(
            (SBOM, {"a": "b"}), (described["artifactType"], described["annotations"])
        )

    def test_both(self) -> None:
        """With those that the registry kept itself they make one list."""
        old = self.refer(SBOM)
        self.forget()
        self.keep_index(self.described(old))
        new = self.refer(SIGNATURE)
        self.assertEqual(sorted([str(old), str(new)]), self.digests())

    def test_in_both(self) -> None:
        """One that is in both is listed once."""
        digest = self.refer()
        self.keep_index(self.described(digest))
        self.assertEqual([str(digest)], self.digests())

    def test_strangers(self) -> None:
        """What in the index is not there, or has another subject, is left out."""
        plain = self.registry.push_image("a/b", content=b"other")
        elsewhere = self.refer(subject=Digest.of(b"elsewhere"))
        self.keep_index(self.described(plain), self.described(elsewhere))
        self.assertEqual([], self.digests())

    def test_deleted(self) -> None:
        """One that was deleted is left out, though the index has it still."""
        digest = self.refer()
        self.forget()
        self.keep_index(self.described(digest))
        self.ask("DELETE", f"/v2/a/b/manifests/{digest}")
        self.assertEqual([], self.digests())

    def test_content_gone(self) -> None:
        """One whose content is gone or broken is left out."""
        digest = self.refer()
        self.forget()
        self.keep_index(self.described(digest))
        writing = self.registry.driver.put_content(blob_data(digest), b"{}")
        self.successResultOf(writing)
        self.assertEqual([], self.digests())
        self.successResultOf(self.registry.driver.delete(blob_data(digest)))
        self.assertEqual([], self.digests())

    def test_index_gone(self) -> None:
        """An index whose content is gone has nothing in it."""
        digest = self.refer()
        self.keep_index(self.described(digest))
        answer = self.ask("GET", f"/v2/a/b/manifests/{referrers_tag(self.subject)}")
        path = blob_data(Digest.of(answer.body))
        self.successResultOf(self.registry.driver.delete(path))
        self.assertEqual([str(digest)], self.digests())

    def test_no_index(self) -> None:
        """Under the tag may be something else."""
        digest = self.refer()
        self.registry.push_image("a/b", str(referrers_tag(self.subject)))
        self.assertEqual([str(digest)], self.digests())

    def test_record_broken(self) -> None:
        """A record that is broken is made good from the manifest."""
        digest = self.refer()
        path = RepositoryLayout(Name("a/b")).referrer(self.subject, digest)
        for content in (b"", b"[]", b"{}", b"\xff"):
            self.successResultOf(self.registry.driver.put_content(path, content))
            self.assertEqual(SBOM, self.page()[0]["artifactType"])

    def test_docker_image(self) -> None:
        """A Docker manifest may refer as well."""
        config = self.registry.push_described("a/b", OCI_CONFIG, b"{}")
        manifest: dict[str, JSON] = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": config,
            "layers": [],
            "subject": self.subject_of(),
        }
        digest = self.registry.push_manifest("a/b", "", manifest)
        self.assertEqual([str(digest)], self.digests())
        self.assertEqual(child(encode(manifest))["mediaType"], DOCKER_MANIFEST)
