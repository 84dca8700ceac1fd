"""Crashes: what a process that died, or its machine, has left in a store."""

from __future__ import annotations

from collections.abc import Collection

from txregistry.interfaces import IStorageDriver
from txregistry.testing.faults import FaultyDriver


async def copy_survivors(
    driver: FaultyDriver,
    target: IStorageDriver,
    *,
    power_cut: bool = False,
    zeroed: bool = False,
) -> None:
    """Copy what a crash has left, as a new process finds it.

    Args:
        driver: The driver at whose operation the process died.
        target: An empty store; it knows nothing of writers that the dead had open.
        power_cut: Whether the machine died too, and took what was not durable.
        zeroed: Whether what it took left files behind, as long and full of zeros: file
            systems may keep a length whose bytes they have not written.
    """
    lost = driver.volatile if power_cut else frozenset[str]()
    await _copy(driver.inner, target, "", lost, zeroed)


async def _copy(
    source: IStorageDriver,
    target: IStorageDriver,
    folder: str,
    lost: Collection[str],
    zeroed: bool,
) -> None:
    for name in await source.list_children(folder or "/"):
        path = f"{folder}/{name}"
        if (await source.stat(path)).is_directory:
            await _copy(source, target, path, lost, zeroed)
        elif path not in lost:
            await target.put_content(path, await source.get_content(path))
        elif zeroed:
            size = (await source.stat(path)).size
            await target.put_content(path, bytes(size))
