"""Links: small files that hold a digest."""

from __future__ import annotations

from txregistry.interfaces import IStorageDriver, PathNotFound, Put
from txregistry.oci.digest import Digest
from txregistry.oci.errors import DigestInvalid
from txregistry.registry.changes import apply


async def read(driver: IStorageDriver, path: str) -> Digest | None:
    """Read a link.

    Returns:
        The digest; None if there is no link, or an empty or broken one: old Go
        registries rewrote links in place and could leave such.
    """
    try:
        content = await driver.get_content(path)
        return Digest.parse(content.decode("ascii").strip())
    except (PathNotFound, DigestInvalid, UnicodeDecodeError):
        return None


def put(path: str, digest: Digest) -> Put:
    """Return the change that writes a link."""
    return Put(path, str(digest).encode("ascii"))


async def write(driver: IStorageDriver, path: str, digest: Digest) -> None:
    """Write a link, durably."""
    await apply(driver, [put(path, digest)])
