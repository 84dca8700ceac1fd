"""``notifications``: telling others what happened."""

from __future__ import annotations

from attrs import field, frozen

from txregistry.config.fields import VARIABLE, Ignored, Section
from txregistry.config.types import Headers, Seconds


@frozen
class Events(Section):
    """``notifications.events``."""

    includereferences: Ignored[bool] = False


@frozen
class Ignore(Section):
    """``notifications.endpoints[].ignore``."""

    mediatypes: Ignored[tuple[str, ...]] = ()
    actions: Ignored[tuple[str, ...]] = ()


@frozen
class Endpoint(Section):
    """``notifications.endpoints[]``."""

    name: Ignored[str] = ""
    disabled: Ignored[bool] = False
    url: Ignored[str] = field(default="", repr=False)
    headers: Ignored[Headers] = field(factory=dict, repr=False)
    timeout: Ignored[Seconds] = 1.0
    threshold: Ignored[int] = 10
    backoff: Ignored[Seconds] = 1.0
    ignoredmediatypes: Ignored[tuple[str, ...]] = ()
    ignore: Ignored[Ignore] = field(factory=Ignore)


@frozen
class Notifications(Section):
    """``notifications``."""

    events: Events = field(factory=Events, metadata={VARIABLE: "EVENTCONFIG"})
    endpoints: Ignored[tuple[Endpoint, ...]] = ()
