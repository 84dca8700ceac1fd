"""Endpoints: what the API consists of, and which access each needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from attrs import frozen

from txregistry.oci.access import CATALOG, Access, repository_accesses
from txregistry.oci.names import Name

PULL: Final = ("pull",)
PUSH: Final = ("pull", "push")
DELETE: Final = ("delete",)
LIST: Final = ("*",)
LOGIN: Final = ()


@frozen
class Endpoint:
    """A method on a path.

    Attributes:
        name: What it is called, the Go registry's name where that has one.
        method: The HTTP method; ``GET`` is for ``HEAD`` too; None: every one.
        path: The path below the prefix, in the router's form; ``<loose:name>`` stands
            for a repository's name.
        handle: What runs: takes the request and the path's parts by name, the
            repository's as a ``Name``.
        needs: The actions that a client must be allowed, on the repository in the path
            or, where there is none, on the catalog; empty: that it is somebody known;
            None: nothing, anybody may.
    """

    name: str
    method: str | None
    path: str
    handle: Callable[..., Awaitable[None] | None]
    needs: tuple[str, ...] | None

    def accesses(self, name: Name | None) -> Sequence[Access] | None:
        """Return what a request for it wants to do.

        Args:
            name: The repository's name in the path; None: there is none.

        Returns:
            The accesses; empty: only to be known; None: not even that.
        """
        if self.needs is None:
            return None
        if not self.needs:
            return ()
        if name is None:
            return (CATALOG,)
        return repository_accesses(name, *self.needs)


class Routes(Protocol):
    """Some of the endpoints."""

    def endpoints(self) -> Sequence[Endpoint]:
        """Return them."""
