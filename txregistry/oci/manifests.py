"""Manifests: image manifests, indexes and their kin (image-spec: Image Manifest)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import field, frozen

from txregistry.oci import mediatypes
from txregistry.oci.descriptors import Descriptor, Platform
from txregistry.oci.digest import Digest
from txregistry.oci.documents import Document, quoted
from txregistry.oci.errors import JSON, ManifestInvalid, Schema1Unsupported
from txregistry.oci.mediatypes import IMAGES, INDEXES, OCI_ARTIFACT, OCI_MANIFEST

__all__ = ["Descriptor", "Manifest", "Platform"]

# Which member lists the blobs beside the config.
_LAYERS: Final = {OCI_ARTIFACT: "blobs"}

# Only these may leave ``mediaType`` out: what is read back must tell what it is.
_UNDECLARED: Final = frozenset({OCI_MANIFEST, mediatypes.OCI_INDEX})


@frozen
class Manifest:
    """What a registry stores under a tag: an image, an index, or an artifact.

    Attributes:
        media_type: Of the manifest, one of ``mediatypes.MANIFESTS``.
        content: The bytes as they were pushed; the digest is over these.
        config: The configuration; None for indexes and artifact manifests.
        layers: The other blobs: an image's layers, an artifact manifest's blobs.
        manifests: What an index lists, in the client's order of preference. Mostly
            manifests, but BuildKit's cache lists blobs there.
        subject: The manifest that this one refers to; None for none.
        artifact_type: What is said in the manifest itself; None if nothing.
        annotations: What else is said about the whole.
    """

    media_type: str
    content: bytes = field(repr=False)
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(factory=dict, hash=False)

    @classmethod
    def parse(cls, content: bytes, media_type: str | None = None) -> Manifest:
        """Read a manifest.

        Takes some 50 ms a megabyte: read large ones off the reactor's thread.

        Args:
            content: The manifest.
            media_type: The ``Content-Type`` of a push, without parameters. None reads
                what is in a store: the manifest itself says what it is, and what
                an older registry let pass is let pass.

        Raises:
            Schema1Unsupported: It is one of Docker's first image manifests.
            ManifestInvalid: It is not what its media type says; the detail names
                the place.
        """
        strict = media_type is not None
        document = Document.load(content, strict=strict)
        if media_type is None:
            media_type = _infer_media_type(document)
        else:
            media_type = media_type.lower()
            _check_media_type(document, media_type)
            _check_shape(document, media_type)
        return cls(
            media_type=media_type,
            content=content,
            config=_descriptor(document, "config") if media_type in IMAGES else None,
            layers=_layers(document, media_type),
            manifests=_manifests(document, media_type),
            subject=_descriptor(document, "subject"),
            artifact_type=document.text("artifactType") or None,
            annotations=document.text_map("annotations"),
        )

    def references(self) -> tuple[Descriptor, ...]:
        """Return all that the manifest keeps alive: config, layers, manifests."""
        config = () if self.config is None else (self.config,)
        return (*config, *self.layers, *self.manifests)

    def required_blobs(self) -> tuple[Descriptor, ...]:
        """Return the config and the layers that the repository must hold."""
        layers = tuple(each for each in self.layers if not _is_foreign(each))
        return layers if self.config is None else (self.config, *layers)

    def foreign_layers(self) -> tuple[Descriptor, ...]:
        """Return the layers that the repository need not hold.

        Docker's foreign layers always, with ``urls`` or (which is wrong) without;
        OCI's non-distributable ones when they have ``urls``.
        """
        return tuple(each for each in self.layers if _is_foreign(each))

    def layers_with_urls(self) -> tuple[Descriptor, ...]:
        """Return the layers whose ``urls`` a policy judges, foreign or not."""
        return tuple(each for each in self.layers if each.urls)

    def artifact_class(self) -> str | None:
        """Return what policy calls it: ``image``, ``plugin``, or None for neither.

        Indexes have no class, which is not the same to a policy as a config that is
        of neither class: ``config`` tells.
        """
        if self.config is None:
            return None
        if self.config.media_type in mediatypes.IMAGE_CONFIGS:
            return "image"
        return "plugin" if self.config.media_type == mediatypes.DOCKER_PLUGIN else None

    def referrer(self, digest: Digest) -> Descriptor:
        """Describe this manifest as a list of referrers does.

        Args:
            digest: Of this manifest, as its subject's repository knows it.
        """
        artifact_type = self.artifact_type
        # Spec, Listing Referrers: an image's config stands in; an index has none.
        if artifact_type is None and self.config is not None:
            artifact_type = self.config.media_type
        return Descriptor(
            media_type=self.media_type,
            digest=digest,
            size=len(self.content),
            annotations=self.annotations,
            artifact_type=artifact_type,
        )


def _infer_media_type(document: Document) -> str:
    """Tell from a stored manifest what it was pushed as.

    Raises:
        Schema1Unsupported: It is one of Docker's first image manifests.
        ManifestInvalid: It is nothing that we know.
    """
    version = document.members.get("schemaVersion")
    declared = document.text("mediaType")
    if declared == OCI_ARTIFACT:
        return declared
    if _is_version(version, 1):
        raise Schema1Unsupported
    if not _is_version(version, 2):
        raise document.invalid("schemaVersion", "not 2")
    if declared in mediatypes.MANIFESTS:
        return declared
    if declared:
        raise document.invalid("mediaType", f"unsupported: {quoted(declared)}")
    return mediatypes.OCI_INDEX if document.has("manifests") else OCI_MANIFEST


def _check_media_type(document: Document, media_type: str) -> None:
    """Check that a pushed manifest is of the type it is pushed as.

    Raises:
        Schema1Unsupported: The type is that of Docker's first image manifests.
        ManifestInvalid: The type is unknown, or the manifest is of another.
    """
    if media_type in mediatypes.SCHEMA1S:
        raise Schema1Unsupported
    if media_type not in mediatypes.MANIFESTS:
        raise ManifestInvalid(f"unsupported manifest media type {quoted(media_type)}")
    declared = document.text("mediaType")
    if declared != media_type and (declared or media_type not in _UNDECLARED):
        problem = f"{quoted(declared)}, but pushed as {quoted(media_type)}"
        raise document.invalid("mediaType", problem)
    version = document.members.get("schemaVersion")
    if media_type != OCI_ARTIFACT and not _is_version(version, 2):
        raise document.invalid("schemaVersion", "not 2")


def _check_shape(document: Document, media_type: str) -> None:
    """Check that a pushed manifest cannot be taken for one of another type.

    One client reading layers where another reads manifests is CVE-2021-41190.

    Raises:
        ManifestInvalid: It has members of another type or lacks its own.
    """
    if media_type in INDEXES:
        _check_index(document)
    elif media_type in IMAGES:
        if document.has("manifests"):
            raise document.invalid("manifests", "expected an image, found an index")
        if not document.has("config"):
            raise document.invalid("config", "missing")


def _check_index(document: Document) -> None:
    """Check that a pushed index is one, and will be known for one when read.

    Raises:
        ManifestInvalid: It has an image's members, or no ``manifests``.
    """
    for key in ("config", "layers"):
        if document.has(key):
            raise document.invalid(key, "expected an index, found an image")
    # Go writes an empty list as null, which only ``mediaType`` tells from an image.
    empty = "manifests" in document.members and document.text("mediaType")
    if not document.has("manifests") and not empty:
        raise document.invalid("manifests", "missing")


def _is_version(version: JSON, wanted: int) -> bool:
    """Tell whether a ``schemaVersion`` is the integer wanted."""
    return type(version) is int and version == wanted


def _layers(document: Document, media_type: str) -> tuple[Descriptor, ...]:
    """Read the blobs beside the config."""
    if media_type in INDEXES:
        return ()
    return _descriptors(document, _LAYERS.get(media_type, "layers"))


def _manifests(document: Document, media_type: str) -> tuple[Descriptor, ...]:
    """Read what an index lists."""
    return _descriptors(document, "manifests") if media_type in INDEXES else ()


def _descriptor(document: Document, key: str) -> Descriptor | None:
    """Read a descriptor; None when it is absent.

    Raises:
        ManifestInvalid: It is none (strict documents only).
    """
    if not document.has(key):
        return None
    element = (document.place(key), document.members[key])
    found = _parse_all([element], strict=document.strict)
    return found[0] if found else None


def _descriptors(document: Document, key: str) -> tuple[Descriptor, ...]:
    """Read an array of descriptors.

    Raises:
        ManifestInvalid: One of them is none (strict documents only).
    """
    return _parse_all(document.array(key), strict=document.strict)


def _parse_all(
    elements: Iterable[tuple[str, JSON]], *, strict: bool
) -> tuple[Descriptor, ...]:
    """Read descriptors; unless strict, leave out those that name no content.

    Raises:
        ManifestInvalid: One of them is none (strict only).
    """
    found = []
    for where, value in elements:
        try:
            found.append(Descriptor.parse(value, where, strict=strict))
        except ManifestInvalid:
            if strict:
                raise
    return tuple(found)


def _is_foreign(layer: Descriptor) -> bool:
    """Tell whether a layer may lie elsewhere."""
    if layer.media_type in mediatypes.DOCKER_FOREIGN_LAYERS:
        return True
    return bool(layer.urls) and layer.media_type in mediatypes.OCI_FOREIGN_LAYERS
