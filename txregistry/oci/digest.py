"""Digests: content addresses (OCI image-spec, descriptor: Digests)."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from attrs import frozen

from txregistry.oci.errors import DigestInvalid

CANONICAL: Final = "sha256"

_ENCODED: Final = {
    "sha256": re.compile("[0-9a-f]{64}"),
    "sha384": re.compile("[0-9a-f]{96}"),
    "sha512": re.compile("[0-9a-f]{128}"),
}

ALGORITHMS: Final = frozenset(_ENCODED)

# ``hashlib.new`` would look for them at each content.
_HASHES: Final = {
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
    "sha512": hashlib.sha512,
}


@frozen(order=True)
class Digest:
    """An algorithm and what it made of a content.

    Attributes:
        algorithm: One of ``ALGORITHMS``.
        encoded: Lower-case hexadecimal of the algorithm's length.
    """

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``<algorithm>:<encoded>``.

        Raises:
            DigestInvalid: It is malformed, or of an algorithm that is not supported.
        """
        algorithm, colon, encoded = text.partition(":")
        pattern = _ENCODED.get(algorithm)
        if not colon or pattern is None or pattern.fullmatch(encoded) is None:
            raise DigestInvalid(text[:256], message="invalid or unsupported digest")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = CANONICAL) -> Digest:
        """Compute a content's digest."""
        return cls(algorithm, _HASHES[algorithm](content).hexdigest())

    def is_of(self, content: bytes) -> bool:
        """Say whether it is a content's."""
        return Digest.of(content, self.algorithm) == self

    def __str__(self) -> str:
        """Return ``<algorithm>:<encoded>``."""
        return f"{self.algorithm}:{self.encoded}"
