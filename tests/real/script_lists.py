"""Script, chapter on lists: tags, the catalog and referrers, in pages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from tests.real.exchange import Step
from tests.real.images import CONFIG, LAYER, descriptor, digest_of
from tests.real.script_blobs import push
from tests.real.script_variants import image
from tests.real.wire import MANIFEST

_BLOBS: Final = (b"{}", b"a layer")
_TAGS: Final = ("b", "a", "B", "1", "10", "2", "a.b", "a-b", "a_b", "_", "latest", "ab")
_NAMES: Final = ("lists/a", "lists/a/b", "lists/a-b", "lists/a.b", "lists/ab", "lists")

_NUMBERS: Final = (
    "",
    "n=",
    "n=0",
    "n=1",
    "n=3",
    "n=12",
    "n=100",
    "n=1000",
    "n=1001",
    "n=99999999999999999999",
    "n=-1",
    "n=+1",
    "n=01",
    "n=1.5",
    "n=0x1",
    "n=x",
    "n=%31",
    "n=%20",
    "n=%ff",
    "n=1&n=2",
    "N=1",
)

_LASTS: Final = ("last=", "last=a", "last=a-", "last=zz", "last=%2e%2e", "last=%ff")


def lists() -> Iterator[Step]:
    """List what is there, all of it and in pages."""
    manifest = image(
        config=descriptor(CONFIG, _BLOBS[0]), layers=[descriptor(LAYER, _BLOBS[1])]
    )
    for name in ("lists/tags", *_NAMES):
        for content in _BLOBS:
            yield from push(name, content, "lb")
    headers = (("Content-Type", MANIFEST),)
    for tag in _TAGS:
        yield Step("PUT", f"/v2/lists/tags/manifests/{tag}", headers, manifest)
    for name in _NAMES:
        yield Step("PUT", f"/v2/{name}/manifests/x", headers, manifest)
    for target, last, number in itertools.product(
        ("/v2/lists/tags/tags/list", "/v2/_catalog"), ("", *_LASTS), _NUMBERS
    ):
        if last in ("", "last=a") or number in ("", "n=3"):
            query = "&".join(part for part in (number, last) if part)
            yield Step("GET", f"{target}?{query}" if query else target)
    for target in ("/v2/lists/tags/tags/list", "/v2/_catalog"):
        yield Step("HEAD", target)
    for last in ("lists", "lists/a", "lists/a-b", "lists/a/b", "lists/tags", "zz"):
        yield Step("GET", f"/v2/_catalog?n=3&last={last}")
    yield Step("GET", "/v2/lists/nothing/tags/list")
    yield from push("lists/only-blobs", _BLOBS[0], "lb")
    yield Step("GET", "/v2/lists/only-blobs/tags/list")
    digest = digest_of(manifest)
    for query in ("", "?n=1", "?n=x", "?artifactType=x", "?last=x"):
        yield Step("GET", f"/v2/lists/tags/referrers/{digest}{query}")
