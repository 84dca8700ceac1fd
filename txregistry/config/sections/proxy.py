"""``proxy``: being a cache of another registry."""

from __future__ import annotations

from attrs import field, frozen

from txregistry.config.fields import Ignored, Section
from txregistry.config.types import Seconds, Secret


@frozen
class Exec(Section):
    """``proxy.exec``."""

    command: Ignored[str] = field(default="", repr=False)
    lifetime: Ignored[Seconds | None] = None


@frozen
class Proxy(Section):
    """``proxy``."""

    remoteurl: Ignored[str] = field(default="", repr=False)
    username: Ignored[str] = ""
    password: Ignored[Secret] = field(factory=Secret)
    ttl: Ignored[Seconds | None] = None
    exec: Ignored[Exec] = field(factory=Exec)
    cachewritetimeout: Ignored[Seconds | None] = None
