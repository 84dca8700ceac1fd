"""Events: what was done to content, by whom and when.

The form is the Go registry's (distribution, ``notifications/event.go``), of its third
line; receivers of events know it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import OCTET_STREAM
from txregistry.oci.names import Name, Tag

# A manifest of 4 MiB can name 34,000 layers; a push of it by 100 tags is 100 events.
_MOST_REFERENCES: Final = 500
_MOST_ANNOTATED: Final = 16384  # characters

Action: TypeAlias = Literal["push", "pull", "mount", "delete", "test"]
"""``test`` is what nobody has done: a receiver is tried out."""


@frozen
class Activity:
    """Something that was done to content of a repository.

    Attributes:
        action: What was done.
        repository: Where.
        target: What it was done to; None: to a tag alone, which was deleted.
        tag: The tag that the request named, or that was deleted; None: there is none.
        source: The repository that a blob was mounted from; None: it was not, or the
            client did not say.
        references: What a manifest names; of other content, and of what is gone, none.
    """

    action: Action
    repository: Name
    target: Descriptor | None
    tag: Tag | None = None
    source: Name | None = None
    references: Sequence[Descriptor] = ()

    @property
    def media_type(self) -> str:
        """The content's media type; empty: it is not known."""
        return "" if self.target is None else self.target.media_type

    @property
    def is_about_blob(self) -> bool:
        """Whether the content is a blob."""
        return self.media_type == OCTET_STREAM

    @property
    def has_many_details(self) -> bool:
        """Whether what only a manifest knows is more than an event should carry."""
        if len(self.references) > _MOST_REFERENCES:
            return True
        annotations = {} if self.target is None else self.target.annotations
        length = sum(len(key) + len(value) for key, value in annotations.items())
        return length > _MOST_ANNOTATED

    def without_details(self) -> Activity:
        """Return it without what only a manifest knows: references, annotations."""
        target = self.target and evolve(self.target, annotations={})
        return evolve(self, references=(), target=target)


def blob_activity(
    action: Action,
    repository: Name,
    digest: Digest,
    size: int,
    source: Name | None = None,
) -> Activity:
    """Return what was done to a blob.

    Args:
        action: What.
        repository: Where.
        digest: The blob.
        size: Its length in bytes; 0: it is not known any more.
        source: The repository that it was mounted from.
    """
    target = Descriptor(OCTET_STREAM, digest, size)
    return Activity(action, repository, target, source=source)


def manifest_activity(
    action: Action,
    repository: Name,
    manifest: Manifest,
    digest: Digest,
    tag: Tag | None = None,
) -> Activity:
    """Return what was done to a manifest.

    Args:
        action: What.
        repository: Where.
        manifest: The manifest.
        digest: What it is known by there.
        tag: What the client called it; None: by its digest.
    """
    target = manifest.referrer(digest)
    return Activity(action, repository, target, tag, references=manifest.references())


@frozen
class RequestRecord:
    """The request that something was done by.

    Attributes:
        id: What its answer calls it (``X-Request-Id``).
        addr: The client's IP address, with the port if it is no proxy that names it.
        host: What the client called the registry.
        method: The HTTP method.
        useragent: What the client calls itself.
    """

    id: str
    addr: str
    host: str
    method: str
    useragent: str

    def to_json(self) -> dict[str, JSON]:
        """Return it in the Go registry's form."""
        optional = {"addr": self.addr, "host": self.host}
        return {
            "id": self.id,
            **{key: value for key, value in optional.items() if value},
            "method": self.method,
            "useragent": self.useragent,
        }


@frozen
class SourceRecord:
    """The process that an event comes from.

    Attributes:
        addr: The machine's name and the port that the registry listens on.
        instance_id: A UUID of the process.
    """

    addr: str
    instance_id: str

    def to_json(self) -> dict[str, JSON]:
        """Return it in the Go registry's form."""
        return {"addr": self.addr, "instanceID": self.instance_id}


@frozen
class Event:
    """One thing that was done, with all that is told about it.

    Attributes:
        id: A UUID; whoever gets an event twice knows it by that.
        at: When, in seconds since the epoch, UTC.
        activity: What was done.
        url: Where the content is; None: nowhere any more.
        request: What asked for it.
        actor: Who; None: nobody known.
        source: Which process did it.
        trace: The headers by which others go on with the request's trace; nothing of
            them is in the event that is told. Empty: it is not traced.
    """

    id: str
    at: float
    activity: Activity
    url: str | None
    request: RequestRecord
    actor: str | None
    source: SourceRecord
    trace: Mapping[str, str] = field(factory=dict, hash=False)

    def to_json(self) -> dict[str, JSON]:
        """Return it in the form of the Go registry's third line."""
        return {
            "id": self.id,
            "timestamp": format_timestamp(self.at),
            "action": self.activity.action,
            "target": self._target(),
            "request": self.request.to_json(),
            "actor": {"name": self.actor} if self.actor else {},
            "source": self.source.to_json(),
        }

    def to_text(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(self.to_json(), separators=(",", ":")).encode("ascii")

    def _target(self) -> dict[str, JSON]:
        activity = self.activity
        target = _NOTHING if activity.target is None else activity.target.to_json()
        optional: dict[str, JSON] = {
            "length": target["size"],
            "repository": str(activity.repository),
            "fromRepository": str(activity.source or ""),
            "url": self.url,
            "tag": str(activity.tag or ""),
            "references": [each.to_json() for each in activity.references],
        }
        return target | {key: value for key, value in optional.items() if value}


_NOTHING: Final[dict[str, JSON]] = {"mediaType": "", "digest": "", "size": 0}


def format_timestamp(at: float) -> str:
    """Write a time as RFC 3339 does, in UTC.

    Args:
        at: Seconds since the epoch.
    """
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
