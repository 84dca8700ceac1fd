"""Secret: what all processes on one store sign push locations with."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from txregistry.interfaces import IStorageDriver, PathNotFound
from txregistry.registry.layout import SECRET


async def shared_secret(
    driver: IStorageDriver, make: Callable[[], str] = token_hex
) -> bytes:
    """Return the store's secret; make it at the first time.

    Two processes that start on an empty store in the same instant can end up with
    different ones until one is restarted: such processes had better be given theirs in
    the configuration.
    """
    try:
        return await driver.get_content(SECRET)
    except PathNotFound:
        await driver.put_content(SECRET, make().encode("ascii"))
        return await driver.get_content(SECRET)
