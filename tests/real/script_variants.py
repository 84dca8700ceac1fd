"""Script, on manifests that differ from a whole one in one thing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tests.real.images import CONFIG, LAYER, descriptor, digest_of, encoded
from tests.real.wire import DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST

_DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
_OCI_FOREIGN: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"

LAYER_BLOB: Final = b"a layer" * 20
# What the Go registry makes a schema 1 manifest of must be a full config.
CONFIG_BLOB: Final = encoded(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(b"a tar file")]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "test"}],
    }
)
_MISSING: Final = descriptor(LAYER, b"what nobody pushes")
_MISSING_CONFIG: Final = descriptor(CONFIG, b"nor this")


def image(media_type: str = MANIFEST, **members: Any) -> bytes:
    """Make an image manifest; a member that is None is left out."""
    docker = media_type == DOCKER_MANIFEST
    content: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(_DOCKER_CONFIG if docker else CONFIG, CONFIG_BLOB),
        "layers": [descriptor(_DOCKER_LAYER if docker else LAYER, LAYER_BLOB)],
        **members,
    }
    return encoded({key: value for key, value in content.items() if value is not None})


def index(media_type: str = INDEX, **members: Any) -> bytes:
    """Make an index of the two images that the chapter pushes first."""
    child = image() if media_type == INDEX else image(DOCKER_MANIFEST)
    child_type = MANIFEST if media_type == INDEX else DOCKER_MANIFEST
    platform = {"architecture": "amd64", "os": "linux"}
    content: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [{**descriptor(child_type, child), "platform": platform}],
        **members,
    }
    return encoded({key: value for key, value in content.items() if value is not None})


def variants() -> Iterator[tuple[str, str | None, bytes]]:
    """Manifests that differ from a whole one in one thing."""
    yield from _not_even_json()
    for media_type in (MANIFEST, DOCKER_MANIFEST):
        kind = "oci" if media_type == MANIFEST else "docker"
        for note, members in _image_changes(media_type):
            yield f"{kind}: {note}", media_type, image(media_type, **members)
    for media_type in (INDEX, DOCKER_LIST):
        kind = "oci index" if media_type == INDEX else "docker list"
        for note, members in _index_changes(media_type):
            yield f"{kind}: {note}", media_type, index(media_type, **members)


def _not_even_json() -> Iterator[tuple[str, str | None, bytes]]:
    good = image()
    bodies = (
        ("empty", b""),
        ("a word", b"nonsense"),
        ("null", b"null"),
        ("an array", b"[]"),
        ("a string", b'"x"'),
        ("an empty object", b"{}"),
        ("cut short", good[:-1]),
        ("more behind", good + b"{}"),
        ("spaces around", b" \n" + good + b"\n "),
        ("a byte order mark", b"\xef\xbb\xbf" + good),
        ("UTF-16", good.decode().encode("utf-16")),
        (
            "malformed UTF-8",
            good.replace(b'"mediaType"', b'"x\xff": 1, "mediaType"', 1),
        ),
        ("NaN", good.replace(b'"schemaVersion":2', b'"schemaVersion":2,"x":NaN')),
        ("a name twice", good.replace(b"{", b'{"schemaVersion":1,', 1)),
        ("other case", good.replace(b'"schemaVersion"', b'"SchemaVersion"')),
        ("deeply nested", b'{"x":' * 5000 + b"1" + b"}" * 5000),
        ("a huge number", good.replace(b":2,", b":2e999,", 1)),
        ("4 MiB", good + b" " * (4 * 1024 * 1024 - len(good))),
        ("over 4 MiB", good + b" " * (4 * 1024 * 1024 - len(good) + 1)),
    )
    for note, body in bodies:
        yield note, MANIFEST, body


def _image_changes(media_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
    good = descriptor(LAYER if media_type == MANIFEST else _DOCKER_LAYER, LAYER_BLOB)
    foreign = {**_MISSING, "mediaType": _FOREIGN}
    oci_foreign = {**_MISSING, "mediaType": _OCI_FOREIGN}
    urls = {"urls": ["https://elsewhere.test/layer"]}
    yield from _changes(
        {
            "schemaVersion": (None, 1, 3, "2", 2.0, True),
            "mediaType": (None, "", "x", MANIFEST, DOCKER_MANIFEST, INDEX, 5),
            "config": (None, {}, [], "x", _MISSING),
            "layers": (None, [], {}, "x", [{}], [None], [good, good], [good, _MISSING]),
            "subject": (descriptor(MANIFEST, image()), _MISSING, {}, "x"),
            "annotations": ({"a": "b"}, {"a": 5}, []),
            "artifactType": ("application/vnd.test",),
            "unknown": ([1, 2.5, None],),
        }
    )
    yield "all missing", {"config": _MISSING_CONFIG, "layers": [_MISSING]}
    layer_changes = _changes(
        {
            "digest": (
                None,
                "",
                "x",
                "sha256:abc",
                digest_of(LAYER_BLOB).upper(),
                f"sha512:{hashlib.sha512(LAYER_BLOB).hexdigest()}",
            ),
            "size": (None, 0, 7, -1, "7", 2**63),
            "mediaType": (None, "x", 5),
            "urls": ([], ["https://elsewhere.test/layer"], "x"),
            "annotations": ({"a": "b"}, {"a": 5}),
            "data": ("eA==",),
        }
    )
    for note, change in layer_changes:
        yield f"layer's {note}", {"layers": [{**good, **change}]}
    yield "foreign layer", {"layers": [foreign]}
    yield "foreign layer with URL", {"layers": [{**foreign, **urls}]}
    yield "nondistributable layer", {"layers": [oci_foreign]}
    yield "nondistributable layer with URL", {"layers": [{**oci_foreign, **urls}]}
    yield "an image as a layer", {"layers": [descriptor(MANIFEST, image())]}
    yield "manifests, too", {"manifests": []}
    yield "a child, too", {"manifests": [descriptor(MANIFEST, image())]}


def _index_changes(media_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
    oci = media_type == INDEX
    child_type = MANIFEST if oci else DOCKER_MANIFEST
    good = descriptor(child_type, image(child_type))
    own = descriptor(media_type, index(media_type))
    platform = {"architecture": "amd64", "os": "linux"}
    blob = {**descriptor(LAYER, LAYER_BLOB), "platform": platform}
    one, two = [good], [good, good]
    yield from _changes(
        {
            "schemaVersion": (None, 1, "2"),
            "mediaType": (None, "", "x", INDEX, DOCKER_LIST, MANIFEST),
            "manifests": (None, [], {}, "x", [{}], one, two, [good, _MISSING]),
            "subject": (descriptor(MANIFEST, image()),),
            "annotations": ({"a": "b"},),
        }
    )
    yield "itself a child", {"manifests": [{**own, "platform": platform}]}
    yield "a blob as a child", {"manifests": [blob]}
    yield "a child of unknown type", {"manifests": [{**good, "mediaType": "x"}]}
    yield "a child's size wrong", {"manifests": [{**good, "size": 7}]}
    yield "platform without os", {"manifests": [{**good, "platform": {}}]}
    arm = {"architecture": "arm64", "os": "linux", "variant": "v8"}
    yield "no amd64", {"manifests": [{**good, "platform": arm}]}
    yield "config, too", {"config": descriptor(CONFIG, CONFIG_BLOB)}
    yield "layers, too", {"layers": []}
    yield "a layer, too", {"layers": [descriptor(LAYER, LAYER_BLOB)]}


def _changes(
    values: Mapping[str, Sequence[Any]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Change one member at a time."""
    for key, several in values.items():
        for value in several:
            yield f"{key} {_short(value)}", {key: value}


def _short(value: Any) -> str:
    text = "MISSING" if value == _MISSING else str(value)
    return text if len(text) < 40 else f"{text[:38]}…"
