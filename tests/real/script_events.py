"""Script, chapter on events: requests that are only told of in different ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.real.exchange import Step
from tests.real.images import digest_of
from tests.real.script_blobs import ONE, push

_SENDERS: Final = (
    ("X-Forwarded-For", "192.0.2.7"),
    ("X-Forwarded-For", "192.0.2.7, 198.51.100.9"),
    ("X-Forwarded-For", "nobody, 192.0.2.7"),
    ("X-Forwarded-For", "2001:db8::7"),
    ("X-Forwarded-For", "nobody"),
    ("X-Real-Ip", "192.0.2.7"),
    ("Forwarded", "for=192.0.2.7"),
)


def senders() -> Iterator[Step]:
    """Ask about a blob through proxies that say for whom; the last says nothing."""
    yield from push("senders", ONE)
    target = f"/v2/senders/blobs/{digest_of(ONE)}"
    for name, value in _SENDERS:
        yield Step("HEAD", target, ((name, value),), note=f"{name}: {value}")
    yield Step("HEAD", target, note="the last one")
