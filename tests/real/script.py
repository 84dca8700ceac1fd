"""Script: the requests that are put to our registry and to the Go registry alike.

It is generated, and the same each time. Each chapter keeps to repositories of its own,
so that what one chapter leaves behind does not change what another one sees.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from tests.real.exchange import Step
from tests.real.images import digest_of
from tests.real.script_blobs import blobs, mounts
from tests.real.script_lists import lists
from tests.real.script_manifests import manifests
from tests.real.script_uploads import uploads

MISSING: Final = digest_of(b"what nobody pushes")

_METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "get",
)

_GOOD_NAMES: Final = (
    "a",
    "0",
    "a/b",
    "a-b",
    "a--b",
    "a_b",
    "a__b",
    "a.b",
    "v2",
    "tags",
    "manifests",
    "blobs",
    "blobs/uploads",
    "a/manifests",
    "tags/list",
    "a/referrers",
    "x" * 255,
    "x/" * 127 + "x",
)

_BAD_NAMES: Final = (
    "a___b",
    "a..b",
    "a._b",
    "a-",
    "-a",
    "a_",
    "_a",
    "a/_layers",
    "a/_uploads",
    "A",
    "a/B",
    "A/b",
    "Host/a",
    "localhost:5000/a",
    "registry.test:80/a/b",
    "[::1]/a",
    "a:b",
    "a/b:c",
    "a//b",
    "/a",
    "a/",
    "./a",
    "a/./b",
    "../a",
    "a/../b",
    "a/..",
    "%2e%2e/a",
    "a%2Fb",
    "a/%2e%2e/b",
    "a%20b",
    "a+b",
    "a~b",
    "a;b",
    "a%00b",
    "a%0ab",
    "a%zzb",
    "a%C3%A9",
    "a%ff",
    "a\xe9",
    "x" * 256,
    "x/" * 127 + "xx",
    "x" * 300,
    "localhost:5000/" + "x" * 250,
)

_ENDPOINTS: Final = (
    "/",
    "/v2/",
    "/v2/_catalog",
    "/v2/endpoints/tags/list",
    "/v2/endpoints/manifests/latest",
    f"/v2/endpoints/manifests/{MISSING}",
    f"/v2/endpoints/blobs/{MISSING}",
    "/v2/endpoints/blobs/uploads/",
    "/v2/endpoints/blobs/uploads/00000000-0000-4000-8000-000000000000",
    f"/v2/endpoints/referrers/{MISSING}",
    "/v2/endpoints",
    "/nowhere",
)

_PATHS: Final = (
    "/v2",
    "/v2?n=1",
    "//v2/",
    "/v2//",
    "/./v2/",
    "/v2/.",
    "/v2/./",
    "/v2/../v2/",
    "/v2/..",
    "/%76%32/",
    "/v2%2F",
    "/V2/",
    "/v2/_catalog/",
    "/v2/_catalogue",
    "/v2/_catalog/x",
    "//v2/_catalog",
    "/v2/%5Fcatalog",
    "/v2/paths/tags",
    "/v2/paths/tags/",
    "/v2/paths/tags/list/",
    "/v2/paths/tags/list/x",
    "/v2/paths/tags//list",
    "/v2/paths/tags/./list",
    "/v2/paths/%74ags/list",
    "/v2/paths/tags%2Flist",
    "/v2/paths/manifests",
    "/v2/paths/manifests/",
    "/v2/paths/manifests/x/",
    "/v2/paths/manifests/x/y",
    "/v2/paths/manifests//x",
    "/v2/paths/manifests/../tags/list",
    "/v2/paths/blobs",
    "/v2/paths/blobs/",
    "/v2/paths/blobs/uploads",
    f"/v2/paths/blobs/{MISSING}/",
    f"/v2/paths//blobs/{MISSING}",
    "/v2/paths/blobs/sha256%3A" + MISSING.partition(":")[2],
    "/v2/../../../etc/passwd",
    "/../../../etc/passwd",
    "/v2/paths/blobs/../../../../etc/passwd",
    "/v2/paths/blobs/uploads/../../x",
    "/v2/paths/blobs/uploads/%2e%2e",
    "/v2/paths/blobs/uploads/%2e%2e%2f%2e%2e",
    "/v2/paths/manifests/%2e%2e%2fx",
    "/v2/paths/manifests/..",
    "/v1/",
    "/v1/_ping",
    "/_ping",
    "/metrics",
    "/debug/health",
    "/favicon.ico",
    "/?",
    "/v2/?",
    "/v2/#x",
    "/v2/?%zz",
    "/v2/?a;b",
    "*",
    "v2/",
    "?",
    "http://registry.test:5000/v2/",
    "http://elsewhere.test/v2/_catalog",
    "HTTP://registry.test/v2/",
    "ftp://registry.test/v2/",
    "http:///v2/",
    "/v2/\xe9",
    "/v2/%C3%A9/tags/list",
    "/v2/%ff/tags/list",
    "/v2/%00",
    "/v2/paths/tags/list%00",
    "/" + "x" * 3000,
    "/v2/" + "x/" * 1500 + "tags/list",
)

_HEADERS: Final[tuple[tuple[tuple[str, str], ...], ...]] = (
    (),
    (("Host", ""),),
    (("Host", "registry.test"),),
    (("Host", "[::1]:5000"),),
    (("Host", "a b"),),
    (("Host", "a/b"),),
    (("Host", "a"), ("Host", "b")),
    (("Connection", "close"),),
    (("Connection", "keep-alive"),),
    (("Accept", "text/html"),),
    (("Accept", ""),),
    (("Authorization", "Basic eDp5"),),
    (("Authorization", "nonsense"),),
    (("Origin", "https://ui.test"),),
    (("Expect", "100-continue"),),
    (("Expect", "200-ok"),),
    (("Range", "bytes=0-0"),),
    (("If-None-Match", "*"),),
    (("Accept-Encoding", "gzip"),),
    (("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "front.test")),
    (("Forwarded", "proto=https;host=front.test"),),
    (("X-HTTP-Method-Override", "DELETE"),),
    (("Content-Length", "0"),),
    (("Content-Length", "-1"),),
    (("Content-Length", "+0"),),
    (("Content-Length", "0x1"),),
    (("Content-Length", "0, 0"),),
    (("Content-Length", "0"), ("Content-Length", "0")),
    (("Content-Length", "99999999999999999999"),),
    (("Transfer-Encoding", "identity"),),
    (("Transfer-Encoding", "gzip"),),
    (("X-Long", "x" * 8000),),
    (("Bad Name", "x"),),
    (("", "x"),),
    (("X-Odd", "\x01"),),
    (("X-Odd", "\xe9"),),
)


def whole_script() -> list[Step]:
    """Return all requests, in order."""
    return list(
        itertools.chain(
            _names(),
            _endpoints(),
            _paths(),
            _frames(),
            blobs(),
            mounts(),
            uploads(),
            manifests(),
            lists(),
        )
    )


def _names() -> Iterator[Step]:
    for name in _GOOD_NAMES + _BAD_NAMES:
        yield Step("GET", f"/v2/{name}/tags/list")
        yield Step("GET", f"/v2/{name}/manifests/latest")
        yield Step("GET", f"/v2/{name}/blobs/{MISSING}")
        yield Step("GET", f"/v2/{name}/referrers/{MISSING}")
        yield Step("PUT", f"/v2/{name}/manifests/latest", body=b"{}")
    for number, name in enumerate(_GOOD_NAMES + _BAD_NAMES):
        yield Step("POST", f"/v2/{name}/blobs/uploads/", body=b"", keep=f"n{number}")


def _endpoints() -> Iterator[Step]:
    for target, method in itertools.product(_ENDPOINTS, _METHODS):
        yield Step(method, target, keep=f"e-{method.lower()}")


def _paths() -> Iterator[Step]:
    for target in _PATHS:
        yield Step("GET", target)
    for target in ("/v2", "/v2/paths/blobs/uploads", "//v2/paths/blobs/uploads/"):
        yield Step("POST", target, body=b"", keep="p")
    yield Step("OPTIONS", "*")
    yield Step("CONNECT", "registry.test:5000")


def _frames() -> Iterator[Step]:
    for headers in _HEADERS:
        note = ", ".join(f"{name}: {value[:40]}" for name, value in headers)
        yield Step("GET", "/v2/", headers, note=note)
    location = "/v2/frames/blobs/uploads/"
    for number, headers in enumerate(_HEADERS):
        if not any(name in ("Content-Length", "Expect") for name, _ in headers):
            note = ", ".join(f"{name}: {value[:40]}" for name, value in headers)
            yield Step("POST", location, headers, b"", note=note, keep=f"f{number}")
    for version in ("HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "http/1.1", "X"):
        yield Step("GET", "/v2/", version=version, note=version)
        yield Step(
            "GET", "/v2/", version=version, note=f"{version}, no Host", hostless=True
        )
    yield Step("GET", "/v2/", note="no Host", hostless=True)
    keep_alive = (("Connection", "keep-alive"),)
    yield Step("GET", "/v2/", keep_alive, version="HTTP/1.0", note="1.0 keep-alive")
    yield Step("HEAD", "/v2/", version="HTTP/1.0", note="1.0")
    yield Step("GET", "/v2/", body=b"unwanted", note="a body")
    yield Step("GET", "/v2/", body=(b"unwanted", b"chunks"), note="chunks")
    yield Step("POST", location, body=(b"some", b"chunks"), note="chunks", keep="fc")
    both = (("Content-Length", "4"),)
    yield Step("POST", location, both, (b"some",), note="both lengths", keep="fb")
