"""Manifests: pull, push and delete (end-3, end-7, end-9)."""

from __future__ import annotations

from typing import Any, Final

from txregistry.oci.accept import Accepted
from txregistry.oci.digest import Digest
from txregistry.oci.errors import (
    BadRequest,
    ManifestTooLarge,
    ManifestUnknown,
    TooManyTags,
    Unsupported,
)
from txregistry.oci.events import manifest_activity
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX
from txregistry.oci.names import Name, Tag, parse_tag_or_digest
from txregistry.registry.manifests import Manifests
from txregistry.registry.repository import Registry
from txregistry.streams import Collector, TooLong, pump
from txregistry.web.answers import send_bytes, send_nothing
from txregistry.web.conditions import matches, require_match, require_no_match
from txregistry.web.endpoints import DELETE, PULL, PUSH, Endpoint
from txregistry.web.urls import Urls

# Each tag is a file that has to be durable. The spec has a registry take ten at least.
MOST_TAGS: Final = 100


class ManifestRoutes:
    """The endpoints for manifests."""

    def __init__(
        self, registry: Registry, urls: Urls, can_delete: bool, max_size: int
    ) -> None:
        """Prepare.

        Args:
            registry: All repositories.
            urls: Makes the URLs in answers.
            can_delete: Whether clients may delete.
            max_size: The largest manifest that is taken, in bytes.
        """
        self._registry = registry
        self._urls = urls
        self._can_delete = can_delete
        self._max_size = max_size

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        path = "/v2/<loose:name>/manifests/<tag_or_digest>"
        return [
            Endpoint("manifest", "GET", path, self.get, PULL),
            Endpoint("manifest", "PUT", path, self.put, PUSH),
            Endpoint("manifest", "DELETE", path, self.delete, DELETE),
        ]

    async def get(self, request: Any, name: Name, tag_or_digest: str) -> None:
        """end-3: pull a manifest, or ask about it."""
        manifests = self._registry.repository(name, request.tell).manifests
        asked = parse_tag_or_digest(tag_or_digest)
        digest = await manifests.resolve(asked)
        manifest = await manifests.get(digest)
        accepted = Accepted.parse(request.headers("accept"))
        if not _is_accepted(accepted, manifest.media_type):
            child = _substitute(manifest, isinstance(asked, Tag))
            if child is not None:
                digest, manifest = child, await manifests.get(child)
        headers = {
            "Content-Type": manifest.media_type,
            "Docker-Content-Digest": str(digest),
            "ETag": f'"{digest}"',
        }
        require_match(request.headers("if-match"), digest)
        if matches(request.headers("if-none-match"), digest):
            send_nothing(request, 304, headers)
        else:
            tag = asked if isinstance(asked, Tag) else None
            pulled = manifest_activity("pull", name, manifest, digest, tag)
            if asked in (tag, digest):
                holds = manifests.stays(digest, tag)
                request.may_last(holds, manifest.content, pulled, digest)
            await request.tell([pulled])
            send_bytes(request, 200, manifest.content, headers)

    async def put(self, request: Any, name: Name, tag_or_digest: str) -> None:
        """end-7a, end-7b: push a manifest by tag, or by digest with tags."""
        target = parse_tag_or_digest(tag_or_digest)
        tags = _tags(request)
        manifests = self._registry.repository(name, request.tell).manifests
        content = await self._receive(request)
        manifest = await manifests.parse(content, _media_type(request))
        digest = target if isinstance(target, Digest) else None
        if isinstance(target, Tag):
            if tags:
                raise BadRequest(message="tag parameters need a digest in the path")
            tags = [target]
        await _check_conditions(request, manifests, target)
        digest = await manifests.put(manifest, digest, tags)
        headers = {
            "Location": self._urls.manifest(request, name, digest),
            "Docker-Content-Digest": str(digest),
        }
        if manifest.subject is not None:
            headers["OCI-Subject"] = str(manifest.subject.digest)
        if isinstance(target, Digest) and tags:
            headers["OCI-Tag"] = ", ".join(map(str, tags))
        send_nothing(request, 201, headers)

    async def delete(self, request: Any, name: Name, tag_or_digest: str) -> None:
        """end-9: delete a manifest, or a tag."""
        repository = self._registry.repository(name, request.tell)
        target = parse_tag_or_digest(tag_or_digest)
        if not self._can_delete:
            raise Unsupported(headers={"Allow": "GET, HEAD, OPTIONS, PUT"})
        await _check_conditions(request, repository.manifests, target)
        if isinstance(target, Tag):
            await repository.tags.delete(target)
        else:
            await repository.manifests.delete(target)
        send_nothing(request, 202)

    async def _receive(self, request: Any) -> bytes:
        length = request.body.length
        if isinstance(length, int) and length > self._max_size:
            raise ManifestTooLarge({"limit": self._max_size})
        collector = Collector(self._max_size)
        try:
            await pump(request.body, collector)
        except TooLong:
            raise ManifestTooLarge({"limit": self._max_size}) from None
        return collector.content()


def _tags(request: Any) -> list[Tag]:
    """Return the tags that a push by digest asks for (end-7b).

    Raises:
        TooManyTags: They are more than ``MOST_TAGS``.
        TagInvalid: One of them is none.
    """
    texts = request.parameters("tag")
    if len(texts) > MOST_TAGS:
        message = f"more than {MOST_TAGS} tag parameters"
        raise TooManyTags({"limit": MOST_TAGS}, message=message)
    return [Tag.parse(text) for text in texts]


async def _check_conditions(
    request: Any, manifests: Manifests, target: Tag | Digest
) -> None:
    """Check that what is to be changed is what the client means (RFC 9110, 13.1).

    Raises:
        PreconditionFailed: It is not.
    """
    if_match = request.headers("if-match")
    if_none_match = request.headers("if-none-match")
    if if_match or if_none_match:
        digest = await _current(manifests, target)
        if digest is None and request.method == b"DELETE":
            return  # without the conditions it would be a 404, and so it is with them
        require_match(if_match, digest)
        require_no_match(if_none_match, digest)


async def _current(manifests: Manifests, target: Tag | Digest) -> Digest | None:
    """Return the digest of the manifest that there is now; None: there is none."""
    try:
        digest = await manifests.resolve(target)
    except ManifestUnknown:
        return None
    return digest if await manifests.holds(digest) else None


def _media_type(request: Any) -> str | None:
    """Return what a body is said to be; None: nothing."""
    content_type = request.header("content-type") or ""
    return content_type.partition(";")[0].strip().lower() or None


def _is_accepted(accepted: Accepted, media_type: str) -> bool:
    # All manifests are JSON: a person's "Accept: application/json" is meant to get one.
    return accepted.takes(media_type) or accepted.takes("application/json")


def _substitute(manifest: Manifest, by_tag: bool) -> Digest | None:
    """Choose what a client gets that does not accept what was pushed.

    As the Go registry does: clients from before multi-platform images get the
    linux/amd64 child of a Docker list; Docker manifests are served whatever is
    accepted; OCI manifests only to clients that know them.

    Returns:
        Another manifest's digest; None: the manifest itself.

    Raises:
        ManifestUnknown: There is nothing for the client.
    """
    if manifest.media_type == DOCKER_LIST:
        return _amd64_child(manifest) if by_tag else None
    if manifest.media_type == DOCKER_MANIFEST:
        return None
    kind = "index" if manifest.media_type == OCI_INDEX else "manifest"
    raise ManifestUnknown(
        {"mediaType": manifest.media_type},
        message=f"OCI {kind} found, but the Accept header does not take it",
    )


def _amd64_child(manifest: Manifest) -> Digest:
    for child in manifest.manifests:
        platform = child.platform
        if platform and (platform.os, platform.architecture) == ("linux", "amd64"):
            return child.digest
    raise ManifestUnknown(
        message="a list found without linux/amd64, and the Accept header takes no lists"
    )
