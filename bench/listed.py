"""What is listed: a tree with a repository of many tags, and with many repositories.

All registries of a run serve one and the same, and runs keep it, because the file
system takes minutes to make and to remove so many folders. Nothing is pushed there.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

from tests.real.wire import MANIFEST
from txregistry.oci.digest import Digest
from txregistry.oci.names import Name, Tag
from txregistry.registry.layout import RepositoryLayout, blob_data

TAGS: Final = 34_000
REPOSITORIES: Final = 10_000
MANY_TAGS: Final = "bench/tags"
_MOST_NAMES: Final = 30_000
"""So many names a file gets; some file systems allow few more than twice as many."""


def many_tag(number: int) -> str:
    """Return the name of one of many tags; they are in order."""
    return f"release-{number:06}"


def many_name(number: int) -> str:
    """Return the name of one of many repositories; they are in order."""
    return f"team-{number // 100:03}/service-{number % 100:02}"


def make_listed(
    folder: Path, tags: int = TAGS, repositories: int = REPOSITORIES
) -> Path:
    """Make the tree, or take the one that an earlier run has left.

    Args:
        folder: Where such trees are kept.
        tags: How many tags the one repository has.
        repositories: How many others there are.

    Returns:
        The folder of the store.
    """
    root = folder / f"lists-{tags}-{repositories}"
    done = folder / f"{root.name}.done"
    if not done.exists():
        _Writer(root).write(tags, repositories)
        done.touch()
    return root


class _Writer:
    """Writes the tree, or what of it is not there yet.

    It is what lists read, and so no tag has an index of what it pointed to. All links
    are to one manifest, and so are names of a few files.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._link = ""
        self._names = 0

    def write(self, tags: int, repositories: int) -> None:
        content = _empty_manifest()
        digest = Digest.of(content)
        self._write(blob_data(digest), content)
        names = [many_name(number) for number in range(repositories)]
        for name in [MANY_TAGS, *names]:
            layout = RepositoryLayout(Name.parse(name))
            self._write_link(layout.layer_link(digest), digest)
            self._write_link(layout.revision_link(digest), digest)
            many = map(many_tag, range(tags))
            for tag in many if name == MANY_TAGS else ["latest"]:
                self._write_link(layout.tag_link(Tag(tag)), digest)

    def _write_link(self, path: str, digest: Digest) -> None:
        if self._names % _MOST_NAMES == 0:
            self._write(path, str(digest).encode())
            self._link = self._root + path
        else:
            place = self._root + path
            if not os.path.exists(place):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.link(self._link, place)
        self._names += 1

    def _write(self, path: str, content: bytes) -> None:
        place = Path(self._root + path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _empty_manifest() -> bytes:
    """Return a manifest that names one small content, config and layer in one."""
    content: dict[str, Any] = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
        "size": 2,
    }
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": content,
            "layers": [content],
        }
    ).encode()
