"""Documents: events as a receiver gets them.

=============== ===================================================================
``v1``, ``v2``  the Go registry's envelopes, of its second and third line
``cloudevents`` CloudEvents 1.0, structured; several events are a batch
``binary``      CloudEvents 1.0, binary: one event, its attributes in headers
=============== ===================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

from attrs import field, frozen

from txregistry.oci.mediatypes import JSON, OCTET_STREAM

Envelope: TypeAlias = Literal["v1", "v2", "cloudevents", "binary"]

_ENVELOPE: Final = "application/vnd.docker.distribution.events.{version}+json"
_CLOUD_EVENT: Final = "application/cloudevents+json"
_CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
_TYPE: Final = "io.txregistry"

# What a target has in the second line's envelope, unless it is empty.
_V1_KEYS: Final = (
    *("mediaType", "size", "digest", "length", "repository", "fromRepository"),
    *("url", "tag", "references"),
)

_Event: TypeAlias = Mapping[str, Any]


@frozen
class Document:
    """What is posted.

    Attributes:
        content_type: Its media type.
        body: The bytes.
        headers: Further headers.
    """

    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)


def make_document(envelope: Envelope, bodies: Sequence[bytes]) -> Document:
    """Put events into an envelope.

    Args:
        envelope: Which one; ``binary`` holds one event only.
        bodies: The events as JSON, in the form of the Go registry's third line.
    """
    if envelope == "v2":  # as they are, which costs nothing however long they are
        return _v2(bodies)
    return _MAKERS[envelope]([json.loads(body) for body in bodies])


def _v1(events: Sequence[_Event]) -> Document:
    trimmed = [{**event, "target": _v1_target(event["target"])} for event in events]
    return Document(_ENVELOPE.format(version="v1"), _dump({"events": trimmed}))


def _v1_target(target: Mapping[str, Any]) -> dict[str, Any]:
    return {key: target[key] for key in _V1_KEYS if target.get(key)}


def _v2(bodies: Sequence[bytes]) -> Document:
    whole = b'{"events":[' + b",".join(bodies) + b"]}"
    return Document(_ENVELOPE.format(version="v2"), whole)


def _cloudevents(events: Sequence[_Event]) -> Document:
    made = [{**_attributes(event), "data": event} for event in events]
    if len(made) == 1:
        return Document(_CLOUD_EVENT, _dump(made[0]))
    return Document(_CLOUD_EVENTS, _dump(made))


def _binary(events: Sequence[_Event]) -> Document:
    (event,) = events
    attributes = _attributes(event)
    content_type = attributes.pop("datacontenttype")
    # CloudEvents, HTTP binding, 3.1.3.2: percent-encoded but for printable ASCII.
    headers = {
        f"ce-{name}": quote(value, safe=_PRINTABLE)
        for name, value in attributes.items()
    }
    return Document(content_type, _dump(event), headers)


def _attributes(event: _Event) -> dict[str, str]:
    """Return the context attributes (CloudEvents, 3.1)."""
    target = event["target"]
    tag, digest = target.get("tag"), target.get("digest")
    suffix = f":{tag}" if tag else f"@{digest}" if digest else ""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": f"//{quote(event['source']['addr'], safe=':[]')}",
        "type": f"{_TYPE}.{_kind(target)}.{event['action']}",
        "subject": f"{target.get('repository', '')}{suffix}",
        "time": event["timestamp"],
        "datacontenttype": JSON,
    }


def _kind(target: Mapping[str, Any]) -> str:
    if not target.get("digest"):
        return "tag"
    return "blob" if target["mediaType"] == OCTET_STREAM else "manifest"


def _dump(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")


_PRINTABLE: Final = "".join(
    chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%'
)

_MAKERS: Final[Mapping[str, Callable[[Sequence[_Event]], Document]]] = {
    "v1": _v1,
    "cloudevents": _cloudevents,
    "binary": _binary,
}
