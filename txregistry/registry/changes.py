"""Changes: several of them made to a store, as cheaply as it can."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from txregistry.interfaces import (
    Change,
    IBatchDriver,
    IStorageDriver,
    Note,
    PathNotFound,
    Publish,
    Put,
)


async def apply(driver: IStorageDriver, changes: Sequence[Change]) -> None:
    """Make changes, in their order; see IBatchDriver.

    Args:
        driver: The store; one that is no IBatchDriver gets them one by one.
        changes: What to do.
    """
    if IBatchDriver.providedBy(driver):
        await IBatchDriver(driver).apply(changes)
        return
    for change in changes:
        await _make(driver, change)


async def _make(driver: IStorageDriver, change: Change) -> None:
    if isinstance(change, Put):
        await driver.put_content(change.path, change.content)
    elif isinstance(change, Note):
        await _note(driver, change)
    elif isinstance(change, Publish):
        await change.writer.commit(change.destination)
    else:
        with suppress(PathNotFound):
            await driver.delete(change.path)


async def _note(driver: IStorageDriver, note: Note) -> None:
    # Not put_content, which would wait for the disk.
    writer = await driver.open_writer(note.path)
    try:
        writer.write(note.content)
    finally:
        await writer.close()
