"""``notifications``: telling others what happened."""

from __future__ import annotations

from typing import Final, Literal

import attrs
from attrs import field, frozen

from txregistry.config.fields import VARIABLE, Invalid, Section, must
from txregistry.config.sections.weburls import check_web_url
from txregistry.config.types import (
    FileName,
    OutgoingHeaders,
    Seconds,
    Secret,
    WebURL,
)

_NOT_NEGATIVE: Final = must(lambda value: value >= 0, "must not be negative")
_POSITIVE: Final = must(lambda value: value > 0, "must be more than nothing")
_MOST_IN_BATCH: Final = 1000


@frozen
class Events(Section):
    """``notifications.events``.

    Attributes:
        includereferences: Whether events tell what a manifest refers to, and its
            annotations.
    """

    includereferences: bool = False


@frozen
class Queue(Section):
    """``notifications.queue``: where events wait.

    Attributes:
        driver: ``sqlite``, or ``memory``, which is lost with the process; None: the
            former, but for a registry whose content is in memory, too.
        path: The file; empty: one in the folder with the content.
        maxsize: The most bytes in it.
        maxage: For how many seconds an event may wait.
        keep: For how many seconds an event can be replayed that all have got.
    """

    driver: Literal["sqlite", "memory"] | None = None
    path: FileName = field(default="")
    maxsize: int = field(
        default=1 << 30,
        validator=must(lambda n: n >= 1 << 20, "must be 1048576 or more"),
    )
    maxage: Seconds = field(default=168 * 3600.0, validator=_POSITIVE)
    keep: Seconds = field(default=24 * 3600.0, validator=_NOT_NEGATIVE)

    @path.validator
    def _check_path(self, _attribute: attrs.Attribute[str], path: str) -> None:
        if path and self.driver == "memory":
            raise Invalid("path", "has no effect with the driver memory")


@frozen
class Ignore(Section):
    """``notifications.endpoints[].ignore``.

    Attributes:
        mediatypes: Content of which nothing is told.
        actions: What is not told.
    """

    mediatypes: tuple[str, ...] = ()
    actions: tuple[Literal["push", "pull", "mount", "delete"], ...] = ()


@frozen
class Endpoint(Section):
    """``notifications.endpoints[]``: who is told.

    Attributes:
        name: What it is called, in logs and in the queue.
        disabled: Whether it is not told anything.
        url: Where events are posted to.
        headers: What is sent with them.
        timeout: Seconds for one try; 0: the default.
        threshold: After so many failures in a row the wait between tries is
            ``backoff``; 0: the default.
        backoff: Seconds; 0: the default.
        maxbackoff: The longest wait between tries, in seconds.
        ignoredmediatypes: The older key for ``ignore.mediatypes``.
        ignore: What is not told.
        repositories: Globs of the repositories that are told of; none: all.
        envelope: What an event looks like.
        batch: The most events in one message.
        secrets: What messages are signed with; none: they are not.
        rootcerts: A file with the certificates that vouch for the receiver's; empty:
            the system's.
    """

    name: str = ""
    disabled: bool = False
    url: WebURL = field(default="", repr=False, validator=check_web_url)
    headers: OutgoingHeaders = field(factory=dict, repr=False)
    timeout: Seconds = field(default=1.0, validator=_NOT_NEGATIVE)
    threshold: int = field(default=10, validator=_NOT_NEGATIVE)
    backoff: Seconds = field(default=1.0, validator=_NOT_NEGATIVE)
    maxbackoff: Seconds = field(default=300.0, validator=_POSITIVE)
    ignoredmediatypes: tuple[str, ...] = ()
    ignore: Ignore = field(factory=Ignore)
    repositories: tuple[str, ...] = ()
    envelope: Literal["v1", "v2", "cloudevents", "binary"] = "v2"
    batch: int = field(
        default=1,
        validator=must(
            lambda n: 1 <= n <= _MOST_IN_BATCH, f"must be from 1 to {_MOST_IN_BATCH}"
        ),
    )
    secrets: tuple[Secret, ...] = ()
    rootcerts: FileName = ""

    @batch.validator
    def _check_batch(self, _attribute: attrs.Attribute[int], batch: int) -> None:
        if batch > 1 and self.envelope == "binary":
            raise Invalid("batch", "must be 1 with the envelope binary")


@frozen
class Notifications(Section):
    """``notifications``.

    Attributes:
        events: What events tell.
        queue: Where they wait.
        endpoints: Who is told.
    """

    events: Events = field(factory=Events, metadata={VARIABLE: "EVENTCONFIG"})
    queue: Queue = field(factory=Queue)
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def active(self) -> dict[int, Endpoint]:
        """The endpoints that are told something, by their places in the list."""
        return {
            index: endpoint
            for index, endpoint in enumerate(self.endpoints)
            if not endpoint.disabled
        }
