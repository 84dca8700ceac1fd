"""Folders: what lies in one, where there need not be any."""

from __future__ import annotations

from txregistry.interfaces import IStorageDriver, PathNotFound


async def children(driver: IStorageDriver, folder: str) -> list[str]:
    """List the names directly below a folder, sorted by bytes; none if it is not there.

    Raises:
        StorageError: The store does not say.
    """
    try:
        return await driver.list_children(folder)
    except PathNotFound:
        return []
