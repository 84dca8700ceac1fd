"""Parsing: reading manifests without holding up the reactor."""

from __future__ import annotations

from functools import partial
from typing import Final

from txregistry.oci.manifests import Manifest
from txregistry.threads import InThread, to_the_end

# A longer manifest takes more milliseconds to read than the reactor has (bytes).
SHORT: Final = 64 * 1024


async def parse_manifest(
    in_thread: InThread, content: bytes, media_type: str | None = None
) -> Manifest:
    """Read a manifest; a large one in another thread. See Manifest.parse."""
    if len(content) <= SHORT:
        return Manifest.parse(content, media_type)
    return await to_the_end(in_thread(partial(Manifest.parse, content, media_type)))
