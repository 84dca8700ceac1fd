"""Errors: one class per code of the distribution spec's error envelope.

A class carries what the wire needs (``code``, ``status``, ``message``); an instance
carries the ``detail`` and, where the spec asks for them, headers. Only
``txregistry.web.answers`` writes them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]


class RegistryError(Exception):
    """Something that a client is told in the error envelope (spec: Error Codes).

    Attributes:
        code: The identifier on the wire.
        status: The HTTP status.
        message: One sentence for a person.
        detail: More about it, JSON; None leaves it out.
        headers: Headers that belong to the answer.
    """

    code: ClassVar[str] = "UNKNOWN"
    status: int = 500
    message: str = "unknown error"

    def __init__(
        self,
        detail: JSON = None,
        *,
        message: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take the detail; a message in place of the class's; headers."""
        if message is not None:
            self.message = message
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(f"{self.code}: {self.message} ({detail!r})")

    def to_json(self) -> dict[str, JSON]:
        """Return the error's element of the envelope."""
        element: dict[str, JSON] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            element["detail"] = self.detail
        return element

    def to_document(self) -> dict[str, JSON]:
        """Return the error envelope (spec: Error Codes)."""
        return {"errors": [self.to_json()]}


class BlobUnknown(RegistryError):
    """The repository holds no blob with the digest asked for (code-1)."""

    code, status, message = "BLOB_UNKNOWN", 404, "blob unknown to registry"


class BlobUploadInvalid(RegistryError):
    """The push location is forged, or of another repository or session (code-2)."""

    code, status, message = "BLOB_UPLOAD_INVALID", 404, "blob upload invalid"


class BlobUploadUnknown(RegistryError):
    """There is no such upload session, or there is none any more (code-3)."""

    code, status = "BLOB_UPLOAD_UNKNOWN", 404
    message = "blob upload unknown to registry"


class BlobUploadBusy(RegistryError):
    """Another request is writing to the upload session (code-2)."""

    code, status = "BLOB_UPLOAD_INVALID", 409
    message = "another request is writing to this upload"


class DigestInvalid(RegistryError):
    """A digest is malformed, unsupported, or not that of the content (code-4)."""

    code, status = "DIGEST_INVALID", 400
    message = "provided digest did not match uploaded content"


class ManifestBlobUnknown(RegistryError):
    """A manifest names a blob or manifest that the repository lacks (code-5)."""

    code, status = "MANIFEST_BLOB_UNKNOWN", 400
    message = "manifest references a manifest or blob unknown to registry"


class ManifestInvalid(RegistryError):
    """A manifest is not what its media type says (code-6)."""

    code, status, message = "MANIFEST_INVALID", 400, "manifest invalid"


class Schema1Unsupported(ManifestInvalid):
    """A manifest is one of Docker's first, of schema version 1."""

    message = "manifests of schema version 1 are not supported by this version"


class ManifestTooLarge(ManifestInvalid):
    """A manifest is over the limit (spec: Pushing Manifests)."""

    status, message = 413, "manifest is larger than this registry accepts"


class ManifestUnknown(RegistryError):
    """The repository holds no such manifest (code-7)."""

    code, status, message = "MANIFEST_UNKNOWN", 404, "manifest unknown to registry"


class NameInvalid(RegistryError):
    """A repository name does not match the grammar (code-8)."""

    code, status, message = "NAME_INVALID", 400, "invalid repository name"


class NameUnknown(RegistryError):
    """There is no such repository (code-9)."""

    code, status = "NAME_UNKNOWN", 404
    message = "repository name not known to registry"


class TagInvalid(RegistryError):
    """A tag does not match the grammar; a code of the Docker Registry HTTP API V2."""

    code, status, message = "TAG_INVALID", 400, "invalid tag"


class SizeInvalid(RegistryError):
    """A length does not match what was sent (code-10)."""

    code, status = "SIZE_INVALID", 400
    message = "provided length did not match content length"


class RangeInvalid(RegistryError):
    """A chunk does not go on where the upload stands; a code of Go registry 3."""

    code, status, message = "RANGE_INVALID", 416, "invalid content range"


class RangeMalformed(RangeInvalid):
    """A ``Content-Range`` is not ``<first>-<last>`` (end-5)."""

    status, message = 400, "malformed content range"


class RangeNotSatisfiable(RangeInvalid):
    """A ``Range`` begins beyond the end of the content (RFC 9110 15.5.17)."""

    message = "requested range not satisfiable"

    def __init__(self, size: int) -> None:
        """Take the content's size in bytes."""
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


class PaginationNumberInvalid(RegistryError):
    """``n`` is not a number this registry pages by; a code of the Go registry."""

    code, status = "PAGINATION_NUMBER_INVALID", 400
    message = "invalid number of results requested"


class Unsupported(RegistryError):
    """The operation is not offered here (code-13)."""

    code, status, message = "UNSUPPORTED", 405, "the operation is unsupported"


class TooManyTags(Unsupported):
    """A push by digest has more ``tag`` parameters than are taken (end-7b)."""

    status, message = 414, "too many tag parameters"


class UnsupportedMediaType(Unsupported):
    """A body comes in a media type that the endpoint does not take."""

    status, message = 415, "unsupported media type"


class Denied(RegistryError):
    """Policy forbids it (code-12)."""

    code, status = "DENIED", 403
    message = "requested access to the resource is denied"


class Unauthorized(RegistryError):
    """The client must say who it is, or show that it may (code-11)."""

    code, status, message = "UNAUTHORIZED", 401, "authentication required"


class TooManyRequests(RegistryError):
    """The client is to come again later (code-14)."""

    code, status, message = "TOOMANYREQUESTS", 429, "too many requests"


class Unavailable(RegistryError):
    """The registry cannot serve now; a code of the Go registry."""

    code, status, message = "UNAVAILABLE", 503, "service unavailable"


class StorageExhausted(Unavailable):
    """The store has no room for what a client pushes."""

    status, message = 507, "the registry's storage is full"


class BadRequest(Unsupported):
    """A request is not what HTTP or the API allows, and no other code says how."""

    status, message = 400, "malformed request"


class Several(RegistryError):
    """More than one thing is wrong; the first one's status is the answer's.

    Attributes:
        errors: What is wrong, at least one.
    """

    def __init__(self, errors: Sequence[RegistryError]) -> None:
        """Take the errors."""
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.detail, message=first.message, headers=first.headers)
        self.status = first.status

    def to_document(self) -> dict[str, JSON]:
        """See RegistryError."""
        return {"errors": [error.to_json() for error in self.errors]}
