"""Blobs: pull and delete (end-2, end-10)."""

from __future__ import annotations

from typing import Any, Final

from txregistry.oci.digest import Digest
from txregistry.oci.errors import Unsupported
from txregistry.oci.events import Activity, blob_activity
from txregistry.oci.mediatypes import OCTET_STREAM
from txregistry.oci.names import Name
from txregistry.oci.ranges import parse_range
from txregistry.registry.blobs import Blob, Blobs
from txregistry.registry.repository import Registry
from txregistry.web.answers import send_body, send_bytes, send_nothing
from txregistry.web.conditions import matches, require_match
from txregistry.web.endpoints import DELETE, PULL, Endpoint

# Content by digest never changes.
_MAX_AGE: Final = 31536000

_REDIRECT_LIFETIME: Final = 20 * 60.0

# Up to so many bytes are worth keeping for the next one who asks: an image's
# configuration has some thousands, and whoever pulls the image asks for it.
_SMALL: Final = 32 * 1024


class BlobRoutes:
    """The endpoints for blobs."""

    def __init__(self, registry: Registry, can_delete: bool, redirects: bool) -> None:
        """Prepare.

        Args:
            registry: All repositories.
            can_delete: Whether clients may delete.
            redirects: Whether clients are sent to the store, where it has URLs.
        """
        self._registry = registry
        self._can_delete = can_delete
        self._redirects = redirects

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        path = "/v2/<loose:name>/blobs/<digest>"
        return [
            Endpoint("blob", "GET", path, self.get, PULL),
            Endpoint("blob", "DELETE", path, self.delete, DELETE),
        ]

    async def get(self, request: Any, name: Name, digest: str) -> None:
        """end-2: pull a blob, or ask about it."""
        blobs = self._registry.repository(name, request.tell).blobs
        blob = await blobs.find(Digest.parse(digest))
        headers = {
            "Docker-Content-Digest": str(blob.digest),
            "ETag": f'"{blob.digest}"',
            "Cache-Control": f"max-age={_MAX_AGE}",
        }
        require_match(request.headers("if-match"), blob.digest)
        if matches(request.headers("if-none-match"), blob.digest):
            send_nothing(request, 304, headers)
            return
        url = await self._redirect(request, blobs, blob)
        pulled = blob_activity("pull", name, blob.digest, blob.size)
        if url is not None:
            await request.tell([pulled])
            send_nothing(request, 307, {"Location": url})
            return
        headers |= {"Content-Type": OCTET_STREAM, "Accept-Ranges": "bytes"}
        await self._send(request, blobs, blob, headers, pulled)

    async def delete(self, request: Any, name: Name, digest: str) -> None:
        """end-10: take a blob out of a repository."""
        repository = self._registry.repository(name, request.tell)
        parsed = Digest.parse(digest)
        if not self._can_delete:
            raise Unsupported(headers={"Allow": "GET, HEAD, OPTIONS"})
        await repository.blobs.unlink(parsed)
        send_nothing(request, 202)

    async def _redirect(self, request: Any, blobs: Blobs, blob: Blob) -> str | None:
        if not self._redirects:
            return None
        method = request.method.decode("ascii")
        return await blobs.redirect_url(blob, method, _REDIRECT_LIFETIME)

    async def _send(
        self,
        request: Any,
        blobs: Blobs,
        blob: Blob,
        headers: dict[str, str],
        pulled: Activity,
    ) -> None:
        wanted = None
        asked = request.header("range")
        if asked is not None and self._may_range(request, blob):
            wanted = parse_range(asked, blob.size)
        await request.tell([pulled])
        if request.method == b"HEAD":
            request.may_last(blobs.stays(blob), b"", pulled)
            send_nothing(request, 200, headers)
            request.head.set("Content-Length", str(blob.size))
        elif wanted is not None:
            headers["Content-Range"] = wanted.content_range(blob.size)
            source = await blobs.open(blob, wanted.first, wanted.length)
            await send_body(request, 206, source, headers)
        elif request.asked is not None and blob.size <= _SMALL:
            content = await blobs.content(blob)
            request.may_last(blobs.stays(blob), content, pulled, blob.digest)
            send_bytes(request, 200, content, headers)
        else:
            await send_body(request, 200, await blobs.open(blob), headers)

    def _may_range(self, request: Any, blob: Blob) -> bool:
        """Say whether If-Range, if there is one, lets a range be served."""
        condition = request.headers("if-range")
        return request.method == b"GET" and (
            not condition or matches(condition, blob.digest, weakly=False)
        )
