"""Filters: which events an endpoint gets."""

from __future__ import annotations

from attrs import frozen

from txregistry.oci.events import Activity
from txregistry.oci.globs import Globs


@frozen
class EventFilter:
    """What an endpoint does not want to hear of. Each part works on its own.

    Attributes:
        media_types: Content of these media types.
        actions: These actions.
        repositories: Repositories other than these; None: it wants all.
    """

    media_types: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    repositories: Globs | None = None

    def passes(self, activity: Activity) -> bool:
        """Say whether an event about an activity is wanted."""
        if activity.action in self.actions:
            return False
        if activity.media_type in self.media_types:
            return False
        if self.repositories is None:
            return True
        return self.repositories.match(str(activity.repository), None)
