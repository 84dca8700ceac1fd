"""Images: made here, and laid out in folders as OCI image layouts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.real.wire import INDEX, MANIFEST, Wire

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MIB = 1024 * 1024


@frozen
class Layer:
    """A layer held in memory.

    Attributes:
        blob: What is stored: a tar file, gzipped.
        diff_id: The digest of the tar file.
    """

    blob: bytes
    diff_id: str


@frozen
class Image:
    """An image manifest and all that it points to.

    Attributes:
        manifest: The manifest's bytes.
        blobs: The config and the layers, by digest.
    """

    manifest: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)

    @property
    def config_digest(self) -> str:
        """The config's digest, which engines use as the image's id."""
        return str(json.loads(self.manifest)["config"]["digest"])


@frozen
class Index:
    """An image index and its images.

    Attributes:
        manifest: The index's bytes.
        images: Its images.
    """

    manifest: bytes
    images: Sequence[Image]

    @property
    def digest(self) -> str:
        """The index's digest."""
        return digest_of(self.manifest)


def digest_of(content: bytes) -> str:
    """Return the sha256 digest of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def encoded(value: Any) -> bytes:
    """Write JSON as small as it gets."""
    return json.dumps(value, separators=(",", ":")).encode()


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    """Describe some content."""
    return {
        "mediaType": media_type,
        "digest": digest_of(content),
        "size": len(content),
    }


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Write some files as a tar file."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return plain.getvalue()


def make_layer(files: Mapping[str, bytes]) -> Layer:
    """Make a layer of files."""
    plain = tar_of(files)
    return Layer(gzip.compress(plain, compresslevel=1, mtime=0), digest_of(plain))


def random_layers() -> list[Layer]:
    """Make layers of bytes that compress badly, well, and hardly exist."""
    return [
        make_layer({"noise": os.urandom(3 * MIB)}),
        make_layer({"zeros": bytes(8 * MIB), "text": b"all work and no play\n" * 9999}),
        make_layer({f"small/{os.urandom(4).hex()}": b""}),
    ]


def make_config(diff_ids: Sequence[str], architecture: str = "amd64") -> bytes:
    """Make the config of an image for Linux."""
    return encoded(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": ["/noise"], "Labels": {"made": os.urandom(8).hex()}},
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
            "history": [{"created_by": "txregistry's tests"} for _ in diff_ids],
        }
    )


def make_image(layers: Sequence[Layer], architecture: str = "amd64") -> Image:
    """Make an image of layers."""
    config = make_config([layer.diff_id for layer in layers], architecture)
    manifest = encoded(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": [descriptor(LAYER, layer.blob) for layer in layers],
        }
    )
    blobs = [config, *(layer.blob for layer in layers)]
    return Image(manifest, {digest_of(blob): blob for blob in blobs})


def make_index(architectures: Sequence[str]) -> Index:
    """Make an index of images for some architectures, which share a layer."""
    shared = make_layer({"shared": os.urandom(MIB)})
    images = [
        make_image([shared, make_layer({"own": os.urandom(MIB)})], architecture)
        for architecture in architectures
    ]
    manifests = [
        {
            **descriptor(MANIFEST, image.manifest),
            "platform": {"architecture": architecture, "os": "linux"},
        }
        for image, architecture in zip(images, architectures, strict=True)
    ]
    content = encoded({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
    return Index(content, images)


def push_image(wire: Wire, name: str, tag: str, image: Image) -> None:
    """Push an image by plain requests."""
    for digest, content in image.blobs.items():
        wire.push_blob(name, digest, content)
    wire.push_manifest(name, tag, image.manifest)


def write_layout(folder: Path, content: Image | Index, tag: str = "latest") -> str:
    """Write an image or an index as an OCI image layout.

    Args:
        folder: The layout's folder.
        content: The image or the index.
        tag: The name in the layout.

    Returns:
        The layout as skopeo names it.
    """
    images = [content] if isinstance(content, Image) else content.images
    for image in images:
        for blob in [*image.blobs.values(), image.manifest]:
            _write_blob(folder, blob)
    _write_blob(folder, content.manifest)
    media_type = MANIFEST if isinstance(content, Image) else INDEX
    return finish_layout(folder, descriptor(media_type, content.manifest), tag)


def finish_layout(folder: Path, top: Mapping[str, Any], tag: str = "latest") -> str:
    """Write the files of a layout that are not blobs; for the result see write_layout.

    Args:
        folder: The layout's folder.
        top: The descriptor of its one manifest.
        tag: The name in the layout.
    """
    named = {**top, "annotations": {"org.opencontainers.image.ref.name": tag}}
    (folder / "oci-layout").write_bytes(encoded({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(
        encoded({"schemaVersion": 2, "manifests": [named]})
    )
    return f"oci:{folder}:{tag}"


def read_layout(folder: Path) -> tuple[str, set[str]]:
    """Read a layout.

    Returns:
        The digest of its one manifest, and the digests of all that lies in it, computed
        from what lies there.
    """
    index = json.loads((folder / "index.json").read_bytes())
    [top] = index["manifests"]
    found = {digest_of_file(path) for path in _blobs_folder(folder).iterdir()}
    return top["digest"], found


def digest_of_file(path: Path) -> str:
    """Return the sha256 digest of a file's content."""
    with path.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def layers_of(manifest: bytes) -> list[str]:
    """Return the digests of the layers that an image manifest names."""
    return [layer["digest"] for layer in json.loads(manifest)["layers"]]


def digests_in(content: Image | Index) -> set[str]:
    """Return the digests of all that an image or an index consists of."""
    images = [content] if isinstance(content, Image) else content.images
    digests = {content.digest}
    for image in images:
        digests |= {image.digest, *image.blobs}
    return digests


def write_large_layout(folder: Path, size: int) -> tuple[str, str, str]:
    """Write the layout of an image with one large layer, in little memory.

    The layer's one file does not compress; it lies in the gzip file as it is.

    Args:
        folder: The layout's folder.
        size: The file's size, a multiple of 64 MiB.

    Returns:
        The layout as skopeo names it, the manifest's digest, and the config's.
    """
    blobs = _blobs_folder(folder)
    unnamed = blobs / "layer"
    diff_hash = hashlib.sha256()
    with (
        unnamed.open("wb") as stored,
        gzip.GzipFile("", "wb", compresslevel=0, fileobj=stored, mtime=0) as packed,
    ):
        for piece in _tar_of_noise(size):
            diff_hash.update(piece)
            packed.write(piece)
    digest = digest_of_file(unnamed)
    layer = {
        "mediaType": LAYER,
        "digest": digest,
        "size": unnamed.stat().st_size,
    }
    unnamed.rename(blobs / digest.partition(":")[2])
    config = make_config([f"sha256:{diff_hash.hexdigest()}"])
    manifest = encoded(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": [layer],
        }
    )
    for blob in (config, manifest):
        _write_blob(folder, blob)
    layout = finish_layout(folder, descriptor(MANIFEST, manifest))
    return layout, digest_of(manifest), digest_of(config)


def _tar_of_noise(size: int) -> Iterator[bytes]:
    entry = tarfile.TarInfo("noise")
    entry.size = size
    yield entry.tobuf(tarfile.PAX_FORMAT)
    noise = os.urandom(64 * MIB - 8)
    for number in range(size // (64 * MIB)):
        yield number.to_bytes(8, "big") + noise
    yield bytes(2 * tarfile.BLOCKSIZE)


def _blobs_folder(folder: Path) -> Path:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    return blobs


def _write_blob(folder: Path, content: bytes) -> None:
    encoded_digest = digest_of(content).partition(":")[2]
    (_blobs_folder(folder) / encoded_digest).write_bytes(content)
