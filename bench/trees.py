"""Trees: what registries serve, written straight into the store that they share."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from bench.aside import Aside
from tests.real.images import make_image, make_layer
from txregistry.oci.digest import Digest
from txregistry.oci.names import Name, Tag
from txregistry.registry.layout import RepositoryLayout, blob_data

MIB: Final = 1024 * 1024
IMAGES: Final = "bench/images"
TAGS: Final = [f"v{number}" for number in range(16)]
BLOBS: Final = "bench/blobs"
_STEP: Final = 8 * MIB


class Tree:
    """The store's folder of one registry.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path, aside: Aside) -> None:
        """Take the folder, which need not be there.

        Args:
            root: The folder.
            aside: Where to what is no longer served goes.
        """
        self.root = root
        self._aside = aside
        self._large: dict[int, str] = {}
        self._digests: list[str] = []
        self._blobs: list[str] = []

    def images(self) -> tuple[list[str], list[str]]:
        """Hold some small images, tagged ``TAGS``.

        Returns:
            The digests of their manifests, and of their layers.
        """
        if not self._digests:
            for tag in TAGS:
                layer = make_layer({"noise": os.urandom(512)})
                image = make_image([layer])
                for content in image.blobs.values():
                    self._link_layer(IMAGES, self._write_blob(content))
                self._tag(IMAGES, tag, self._write_manifest(IMAGES, image.manifest))
                self._digests.append(image.digest)
                self._blobs.append(list(image.blobs)[-1])
        return self._digests, self._blobs

    def large_blob(self, size: int) -> str:
        """Hold a blob of random bytes; return its digest.

        Args:
            size: Its bytes, a multiple of 4 MiB.
        """
        if size not in self._large:
            self.root.mkdir(parents=True, exist_ok=True)
            unnamed = self.root / f"blob-{size}"
            content_hash = hashlib.sha256()
            with unnamed.open("wb") as content:
                for start in range(0, size, _STEP):
                    piece = os.urandom(min(_STEP, size - start))
                    content_hash.update(piece)
                    content.write(piece)
                content.flush()
                os.fsync(content.fileno())
            digest = Digest.parse(f"sha256:{content_hash.hexdigest()}")
            place = self._path(blob_data(digest))
            place.parent.mkdir(parents=True, exist_ok=True)
            unnamed.rename(place)
            self._link_layer(BLOBS, digest)
            self._large[size] = str(digest)
        return self._large[size]

    def blob_path(self, digest: str) -> Path:
        """Return where a blob's bytes lie."""
        return self._path(blob_data(Digest.parse(digest)))

    def remove(self, name: str) -> None:
        """Move away a repository, and the blobs and manifests that it links."""
        layout = RepositoryLayout(Name.parse(name))
        root = self._path(layout.root)
        for link in [
            *root.glob("_layers/*/*/link"),
            *root.glob("_manifests/revisions/*/*/link"),
        ]:
            text = link.read_text(encoding="ascii")
            if text:  # the Go registry writes it in place, and may not have done so
                self._aside.take(self.blob_path(text).parent)
        self._aside.take(root)

    def _write_blob(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        self._write(blob_data(digest), content)
        return digest

    def _write_manifest(self, name: str, content: bytes) -> Digest:
        digest = self._write_blob(content)
        layout = RepositoryLayout(Name.parse(name))
        self._write(layout.revision_link(digest), str(digest).encode())
        return digest

    def _link_layer(self, name: str, digest: Digest) -> None:
        layout = RepositoryLayout(Name.parse(name))
        self._write(layout.layer_link(digest), str(digest).encode())

    def _tag(self, name: str, tag: str, digest: Digest) -> None:
        layout = RepositoryLayout(Name.parse(name))
        parsed = Tag.parse(tag)
        self._write(layout.tag_link(parsed), str(digest).encode())
        self._write(layout.tag_index_link(parsed, digest), str(digest).encode())

    def _write(self, path: str, content: bytes) -> None:
        place = self._path(path)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    def _path(self, path: str) -> Path:
        return self.root / path.lstrip("/")
