"""``proxy``: being a cache of another registry.

A registry that was to be one, and is none, is one that everybody may write to.
"""

from __future__ import annotations

from typing import Annotated

from attrs import field, frozen

from txregistry.config.fields import Ignored, Refused, Section
from txregistry.config.types import Seconds, Secret


@frozen
class Exec(Section):
    """``proxy.exec``."""

    command: Ignored[str] = field(default="", repr=False)
    lifetime: Ignored[Seconds | None] = None


@frozen
class Proxy(Section):
    """``proxy``."""

    remoteurl: Annotated[str, Refused("pulling through")] = field(
        default="", repr=False
    )
    username: Ignored[str] = ""
    password: Ignored[Secret] = field(factory=Secret)
    ttl: Ignored[Seconds | None] = None
    exec: Ignored[Exec] = field(factory=Exec)
    cachewritetimeout: Ignored[Seconds | None] = None
