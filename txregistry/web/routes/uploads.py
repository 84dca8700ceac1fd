"""Uploads: push a blob, in one piece or in many (end-4 to end-6, end-11 to end-14)."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer

from txregistry.oci.access import repository_accesses
from txregistry.oci.digest import ALGORITHMS, CANONICAL, Digest
from txregistry.oci.errors import (
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    NameInvalid,
    RangeInvalid,
    SizeInvalid,
    UnsupportedMediaType,
)
from txregistry.oci.mediatypes import OCTET_STREAM
from txregistry.oci.names import Name
from txregistry.oci.ranges import ContentRange
from txregistry.registry.repository import Registry, Repository
from txregistry.registry.uploads import Upload
from txregistry.web.answers import send_nothing
from txregistry.web.body import RequestBody
from txregistry.web.endpoints import PULL, PUSH, Endpoint
from txregistry.web.gate import Caller
from txregistry.web.promises import PromisedBody
from txregistry.web.push_location import PushLocations
from txregistry.web.urls import Urls

# A blob that a client wants from any repository is looked for in so many of them.
_MOST_SEARCHED: Final = 1000


class UploadRoutes:
    """The endpoints for upload sessions."""

    def __init__(
        self, registry: Registry, urls: Urls, push_locations: PushLocations
    ) -> None:
        """Take all repositories, and what makes and checks push locations."""
        self._registry = registry
        self._urls = urls
        self._push_locations = push_locations

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        bare = "/v2/<loose:name>/blobs/uploads"
        start, path = f"{bare}/", f"{bare}/<session_id>"
        return [
            Endpoint("blob_upload", "POST", start, self.start, PUSH),
            Endpoint("blob_upload", "POST", bare, self.start, PUSH),
            Endpoint("blob_upload_chunk", "GET", path, self.status, PULL),
            Endpoint("blob_upload_chunk", "PATCH", path, self.append, PUSH),
            Endpoint("blob_upload_chunk", "PUT", path, self.commit, PUSH),
            Endpoint("blob_upload_chunk", "DELETE", path, self.cancel, PUSH),
        ]

    async def start(self, request: Any, name: Name) -> None:
        """end-4a, end-4b, end-4c, end-11: begin a session, or spare the client one."""
        repository = self._registry.repository(name, request.tell)
        mount = _mountable(request)
        digest = _digest(request, "digest")
        algorithm = request.parameter("digest-algorithm") or CANONICAL
        if algorithm not in ALGORITHMS:
            raise DigestInvalid(algorithm, message="unsupported digest algorithm")
        if mount is not None and await self._mount(request, repository, mount):
            self._created(request, repository, mount)
        elif digest is not None and mount is None:
            await self._push_whole(request, repository, digest)
            self._created(request, repository, digest)
        else:
            upload = await repository.uploads.start(algorithm)
            send_nothing(request, 202, self._position(request, repository, upload))

    async def status(self, request: Any, name: Name, session_id: str) -> None:
        """end-13: say where a session stands."""
        repository = self._registry.repository(name, request.tell)
        signed = None
        with contextlib.suppress(BlobUploadInvalid):  # it may ask without
            state = request.parameter("_state")
            signed = self._push_locations.read(state, repository.name, session_id)
        upload = await repository.uploads.find(session_id, signed)
        send_nothing(request, 204, self._position(request, repository, upload))

    async def append(self, request: Any, name: Name, session_id: str) -> None:
        """end-5: take a chunk, or a stream."""
        repository = self._registry.repository(name, request.tell)
        _require_bytes(request)
        upload = await self._find(request, repository, session_id)
        source = self._source(request, repository, upload)
        try:
            after = await repository.uploads.append(upload, source)
        except (RangeInvalid, SizeInvalid) as error:
            upload = await repository.uploads.find(session_id, upload)
            error.headers.update(self._position(request, repository, upload))
            raise
        send_nothing(request, 202, self._position(request, repository, after))

    async def commit(self, request: Any, name: Name, session_id: str) -> None:
        """end-6: take the rest and end the session."""
        repository = self._registry.repository(name, request.tell)
        upload = await self._find(request, repository, session_id)
        digest = _digest(request, "digest")
        if digest is None:
            raise DigestInvalid(message="the digest parameter is missing")
        source = self._source(request, repository, upload)
        rest = None if source.length == 0 else source
        try:
            await repository.uploads.commit(upload, digest, rest)
        except (RangeInvalid, SizeInvalid) as error:
            upload = await repository.uploads.find(session_id, upload)
            error.headers.update(self._position(request, repository, upload))
            raise
        self._created(request, repository, digest)

    async def cancel(self, request: Any, name: Name, session_id: str) -> None:
        """end-14: give a session up."""
        repository = self._registry.repository(name, request.tell)
        state = request.parameter("_state")
        signed = self._push_locations.read(state, repository.name, session_id)
        await repository.uploads.cancel(signed)
        send_nothing(request, 204, {"Docker-Upload-Uuid": session_id})

    async def _mount(self, request: Any, repository: Repository, mount: Digest) -> bool:
        source = request.parameter("from")
        try:
            other = None if source is None else Name.parse(source)
        except NameInvalid:
            return False  # a client that cannot mount uploads, so let it
        if not request.caller.unrestricted:
            if other is None:
                other = await self._holder(request.caller, mount)
            if other is None or not _may_pull(request.caller, other):
                return False
        return await repository.blobs.mount(mount, other) is not None

    async def _holder(self, caller: Caller, digest: Digest) -> Name | None:
        """Find a repository with a blob that a caller may pull from."""
        names = await self._registry.catalog.page("", _MOST_SEARCHED)
        turns = self._registry.turns()
        for name in map(Name, names):
            await turns.yield_if_due()
            blobs = self._registry.repository(name).blobs
            if _may_pull(caller, name) and await blobs.holds(digest):
                return name
        return None

    async def _push_whole(
        self, request: Any, repository: Repository, digest: Digest
    ) -> None:
        upload = await repository.uploads.start()
        try:
            await repository.uploads.commit(upload, digest, request.body)
        except BaseException:
            # The client does not know the session, so nobody will go on with it.
            with contextlib.suppress(BlobUploadUnknown):
                await repository.uploads.cancel(upload)
            raise

    async def _find(
        self, request: Any, repository: Repository, session_id: str
    ) -> Upload:
        """Find a session and check that the client knows where it stands."""
        state = request.parameter("_state")
        signed = self._push_locations.read(state, repository.name, session_id)
        upload = await repository.uploads.find(session_id, signed)
        # A Content-Range says more plainly than an old push location what is meant.
        if request.header("content-range") is None and signed.offset != upload.offset:
            raise self._elsewhere(request, repository, upload)
        return upload

    def _source(
        self, request: Any, repository: Repository, upload: Upload
    ) -> IBodyProducer:
        """Return the body, which has to keep what the Content-Range promises, if any.

        Raises:
            RangeInvalid: The range does not begin where the session stands.
            SizeInvalid: The body is known to have another length.
        """
        body: RequestBody = request.body
        header = request.header("content-range")
        if header is None:
            return body
        content_range = ContentRange.parse(header)
        if content_range.first != upload.offset:
            raise self._elsewhere(request, repository, upload)
        promised = content_range.length
        if body.length == UNKNOWN_LENGTH:
            return PromisedBody(body, promised)
        if body.length != promised:
            headers = self._position(request, repository, upload)
            raise SizeInvalid({"promised": promised}, headers=headers)
        return body

    def _elsewhere(
        self, request: Any, repository: Repository, upload: Upload
    ) -> RangeInvalid:
        return RangeInvalid(
            {"offset": upload.offset},
            headers=self._position(request, repository, upload),
        )

    def _created(self, request: Any, repository: Repository, digest: Digest) -> None:
        headers = {
            "Location": self._urls.blob(request, repository.name, digest),
            "Docker-Content-Digest": str(digest),
        }
        send_nothing(request, 201, headers)

    def _position(
        self, request: Any, repository: Repository, upload: Upload
    ) -> dict[str, str]:
        name, session_id = repository.name, upload.session_id
        state = self._push_locations.sign(name, upload)
        return {
            "Location": self._urls.push_location(request, name, session_id, state),
            "Range": f"0-{max(upload.offset - 1, 0)}",
            "Docker-Upload-Uuid": session_id,
        }


def _may_pull(caller: Caller, name: Name) -> bool:
    return caller.may(*repository_accesses(name, "pull"))


def _mountable(request: Any) -> Digest | None:
    """Return what a client wants to mount; a client that cannot mount uploads."""
    try:
        return _digest(request, "mount")
    except DigestInvalid:
        return None


def _digest(request: Any, parameter: str) -> Digest | None:
    text = request.parameter(parameter)
    return None if text is None else Digest.parse(text)


def _require_bytes(request: Any) -> None:
    content_type = request.header("content-type") or OCTET_STREAM
    if content_type.partition(";")[0].strip().lower() != OCTET_STREAM:
        raise UnsupportedMediaType(
            content_type, message=f"send chunks as {OCTET_STREAM}"
        )
