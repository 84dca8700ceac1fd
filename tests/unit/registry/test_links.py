"""Tests of txregistry.registry.links."""

from __future__ import annotations

from tests.unit.registry.case import StoreCase
from txregistry.oci.digest import Digest
from txregistry.registry import links

DIGEST = Digest.of(b"")


class LinksTests(StoreCase):
    """Small files that hold a digest."""

    def test_round_trip(self) -> None:
        """What was written is read; it is the digest's text and nothing else."""
        self.run_now(links.write(self.driver, "/a/link", DIGEST))
        self.assertEqual(DIGEST, self.run_now(links.read(self.driver, "/a/link")))
        content = self.successResultOf(self.driver.get_content("/a/link"))
        self.assertEqual(str(DIGEST).encode(), content)

    def test_none(self) -> None:
        """There may be no link, or a folder in its place."""
        self.put("/a/b", b"")
        for path in ("/a", "/link"):
            self.assertIsNone(self.run_now(links.read(self.driver, path)))

    def test_broken(self) -> None:
        """A link that is empty or broken is none."""
        for content in (b"", b"sha256:", b"sha256:zz", b"\xff\xfe", b"tarsum:1"):
            self.put("/link", content)
            self.assertIsNone(self.run_now(links.read(self.driver, "/link")))

    def test_blanks(self) -> None:
        """Blanks around a digest do not matter."""
        self.put("/link", f" {DIGEST}\r\n".encode())
        self.assertEqual(DIGEST, self.run_now(links.read(self.driver, "/link")))
