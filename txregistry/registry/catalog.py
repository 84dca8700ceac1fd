"""Catalog: which repositories there are."""

from __future__ import annotations

from txregistry.interfaces import IStorageDriver, PathNotFound
from txregistry.registry.layout import MANIFESTS, REPOSITORIES


class Catalog:
    """All repositories of a registry: every folder that holds manifests."""

    def __init__(self, driver: IStorageDriver) -> None:
        """Take the store."""
        self._driver = driver

    async def page(self, after: str, limit: int) -> list[str]:
        """List repositories' names, sorted by bytes.

        Args:
            after: Only names strictly behind this one, which need not exist.
            limit: How many at the most.
        """
        if limit <= 0:
            return []
        try:
            return await self._driver.list_holders(
                REPOSITORIES, MANIFESTS, after, limit, deep=True
            )
        except PathNotFound:
            return []  # nothing was ever pushed
