"""Crashes: what a process that died, or its machine, has left in a store."""

from __future__ import annotations

from collections.abc import Collection

from txregistry.interfaces import IStorageDriver
from txregistry.testing.faults import FaultyDriver


async def copy_survivors(
    driver: FaultyDriver, target: IStorageDriver, *, power_cut: bool = False
) -> None:
    """Copy what a crash has left, as a new process finds it.

    Args:
        driver: The driver at whose operation the process died.
        target: An empty store; it knows nothing of writers that the dead had open.
        power_cut: Whether the machine died too, and took what was not durable.
    """
    lost = driver.volatile if power_cut else frozenset[str]()
    await _copy(driver.inner, target, "", lost)


async def _copy(
    source: IStorageDriver, target: IStorageDriver, folder: str, lost: Collection[str]
) -> None:
    for name in await source.list_children(folder or "/"):
        path = f"{folder}/{name}"
        if (await source.stat(path)).is_directory:
            await _copy(source, target, path, lost)
        elif path not in lost:
            await target.put_content(path, await source.get_content(path))
