"""Descriptors: what a manifest says about content it names (image-spec: Descriptor)."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from txregistry.oci.digest import Digest
from txregistry.oci.documents import Document, quoted
from txregistry.oci.errors import JSON, DigestInvalid


@frozen
class Platform:
    """What an image runs on (image-spec: Image Index, ``platform``).

    Attributes:
        os: The operating system in Go's words, ``linux``; may be empty.
        architecture: The processor in Go's words, ``amd64``; may be empty.
        variant: Of the processor, ``v8``; empty for none.
        os_version: Of the operating system; empty for none.
        os_features: What the operating system must offer, ``win32k``.
        features: What the processor must offer; Docker's lists only.
    """

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Document) -> Platform:
        """Read a platform.

        Raises:
            ManifestInvalid: A member is of a wrong type (strict documents only).
        """
        return cls(
            os=document.text("os"),
            architecture=document.text("architecture"),
            variant=document.text("variant"),
            os_version=document.text("os.version"),
            os_features=document.texts("os.features"),
            features=document.texts("features"),
        )

    def to_json(self) -> dict[str, JSON]:
        """Return it with the specification's names."""
        optional: dict[str, JSON] = {
            "os.version": self.os_version,
            "os.features": list(self.os_features),
            "variant": self.variant,
            "features": list(self.features),
        }
        required: dict[str, JSON] = {"architecture": self.architecture, "os": self.os}
        return required | {key: value for key, value in optional.items() if value}


@frozen
class Descriptor:
    """What some content is: its type, address and length.

    Attributes:
        media_type: Of the content.
        digest: Of the content.
        size: In bytes.
        urls: From where else it may be had.
        annotations: What else is said about it.
        artifact_type: The kind of artifact when it is one; None if not said.
        platform: What the image runs on; None if not said.
    """

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(factory=dict, hash=False)
    artifact_type: str | None = None
    platform: Platform | None = None

    @classmethod
    def parse(cls, json: JSON, where: str, *, strict: bool = True) -> Descriptor:
        """Read a descriptor.

        Args:
            json: The descriptor.
            where: Its place for messages, ``layers[3]``.
            strict: False takes what older registries took: of the members only the
                digest must be right, anything else that is wrong counts as absent.

        Raises:
            ManifestInvalid: It is no descriptor; the detail names the place.
        """
        document = Document.of(json, where, strict=strict)
        media_type = document.text("mediaType")
        if strict and not media_type:
            raise document.invalid("mediaType", "missing")
        platform = document.document("platform")
        return cls(
            media_type=media_type,
            digest=_parse_digest(document),
            size=document.size("size"),
            urls=document.texts("urls"),
            annotations=document.text_map("annotations"),
            artifact_type=document.text("artifactType") or None,
            platform=None if platform is None else Platform.parse(platform),
        )

    def to_json(self) -> dict[str, JSON]:
        """Return it with the specification's names; what is empty is left out."""
        required: dict[str, JSON] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        optional: dict[str, JSON] = {
            "urls": list(self.urls),
            "annotations": dict(self.annotations),
            "artifactType": self.artifact_type,
            "platform": None if self.platform is None else self.platform.to_json(),
        }
        return required | {key: value for key, value in optional.items() if value}


def _parse_digest(document: Document) -> Digest:
    """Read a descriptor's digest.

    Raises:
        ManifestInvalid: It is missing, malformed, or of an algorithm we do not have.
    """
    text = document.text("digest")
    if not text:
        raise document.invalid("digest", "missing")
    try:
        return Digest.parse(text)
    except DigestInvalid as error:
        problem = f"{error.message}: {quoted(text)}"
        raise document.invalid("digest", problem) from error
