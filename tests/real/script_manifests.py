"""Script, chapter on manifests: of every type, whole and broken, by tag and digest."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Final

from tests.real.exchange import Step
from tests.real.images import digest_of, encoded
from tests.real.script_blobs import push
from tests.real.script_variants import CONFIG_BLOB, LAYER_BLOB, image, index, variants
from tests.real.wire import DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST

_NAME: Final = "manifests/app"
_ARTIFACT: Final = "application/vnd.oci.artifact.manifest.v1+json"
_SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1+json"
_SIGNED: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"

_ALL_FOUR: Final = f"{MANIFEST},{INDEX},{DOCKER_MANIFEST},{DOCKER_LIST}"
_ACCEPTS: Final = (
    None,
    "",
    "*/*",
    "application/*",
    "application/json",
    "text/html",
    "text/html, */*;q=0.1",
    MANIFEST,
    INDEX,
    DOCKER_MANIFEST,
    DOCKER_LIST,
    _SIGNED,
    f"{MANIFEST};q=0",
    f"{MANIFEST};q=0.5, {INDEX};q=0.4",
    _ALL_FOUR,
    MANIFEST.upper(),
    "nonsense",
)

_GOOD_TAGS: Final = ("x", "X", "_", "0", "a.b", "a-b", "a_b.c-", "list", "x" * 128)
_BAD_TAGS: Final = (
    "x" * 129,
    ".a",
    "-a",
    "a+b",
    "a:b",
    "a@b",
    "a%20b",
    "a%2Fb",
    "a%00b",
    "%C3%A9",
    "\xe9",
    "%ff",
    "..",
    "sha256:abc",
    "sha256-abc",
    f"sha256:{'0' * 64}",
    f"sha512:{'0' * 128}",
    f"md5:{'0' * 32}",
    f"sha256:{'A' * 64}",
    f"sha256%3A{'0' * 64}",
)


_WHOLE: Final = (
    ("oci", MANIFEST, image()),
    ("docker", DOCKER_MANIFEST, image(DOCKER_MANIFEST)),
    ("oci-plain", MANIFEST, image(mediaType=None)),
    ("oci-index", INDEX, index()),
    ("docker-list", DOCKER_LIST, index(DOCKER_LIST)),
    ("oci-index-plain", INDEX, index(mediaType=None)),
)


def manifests() -> Iterator[Step]:
    """Push, pull and delete manifests."""
    for content in (CONFIG_BLOB, LAYER_BLOB):
        yield from push(_NAME, content, "mb")
    for tag, media_type, content in _WHOLE:
        yield put(tag, media_type, content)
        yield put(tag, media_type, content)
    yield from _negotiations()
    yield from _conditions()
    for number, (note, pushed_as, content) in enumerate(variants()):
        yield put(f"variant{number}", pushed_as, content, note)
        yield _get(f"variant{number}", f"after {note}")
    yield from _types()
    yield from _names()
    yield from _digests()
    yield from _deletions()


def put(tag: str, media_type: str | None, content: bytes, note: str = "") -> Step:
    """Push a manifest."""
    headers = () if media_type is None else (("Content-Type", media_type),)
    target = f"/v2/{_NAME}/manifests/{tag}"
    return Step("PUT", target, headers, content, note=note)


def _get(tag: str, note: str = "", accept: str | None = _ALL_FOUR) -> Step:
    headers = () if accept is None else (("Accept", accept),)
    return Step("GET", f"/v2/{_NAME}/manifests/{tag}", headers, note=note)


def _negotiations() -> Iterator[Step]:
    for (tag, _, content), accept in itertools.product(_WHOLE, _ACCEPTS):
        short = "all four" if accept == _ALL_FOUR else accept
        yield _get(tag, f"Accept {short}", accept)
        yield _get(digest_of(content), f"{tag} by digest, Accept {short}", accept)
    all_four = (("Accept", _ALL_FOUR),)
    for tag, _, content in _WHOLE:
        target, digest = f"/v2/{_NAME}/manifests", digest_of(content)
        yield Step("HEAD", f"{target}/{tag}", all_four)
        yield Step("HEAD", f"{target}/{digest}", all_four, note=tag)
        yield Step("GET", f"/v2/manifests/not/manifests/{digest}", all_four)
    two = (("Accept", INDEX), ("Accept", MANIFEST))
    yield Step("GET", f"/v2/{_NAME}/manifests/oci", two, note="two Accept lines")
    yield Step("GET", f"/v2/{_NAME}/blobs/{digest_of(image())}", note="as a blob")


def _conditions() -> Iterator[Step]:
    digest = digest_of(image())
    for header, value, reference, method in itertools.product(
        ("If-None-Match", "If-Match"),
        (f'"{digest}"', digest, f'W/"{digest}"', f'"x", "{digest}"', "*", '"x"', ""),
        ("oci", digest, "missing"),
        ("GET", "HEAD"),
    ):
        headers = (("Accept", MANIFEST), (header, value))
        target = f"/v2/{_NAME}/manifests/{reference}"
        yield Step(method, target, headers, note=f"{header}: {value}")
    for header, value in (
        ("If-Match", f'"{digest}"'),
        ("If-Match", '"x"'),
        ("If-None-Match", "*"),
        ("If-None-Match", '"x"'),
    ):
        again = (("Content-Type", MANIFEST), (header, value))
        target = f"/v2/{_NAME}/manifests/oci"
        yield Step("PUT", target, again, image(), note=f"{header}: {value}")
    ranged = (("Accept", MANIFEST), ("Range", "bytes=0-9"))
    yield Step("GET", f"/v2/{_NAME}/manifests/oci", ranged, note="Range")


def _types() -> Iterator[Step]:
    """Push under media types that the manifest is not of, or that are none."""
    artifact = encoded({"mediaType": _ARTIFACT, "artifactType": "x/y", "blobs": []})
    schema1 = encoded({"schemaVersion": 1, "name": _NAME, "tag": "s1", "fsLayers": []})
    for number, (media_type, content) in enumerate(
        (
            (None, image()),
            ("", image()),
            ("application/json", image()),
            ("text/plain", image()),
            ("nonsense", image()),
            ("application/x-www-form-urlencoded", image()),
            (f"{MANIFEST}; charset=utf-8", image()),
            (f"{MANIFEST};", image()),
            (f" {MANIFEST} ", image()),
            (MANIFEST.upper(), image()),
            (INDEX, image()),
            (DOCKER_MANIFEST, image()),
            (DOCKER_LIST, image()),
            (MANIFEST, index()),
            (INDEX, image(mediaType=None)),
            (MANIFEST, index(mediaType=None)),
            (DOCKER_MANIFEST, index(DOCKER_LIST)),
            (_ARTIFACT, artifact),
            (_SCHEMA1, schema1),
            (_SIGNED, schema1),
            (_SCHEMA1, image()),
            ("application/json", schema1),
        )
    ):
        kind = "schema 1" if content == schema1 else f"{len(content)} bytes"
        yield put(f"type{number}", media_type, content, f"{kind} as {media_type}")
        yield _get(f"type{number}", f"after {kind} as {media_type}")


def _names() -> Iterator[Step]:
    for tag in _GOOD_TAGS + _BAD_TAGS:
        yield put(tag, MANIFEST, image(), "tags")
        yield _get(tag, "tags")
        yield Step("DELETE", f"/v2/{_NAME}/manifests/{tag}", note="tags")
    yield Step("GET", f"/v2/{_NAME}/tags/list", note="after all tags")


def _digests() -> Iterator[Step]:
    other = image(annotations={"by": "digest"})
    sha512 = hashlib.sha512(other).hexdigest()
    for digest in (
        digest_of(other),
        digest_of(b"another content"),
        digest_of(other).upper(),
        digest_of(other).replace(":", "%3A"),
        f"sha512:{sha512}",
        f"sha512:{'0' * 128}",
        f"sha384:{hashlib.sha384(other).hexdigest()}",
    ):
        yield put(digest, MANIFEST, other, "by digest")
        yield _get(digest, "by digest")
    for query in ("tag=q1", "tag=q1&tag=q2", "tag=", "tag=%20", "tag=q3&x=y"):
        yield put(f"{digest_of(other)}?{query}", MANIFEST, other)
    yield put("q4?tag=q5", MANIFEST, other)
    many = "&".join(f"tag=q{number}" for number in range(101))
    yield put(f"{digest_of(other)}?{many}", MANIFEST, other, "too many")
    for tag in ("q1", "q2", "q3", "q4", "q5"):
        yield _get(tag)
    chunks = (other[:10], other[10:])
    headers = (("Content-Type", MANIFEST),)
    target = f"/v2/{_NAME}/manifests/chunks"
    yield Step("PUT", target, headers, chunks, note="chunks")
    yield Step("PUT", target, headers, note="no body")


def _deletions() -> Iterator[Step]:
    doomed = image(annotations={"is": "doomed"})
    for tag in ("doomed1", "doomed2"):
        yield put(tag, MANIFEST, doomed)
    yield put("moved", MANIFEST, doomed)
    yield put("moved", MANIFEST, image())
    for turn in ("once", "twice"):
        target = f"/v2/{_NAME}/manifests/{digest_of(doomed)}"
        yield Step("DELETE", target, note=turn)
        yield Step("GET", target, note=f"deleted {turn}")
        yield _get("doomed1", f"deleted {turn}")
        yield _get("moved", f"deleted {turn}")
        yield Step("GET", f"/v2/{_NAME}/tags/list", note=f"deleted {turn}")
        yield put("doomed1", MANIFEST, doomed, f"deleted {turn}")
    # The last of its kind in a repository: what do the lists say then?
    for content in (CONFIG_BLOB, LAYER_BLOB):
        yield from push("manifests/emptied", content, "mb")
    target = "/v2/manifests/emptied/manifests/only"
    yield Step("PUT", target, (("Content-Type", MANIFEST),), image())
    target = f"/v2/manifests/emptied/manifests/{digest_of(image())}"
    yield Step("DELETE", target, note="the last one")
    yield Step("GET", "/v2/manifests/emptied/tags/list", note="emptied")
    yield Step("DELETE", f"/v2/{_NAME}/manifests/tag-that-is-not")
    yield Step("DELETE", "/v2/manifests/not/manifests/oci", note="no repository")
    yield Step("DELETE", f"/v2/{_NAME}/manifests/{digest_of(b'missing')}")
