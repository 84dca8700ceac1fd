"""Records: what the journal's files hold. Pure.

A file is a row of records from its beginning on, each at a multiple of ``BLOCK``::

    crc32 of what follows, generation, offset, length of the body   (24 bytes)
    entries: kind, length of the path, length of the content, path, content
    zeros up to the next multiple

The first record names the generation; the row ends where one does not belong to it, is
not at its offset, or is not whole. So what an earlier generation left behind counts for
nothing, and neither does what a crash tore.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias
from zlib import crc32

from attrs import frozen

# Nothing that was written before is written again with what follows: a disk that loses
# its power may tear what it writes.
BLOCK: Final = 4096

_CHECKSUM: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<QQI")
_ENTRY: Final = struct.Struct("<cII")
_START: Final = _CHECKSUM.size + _HEAD.size


@frozen
class Written:
    """A file is written whole.

    Attributes:
        path: The file, as drivers know it.
        content: What is in it then.
    """

    path: str
    content: bytes


@frozen
class Moved:
    """A file that is durable takes another place.

    Attributes:
        path: Where it is then, as drivers know it.
        source: Where it was; the same: it stays there.
        inode: Its number, so that it is not taken for one that took its place since.
    """

    path: str
    source: str
    inode: int


@frozen
class Gone:
    """A file, or a directory and all below it, is away.

    Attributes:
        path: The path, as drivers know it.
    """

    path: str


Entry: TypeAlias = Written | Moved | Gone
"""One change, as the journal keeps it."""

_KINDS: Final[dict[type[Entry], bytes]] = {Written: b"W", Moved: b"M", Gone: b"G"}


def pack(generation: int, offset: int, entries: Sequence[Entry]) -> bytes:
    """Return a record.

    Args:
        generation: That of the file, below 2**64.
        offset: Where in the file it is to be.
        entries: What it is to hold.
    """
    body = b"".join(map(_packed, entries))
    head = _HEAD.pack(generation, offset, len(body))
    checksum = _CHECKSUM.pack(crc32(body, crc32(head)))
    padding = bytes(-(_START + len(body)) % BLOCK)
    return b"".join((checksum, head, body, padding))


def unpack(content: bytes, begin: int = 0) -> tuple[int, list[Entry]]:
    """Return the generation of a file's records, and what they hold, in their order.

    Args:
        content: The file's.
        begin: Where in the file the content begins.

    Returns:
        The generation is 0 if there is no record.
    """
    generation, entries, offset = 0, list[Entry](), 0
    while offset + _START <= len(content):
        (checksum,) = _CHECKSUM.unpack_from(content, offset)
        found, place, length = _HEAD.unpack_from(content, offset + _CHECKSUM.size)
        end = offset + _START + length
        if (
            place != begin + offset
            or end > len(content)
            or (offset and found != generation)
        ):
            break
        if crc32(memoryview(content)[offset + _CHECKSUM.size : end]) != checksum:
            break
        generation = found
        entries += _unpacked(content[offset + _START : end])
        offset = end + -end % BLOCK
    return generation, entries


def _packed(entry: Entry) -> bytes:
    path = entry.path.encode()
    content = b""
    if isinstance(entry, Written):
        content = entry.content
    elif isinstance(entry, Moved):
        content = f"{entry.inode} {entry.source}".encode()
    head = _ENTRY.pack(_KINDS[type(entry)], len(path), len(content))
    return b"".join((head, path, content))


def _unpacked(body: bytes) -> Iterator[Entry]:
    offset = 0
    while offset < len(body):
        kind, path_length, length = _ENTRY.unpack_from(body, offset)
        middle = offset + _ENTRY.size + path_length
        path = body[offset + _ENTRY.size : middle].decode()
        offset = middle + length
        content = body[middle:offset]
        if kind == b"W":
            yield Written(path, content)
        elif kind == b"M":
            inode, _, source = content.decode().partition(" ")
            yield Moved(path, source, int(inode))
        else:
            yield Gone(path)
