"""Events: those of two registries, compared field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from tests.real.differences import NOTHING, Difference

EVENTS: Final = "events"
"""The aspect that says what happened, one event after another."""

_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
_DIGEST: Final = re.compile("(:[0-9a-f]{6})[0-9a-f]{50,}")
_PORT: Final = re.compile(r":\d{4,5}$")
_UNTAG: Final = "delete tag"
_OCTETS: Final = "application/octet-stream"


@frozen
class Told:
    """What is told of a request.

    Attributes:
        status: The status that it was answered with; 0: none.
        events: The events, in order.
    """

    status: int
    events: Sequence[Mapping[str, Any]]

    def summary(self) -> str:
        """Return the status, and what happened according to the events."""
        return f"{self.status} {' + '.join(map(_summary, self.events)) or NOTHING}"


def compare_events(subject: str, go: Told, ours: Told) -> Iterator[Difference]:
    """Tell in what the events differ that a request has caused.

    Args:
        subject: The request.
        go: What the Go registry tells of it.
        ours: What ours tells.
    """
    happened = [list(map(_summary, told.events)) for told in (go, ours)]
    if happened[0] != happened[1]:
        yield Difference(subject, EVENTS, go.summary(), ours.summary())
        return
    pairs = zip(_settled(go.events), _settled(ours.events), strict=True)
    for theirs, own in pairs:
        yield from _compare_fields(subject, _flat(theirs), _flat(own))


def _compare_fields(
    subject: str, go: Mapping[str, str], ours: Mapping[str, str]
) -> Iterator[Difference]:
    for key in sorted(go.keys() | ours.keys()):
        theirs, own = (_normal(key, each.get(key, NOTHING)) for each in (go, ours))
        if theirs != own:
            said = (_DIGEST.sub(r"\1…", text) for text in (theirs, own))
            yield Difference(subject, key, *said)


def _settled(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return events so that tags that went with a manifest are in order."""
    return sorted(
        events, key=lambda e: e["target"]["tag"] if _summary(e) == _UNTAG else ""
    )


def _summary(event: Mapping[str, Any]) -> str:
    target = event["target"]
    if not target.get("digest"):
        kind = "tag"
    elif event["action"] == "delete":
        kind = "content"  # the Go registry does not say of what kind
    else:
        kind = "blob" if target["mediaType"] == _OCTETS else "manifest"
    return f"{event['action']} {kind}"


def _flat(event: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key, value in event.items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for part, content in parts:
            text = content if isinstance(content, str) else _spelled(content)
            found[f"{key}.{part}" if part else key] = text
    return found


def _spelled(content: Any) -> str:
    return json.dumps(content, sort_keys=True)


def _normal(key: str, text: str) -> str:
    """Return a value without what is another one each time."""
    if key in ("request.addr", "source.addr"):
        return _PORT.sub(":<port>", text)
    return _TIME.sub("<time>", _UUID.sub("<uuid>", text))
