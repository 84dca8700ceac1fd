"""Conditions: If-Match and its kin on content that has a digest (RFC 9110, 13.1)."""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.http import parse_etags

from txregistry.oci.digest import Digest
from txregistry.oci.errors import Unsupported


class PreconditionFailed(Unsupported):
    """The content is not the one that the client means (RFC 9110, 15.5.13)."""

    status, message = 412, "the content has another digest"


def matches(headers: Sequence[str], digest: Digest, *, weakly: bool = True) -> bool:
    """Say whether a conditional header names a digest.

    Args:
        headers: The header's lines. Entity tags stand in quotes, but the Go registry
            also takes a bare digest, and so do we.
        digest: The content's.
        weakly: Whether a weak entity tag (``W/``) counts. It does for a client that
            has the content, but not for one that has a part and wants the rest.
    """
    for line in headers:
        tags = parse_etags(line)
        if str(digest) in tags or (weakly and tags.contains_weak(str(digest))):
            return True
    return False


def require_match(headers: Sequence[str], digest: Digest | None) -> None:
    """Check the lines of ``If-Match``, if there are any.

    Args:
        headers: The header's lines.
        digest: The content's; None: there is none.

    Raises:
        PreconditionFailed: They name other contents.
    """
    if not headers:
        return
    if digest is None:
        raise PreconditionFailed(message="there is no such content")
    if not matches(headers, digest, weakly=False):
        raise PreconditionFailed({"digest": str(digest)})


def require_no_match(headers: Sequence[str], digest: Digest | None) -> None:
    """Check the lines of ``If-None-Match`` of a request that changes something.

    Args:
        headers: The header's lines.
        digest: The content's; None: there is none.

    Raises:
        PreconditionFailed: They name the content, or any, and there is one.
    """
    if digest is not None and matches(headers, digest):
        raise PreconditionFailed(
            {"digest": str(digest)}, message="the content is there already"
        )
