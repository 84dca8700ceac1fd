"""Tests of txregistry.web.routes.manifests: changes on conditions (RFC 9110, 13.1)."""

from __future__ import annotations

from tests.unit.web.routes.manifest_case import ManifestCase, target
from txregistry.oci.digest import Digest
from txregistry.oci.mediatypes import OCI_MANIFEST
from txregistry.oci.names import Name
from txregistry.registry.layout import RepositoryLayout

ABSENT = Digest.of(b"absent")


class ConditionsCase(ManifestCase):
    """A repository with one manifest and another one to push."""

    def setUp(self) -> None:
        """Push the one."""
        super().setUp()
        self.old, self.new = self.image(), self.image(content=b"another layer")
        self.etag = f'"{Digest.of(self.old)}"'
        self.assertEqual(201, self.put("latest", self.old).status)

    def change(self, method: str, tag_or_digest: object, name: str, value: str) -> int:
        """Push the other manifest, or delete, on a condition; return the status."""
        headers = {"Content-Type": OCI_MANIFEST, name: value}
        body = self.new if method == "PUT" else None
        answer = self.ask(method, target(tag_or_digest), headers, body)
        if answer.status == 412:
            self.assert_refused(answer, 412, "UNSUPPORTED")
        return answer.status


class PutTests(ConditionsCase):
    """PUT."""

    def test_if_match(self) -> None:
        """If-Match has the tag stay if it points to another manifest by now."""
        other = f'"{ABSENT}"'
        self.assertEqual(412, self.change("PUT", "latest", "If-Match", other))
        self.assertEqual(self.old, self.pull("latest").body)
        self.assertEqual(201, self.change("PUT", "latest", "If-Match", self.etag))
        self.assertEqual(self.new, self.pull("latest").body)

    def test_if_match_nothing(self) -> None:
        """If-Match is not met by a tag that is not there."""
        for value in (self.etag, "*"):
            self.assertEqual(412, self.change("PUT", "nope", "If-Match", value))
        self.assertEqual(404, self.pull("nope").status)

    def test_if_none_match(self) -> None:
        """'If-None-Match: *' makes new tags only."""
        self.assertEqual(412, self.change("PUT", "latest", "If-None-Match", "*"))
        self.assertEqual(self.old, self.pull("latest").body)
        self.assertEqual(201, self.change("PUT", "nope", "If-None-Match", "*"))

    def test_by_digest(self) -> None:
        """Of a push by digest it is that manifest which counts."""
        digest = Digest.of(self.new)
        self.assertEqual(412, self.change("PUT", digest, "If-Match", "*"))
        self.assertEqual(201, self.change("PUT", digest, "If-None-Match", "*"))
        self.assertEqual(412, self.change("PUT", digest, "If-None-Match", "*"))

    def test_dangling(self) -> None:
        """A tag whose manifest is gone is as good as none."""
        link = RepositoryLayout(Name("a/b")).revision_link(Digest.of(self.old))
        self.successResultOf(self.registry.driver.delete(link))
        self.assertEqual(201, self.change("PUT", "latest", "If-None-Match", "*"))


class DeleteTests(ConditionsCase):
    """DELETE."""

    def test_if_match(self) -> None:
        """If-Match has a tag stay that points to another manifest by now."""
        other = f'"{ABSENT}"'
        self.assertEqual(412, self.change("DELETE", "latest", "If-Match", other))
        self.assertEqual(202, self.change("DELETE", "latest", "If-Match", self.etag))
        self.assertEqual(404, self.pull("latest").status)

    def test_by_digest(self) -> None:
        """So it is with manifests."""
        digest = Digest.of(self.old)
        self.assertEqual(412, self.change("DELETE", digest, "If-None-Match", "*"))
        self.assertEqual(202, self.change("DELETE", digest, "If-Match", "*"))

    def test_nothing_there(self) -> None:
        """What is not there is a 404, whatever the condition."""
        for tag_or_digest in ("nope", ABSENT):
            for name in ("If-Match", "If-None-Match"):
                self.assertEqual(404, self.change("DELETE", tag_or_digest, name, "*"))
