"""Script, chapters on blobs: pulling, ranges, conditions, deleting, mounting."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Final

from tests.real.exchange import Step
from tests.real.images import digest_of

TEXT: Final = b"".join(b"%03d\n" % number for number in range(250))
ONE: Final = b"x"
LARGE: Final = bytes(range(256)) * 1100
OCTETS: Final = (("Content-Type", "application/octet-stream"),)

_MISSING: Final = digest_of(b"what nobody pushes")
_TEXT: Final = digest_of(TEXT)
_HEX: Final = _TEXT.partition(":")[2]

_BAD_DIGESTS: Final = (
    "sha256:",
    "sha256",
    "sha256:abc",
    f"sha256:{_HEX[:-1]}",
    f"sha256:{_HEX}0",
    f"sha256:{_HEX.upper()}",
    f"SHA256:{_HEX}",
    f"sha256:{'g' * 64}",
    f"sha256-{_HEX}",
    f"sha1:{'0' * 40}",
    f"md5:{'0' * 32}",
    f"sha384:{'0' * 96}",
    f"sha512:{'0' * 128}",
    f"sha512:{_HEX}",
    f"sha256+b64:{_HEX}",
    f":{_HEX}",
    _HEX,
    f"sha256:{_HEX}:x",
    f"sha256:sha256:{_HEX}",
    f"sha256%3A{_HEX}",
    f"sha256:{_HEX}%00",
    f"sha256:{_HEX}%20",
    f"sha256:{_HEX}%0a",
    "..",
    "%2e%2e",
    "latest",
    "\xe9:\xe9",
)

_RANGES: Final = (
    "bytes=0-0",
    "bytes=0-999",
    "bytes=0-1000",
    "bytes=0-",
    "bytes=999-",
    "bytes=999-5000",
    "bytes=1000-",
    "bytes=1000-1001",
    "bytes=5000-6000",
    "bytes=-1",
    "bytes=-1000",
    "bytes=-5000",
    "bytes=-0",
    "bytes=10-5",
    "bytes=",
    "bytes=-",
    "bytes",
    "bytes=a-b",
    "bytes=1",
    "bytes=+1-2",
    "bytes=1-2-3",
    "bytes= 1-2",
    "bytes=1 - 2",
    "bytes =1-2",
    "BYTES=1-2",
    "bytes:1-2",
    "items=0-1",
    "0-1",
    "",
    "bytes=0-99999999999999999999",
    "bytes=99999999999999999999-",
    "bytes=-99999999999999999999",
    "bytes=0-0,",
    "bytes=0-0,2-2",
    "bytes=0-0, 5-9, -1",
    "bytes=0-999,0-999",
    "bytes=0-0,1000-1001",
    "bytes=1000-1001,2000-2001",
    "bytes=5-2,0-0",
    "bytes=0-0,x",
    "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 200, 2)),
)

_CONDITIONS: Final = (
    (("If-None-Match", f'"{_TEXT}"'),),
    (("If-None-Match", _TEXT),),
    (("If-None-Match", f'W/"{_TEXT}"'),),
    (("If-None-Match", f'"x", "{_TEXT}"'),),
    (("If-None-Match", '"x"'),),
    (("If-None-Match", "*"),),
    (("If-None-Match", ""),),
    (("If-None-Match", "nonsense"),),
    (("If-Match", f'"{_TEXT}"'),),
    (("If-Match", '"x"'),),
    (("If-Match", "*"),),
    (("If-Modified-Since", "Mon, 01 Jan 2035 00:00:00 GMT"),),
    (("If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"),),
    (("If-Range", f'"{_TEXT}"'), ("Range", "bytes=0-9")),
    (("If-Range", f'W/"{_TEXT}"'), ("Range", "bytes=0-9")),
    (("If-Range", '"x"'), ("Range", "bytes=0-9")),
    (("If-Range", "Mon, 01 Jan 2001 00:00:00 GMT"), ("Range", "bytes=0-9")),
    (("If-Range", ""), ("Range", "bytes=0-9")),
    (("If-None-Match", f'"{_TEXT}"'), ("Range", "bytes=0-9")),
    (("If-None-Match", '"x"'), ("Range", "bytes=5000-")),
    (("Range", "bytes=0-1"), ("Range", "bytes=2-3")),
    (("Accept", "text/html"),),
    (("Accept-Encoding", "gzip"),),
)


def push(name: str, content: bytes, keep: str = "b") -> Iterator[Step]:
    """Push a blob in the simplest way that both registries know."""
    yield Step("POST", f"/v2/{name}/blobs/uploads/", body=b"", keep=keep)
    target = f"<{keep}>&digest={digest_of(content)}"
    yield Step("PUT", target, OCTETS, content, keep=keep)


def blobs() -> Iterator[Step]:
    """Pull and delete blobs, whole and in part, by good and bad digests."""
    for content in (TEXT, ONE, b"", LARGE, TEXT):
        yield from push("blobs", content)
    for content, method in itertools.product((TEXT, ONE, b"", LARGE), ("GET", "HEAD")):
        yield Step(method, f"/v2/blobs/blobs/{digest_of(content)}")
    yield from _ranges()
    for conditions, method in itertools.product(_CONDITIONS, ("GET", "HEAD")):
        yield Step(
            method, f"/v2/blobs/blobs/{_TEXT}", conditions, note=_say(conditions)
        )
    for digest, method in itertools.product(
        (_MISSING, *_BAD_DIGESTS), ("GET", "HEAD", "DELETE")
    ):
        yield Step(method, f"/v2/blobs/blobs/{digest}")
    yield Step("GET", f"/v2/blobs/blobs/{_TEXT}", version="HTTP/1.0", note="HTTP/1.0")
    yield Step("GET", f"/v2/blobs/blobs/{_TEXT}?n=1&x", note="a query")
    yield Step("GET", f"/v2/blobs-not/blobs/{_TEXT}", note="not in this repository")
    yield Step("GET", f"/v2/blobs/manifests/{_TEXT}", note="a blob, not a manifest")
    yield from _deletions()


def _ranges() -> Iterator[Step]:
    for value in _RANGES:
        headers = (("Range", value),)
        yield Step("GET", f"/v2/blobs/blobs/{_TEXT}", headers, note=value)
    for content, value in itertools.product((b"", ONE), _RANGES[:13]):
        headers = (("Range", value),)
        note = f"{len(content)} bytes: {value}"
        yield Step("GET", f"/v2/blobs/blobs/{digest_of(content)}", headers, note=note)
    for value in ("bytes=0-0", "bytes=5000-", "bytes=0-0,2-2", "bytes=x"):
        headers = (("Range", value),)
        yield Step("HEAD", f"/v2/blobs/blobs/{_TEXT}", headers, note=value)
    middle = (("Range", "bytes=70000-270000"),)
    yield Step("GET", f"/v2/blobs/blobs/{digest_of(LARGE)}", middle, note="middle")
    yield Step("GET", f"/v2/blobs/blobs/{_MISSING}", middle, note="missing")


def _deletions() -> Iterator[Step]:
    target = f"/v2/blobs/blobs/{digest_of(ONE)}"
    yield Step("DELETE", target, body=b"a body", note="a body")
    for method in ("GET", "HEAD", "DELETE"):
        yield Step(method, target, note="deleted")
    yield from push("blobs", ONE)
    yield Step("GET", target, note="pushed again")
    yield Step("DELETE", f"/v2/blobs-not/blobs/{_TEXT}", note="not in this repository")


def mounts() -> Iterator[Step]:
    """Take blobs over from other repositories."""
    yield from push("mounts/source", TEXT)
    yield from push("mounts/own", ONE)
    sha512 = f"sha512:{hashlib.sha512(TEXT).hexdigest()}"
    queries = [
        f"mount={_TEXT}&from=mounts/source",
        f"mount={_TEXT}&from=mounts/source",
        f"mount={_TEXT}&from=mounts%2Fsource",
        f"mount={_TEXT.replace(':', '%3A')}&from=mounts/source",
        f"from=mounts/source&mount={_TEXT}",
        f"mount={_TEXT}",
        f"mount={_TEXT}&from=",
        "from=mounts/source",
        f"mount={_MISSING}&from=mounts/source",
        f"mount={_MISSING}",
        f"mount={_TEXT}&from=mounts/nowhere",
        f"mount={_TEXT}&from=BAD",
        f"mount={_TEXT}&from=..",
        f"mount={_TEXT}&from=mounts/own",
        f"mount={_TEXT}&from=mounts/target-13",
        f"mount={digest_of(ONE)}&from=mounts/source",
        f"mount={sha512}&from=mounts/source",
        "mount=sha256:abc&from=mounts/source",
        "mount=&from=mounts/source",
        "mount=latest",
        f"mount={_TEXT}&mount={_MISSING}&from=mounts/source",
        f"mount={_MISSING}&digest={_MISSING}&from=mounts/source",
        f"mount={_TEXT}&digest={_TEXT}&from=mounts/source",
        f"digest-algorithm=sha512&mount={_TEXT}&from=mounts/source",
        f"mount={_TEXT}&from=mounts/source&x=%zz",
    ]
    for number, query in enumerate(queries):
        name = f"mounts/target-{number}"
        target = f"/v2/{name}/blobs/uploads/?{query}"
        yield Step("POST", target, body=b"", keep=f"m{number}")
        yield Step("HEAD", f"/v2/{name}/blobs/{_TEXT}", note="mounted?")
    body = (("Content-Type", "application/x-www-form-urlencoded"),)
    form = f"mount={_TEXT}&from=mounts/source".encode()
    target = "/v2/mounts/target-form/blobs/uploads/"
    yield Step("POST", target, body, form, note="a form", keep="m-form")


def _say(headers: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in headers)
