"""Conditions: If-None-Match and its kin on content that has a digest (RFC 9110)."""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.http import parse_etags

from txregistry.oci.digest import Digest


def matches(headers: Sequence[str], digest: Digest) -> bool:
    """Say whether a conditional header names a digest.

    Args:
        headers: The header's lines. Entity tags stand in quotes, but the Go registry
            also takes a bare digest, and so do we.
        digest: The content's.
    """
    return any(parse_etags(line).contains_weak(str(digest)) for line in headers)
