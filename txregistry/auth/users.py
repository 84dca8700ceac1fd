"""Users: who a checker has found to be there."""

from __future__ import annotations

from attrs import frozen

from txregistry.interfaces import Identity


@frozen
class User:
    """An avatar id with groups.

    A checker of twisted.cred answers with the user's name, as text or bytes. One that
    knows groups too answers with this.

    Attributes:
        name: The user's name.
        groups: The groups that the user belongs to.
    """

    name: str
    groups: frozenset[str] = frozenset()

    def identity(self) -> Identity:
        """Return the identity of somebody who has shown to be this user."""
        return Identity(self.name, "user", self.groups)
