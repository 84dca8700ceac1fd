"""Hashing: digests whose computing can be put down and taken up again.

The state of a hash is kept in the format of the Go registry's ``hashstates`` files,
which is that of Go's ``crypto/sha256`` and ``crypto/sha512``: a magic number, the
chaining value, the block that is not full yet, and the number of bytes, all big-endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Final

from attrs import frozen

from txregistry.oci.digest import ALGORITHMS, CANONICAL, Digest
from txregistry.oci.errors import DigestInvalid
from txregistry.oci.libcrypto import Functions, RunningHash, functions_for

Find = Callable[[str], Functions | None]

# SHA-256 counts bits in 64 of them.
_LONGEST: Final = 2**61 - 1


@frozen
class _Format:
    """How Go writes an algorithm's state.

    Attributes:
        magic: The first bytes.
        layout: Magic, the eight words of the chaining value, the block, the length.
        block: The block's size in bytes.
    """

    magic: bytes
    layout: struct.Struct
    block: int


_FORMATS: Final = {
    "sha256": _Format(b"sha\x03", struct.Struct(">4s8I64sQ"), 64),
    "sha384": _Format(b"sha\x04", struct.Struct(">4s8Q128sQ"), 128),
    "sha512": _Format(b"sha\x07", struct.Struct(">4s8Q128sQ"), 128),
}


class ResumableHash:
    """A digest in the making.

    Not to be used by two threads at once. Large pieces are hashed without the GIL.

    Attributes:
        algorithm: One of ``digest.ALGORITHMS``.
        length: The bytes hashed so far.
    """

    def __init__(
        self, algorithm: str = CANONICAL, *, find: Find = functions_for
    ) -> None:
        """Begin with no content.

        Args:
            algorithm: One of ``digest.ALGORITHMS``.
            find: Finds libcrypto's functions, or None for hashlib to do it.

        Raises:
            DigestInvalid: The algorithm is not supported.
        """
        if algorithm not in ALGORITHMS:
            raise DigestInvalid(algorithm, message="unsupported digest algorithm")
        self.algorithm = algorithm
        self.length = 0
        functions = find(algorithm)
        self._running = (
            hashlib.new(algorithm)
            if functions is None
            else RunningHash.begin(functions)
        )

    @classmethod
    def restore(
        cls, algorithm: str, state: bytes, *, find: Find = functions_for
    ) -> ResumableHash:
        """Go on from a state.

        Args:
            algorithm: That of the state.
            state: What ``state()`` or a Go registry made.
            find: Finds libcrypto's functions, or None for hashlib to do it.

        Raises:
            ValueError: It is no state of this algorithm (Go registries before 2.7
                wrote others), or states cannot be restored here.
            DigestInvalid: The algorithm is not supported.
        """
        new = cls(algorithm, find=find)
        if isinstance(new._running, RunningHash):
            new.length = _restore(_FORMATS[algorithm], new._running, state)
            return new
        raise ValueError("no libcrypto to go on with")

    def update(self, content: bytes | bytearray | memoryview) -> None:
        """Hash further bytes. A view must be one of bytes, contiguous."""
        self._running.update(content)
        self.length += len(content)

    def digest(self) -> Digest:
        """Return the digest of the content so far; more may follow."""
        return Digest(self.algorithm, self._running.digest().hex())

    def state(self) -> bytes | None:
        """Return what ``restore`` goes on from.

        None where there is no libcrypto: what was hashed must be read again.
        """
        if not isinstance(self._running, RunningHash):
            return None
        return _save(_FORMATS[self.algorithm], self._running, self.length)


def _save(form: _Format, running: RunningHash, length: int) -> bytes:
    """Write a running hash's state as Go does."""
    context = running.context
    tail = bytes(context.block)[: length % form.block]
    return form.layout.pack(form.magic, *context.words, tail, length)


def _restore(form: _Format, running: RunningHash, state: bytes) -> int:
    """Set a fresh running hash to a state; return the bytes that were hashed.

    Raises:
        ValueError: It is no state in this format.
    """
    if len(state) != form.layout.size or not state.startswith(form.magic):
        raise ValueError("not a state of this hash")
    length: int
    _, *words, block, length = form.layout.unpack(state)
    if length > _LONGEST:
        raise ValueError("a state after more bytes than can be hashed")
    running.set(words, block, length)
    return length
