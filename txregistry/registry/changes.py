"""Changes: several of them made to a store, as cheaply as it can."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

from txregistry.interfaces import (
    Begin,
    Change,
    IBatchDriver,
    IStorageDriver,
    Note,
    PathNotFound,
    Publish,
    Put,
    Together,
    Vanish,
    groups_of,
)


async def apply(driver: IStorageDriver, changes: Sequence[Change | Together]) -> None:
    """Make changes, in their order; see IBatchDriver.

    Args:
        driver: The store; one that is no IBatchDriver gets them one by one.
        changes: What to do.
    """
    batches = IBatchDriver(driver, None)
    if batches is not None:
        await batches.apply(changes)
        return
    for change in chain.from_iterable(groups_of(changes)):
        await _make(driver, change)


async def _make(driver: IStorageDriver, change: Change) -> None:
    if isinstance(change, Put):
        await driver.put_content(change.path, change.content)
    elif isinstance(change, Note):
        await _note(driver, change)
    elif isinstance(change, Publish):
        await change.writer.commit(change.destination)
    elif isinstance(change, Begin):
        await _begin(driver, change.path)
    elif isinstance(change, Vanish):
        await _vanish(driver, change)
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


async def _begin(driver: IStorageDriver, path: str) -> None:
    try:
        await driver.stat(path)
    except PathNotFound:
        await _note(driver, Note(path, b""))


async def _vanish(driver: IStorageDriver, vanish: Vanish) -> None:
    key = f"{vanish.path}/{vanish.key}"
    await driver.delete(key)
    try:
        await driver.stat(key)
    except PathNotFound:
        with suppress(PathNotFound):  # drivers need not keep an empty folder
            await driver.delete(vanish.path)
    # Else another process has put it anew.
