"""``validation``: what a manifest must be like to be taken."""

from __future__ import annotations

import re
from typing import Literal

from attrs import field, frozen

from txregistry.config.fields import Section, must


@frozen
class URLs(Section):
    """``validation.manifests.urls``: where else a blob may lie.

    Attributes:
        allow: Patterns of which a URL must contain one; empty: any, if ``deny`` is not
            empty, and otherwise none.
        deny: Patterns of which a URL must not contain any.
    """

    allow: tuple[re.Pattern[str], ...] = ()
    deny: tuple[re.Pattern[str], ...] = ()

    def permits(self, url: str) -> bool:
        """Say whether a manifest may name this URL."""
        if not self.allow and not self.deny:
            return not url
        allowed = not self.allow or any(p.search(url) for p in self.allow)
        return allowed and not any(p.search(url) for p in self.deny)


@frozen
class Platform(Section):
    """``validation.manifests.indexes.platformlist[]``.

    Attributes:
        architecture: As a descriptor's platform has it.
        os: As a descriptor's platform has it.
    """

    architecture: str = ""
    os: str = ""


@frozen
class Indexes(Section):
    """``validation.manifests.indexes``: which manifests of an index must exist.

    Attributes:
        platforms: All of them, none, or those of the platforms in the list.
        platformlist: The platforms that ``list`` means.
    """

    platforms: Literal["all", "none", "list"] = "all"
    platformlist: tuple[Platform, ...] = ()


@frozen
class Manifests(Section):
    """``validation.manifests``.

    Attributes:
        urls: URLs in descriptors.
        indexes: The manifests that an index names.
        sparse: Whether nothing that a manifest names needs to exist.
        maxsize: The most bytes that a manifest may have.
    """

    urls: URLs = field(factory=URLs)
    indexes: Indexes = field(factory=Indexes)
    sparse: bool = False
    maxsize: int = field(
        default=4194304, validator=must(lambda n: n > 0, "must be more than 0")
    )


@frozen
class Validation(Section):
    """``validation``.

    Attributes:
        disabled: Whether to leave URLs and indexes unchecked.
        enabled: Whether to check them in spite of ``disabled``; the older key.
        manifests: The rules.
    """

    disabled: bool = False
    enabled: bool = False
    manifests: Manifests = field(factory=Manifests)

    @property
    def active(self) -> bool:
        """Whether the rules for URLs and indexes are applied."""
        return self.enabled or not self.disabled
