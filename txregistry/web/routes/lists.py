"""Lists: tags, referrers and the catalog (end-8, end-12)."""

from __future__ import annotations

from typing import Any, Final

from txregistry.oci.access import repository_accesses
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON, PaginationNumberInvalid
from txregistry.oci.mediatypes import OCI_INDEX
from txregistry.oci.names import Name
from txregistry.registry.repository import Registry
from txregistry.web.answers import send_bytes, send_json
from txregistry.web.endpoints import LIST, PULL, Endpoint
from txregistry.web.gate import Caller
from txregistry.web.routes.pages import link_header, page_size

_CATALOG_PAGE: Final = 100
_REFERRERS_PAGE: Final = 1000


class ListRoutes:
    """The endpoints that list."""

    def __init__(self, registry: Registry, max_tags: int, max_catalog: int) -> None:
        """Prepare.

        Args:
            registry: All repositories.
            max_tags: The largest page of tags; a client that asks for more gets this.
            max_catalog: The largest page of the catalog; one who asks for more is
                refused, as the Go registry does.
        """
        self._registry = registry
        self._max_tags = max_tags
        self._max_catalog = max_catalog

    def endpoints(self) -> list[Endpoint]:
        """See Routes."""
        tags = "/v2/<loose:name>/tags/list"
        referrers = "/v2/<loose:name>/referrers/<digest>"
        return [
            Endpoint("tags", "GET", tags, self.tags, PULL),
            Endpoint("referrers", "GET", referrers, self.referrers, PULL),
            Endpoint("catalog", "GET", "/v2/_catalog", self.catalog, LIST),
        ]

    async def tags(self, request: Any, name: Name) -> None:
        """end-8a, end-8b: list a repository's tags."""
        repository = self._registry.repository(name)
        asked = page_size(request)
        last = request.parameter("last") or ""
        size = None if asked is None else min(asked, self._max_tags)
        limit = None if size is None else size + 1
        found = await repository.tags.page(last, limit)
        shown = found[:size]
        headers = {}
        if size and len(found) > size:
            headers = link_header(request, {"n": size, "last": shown[-1]})
        _send_names(request, f'{{"name":"{name}","tags":', shown, headers)

    async def catalog(self, request: Any) -> None:
        """List the repositories (an endpoint of the Docker Registry HTTP API V2)."""
        asked = page_size(request)
        if asked is not None and asked > self._max_catalog:
            raise PaginationNumberInvalid({"n": asked})
        size = min(_CATALOG_PAGE, self._max_catalog) if asked is None else asked
        last = request.parameter("last") or ""
        found = await self._visible(request.caller, last, size + 1) if size else []
        shown = found[:size]
        headers = {}
        if len(found) > size:
            headers = link_header(request, {"n": size, "last": shown[-1]})
        _send_names(request, '{"repositories":', shown, headers)

    async def _visible(self, caller: Caller, after: str, limit: int) -> list[str]:
        """Return a page of the repositories that a caller may pull from."""
        if caller.unrestricted:
            return await self._registry.catalog.page(after, limit)
        found: list[str] = []
        turns = self._registry.turns()
        while len(found) < limit:
            names = await self._registry.catalog.page(after, limit)
            for name in names:
                await turns.yield_if_due()
                if caller.may(*repository_accesses(Name(name), "pull")):
                    found.append(name)
            if len(names) < limit:
                break
            after = names[-1]
        return found[:limit]

    async def referrers(self, request: Any, name: Name, digest: str) -> None:
        """end-12a, end-12b: list the manifests that point at one."""
        repository = self._registry.repository(name)
        subject = Digest.parse(digest)
        kind = _artifact_type(request)
        size = min(page_size(request) or _REFERRERS_PAGE, _REFERRERS_PAGE)
        last = request.parameter("last") or ""
        page = await repository.referrers.page(subject, kind, last, size)
        headers = {"Content-Type": OCI_INDEX}
        if kind is not None:
            headers["OCI-Filters-Applied"] = "artifactType"
        if page.last is not None:
            parameters: dict[str, str | int] = {"n": size, "last": page.last}
            if kind is not None:
                parameters["artifactType"] = kind
            headers |= link_header(request, parameters)
        index: JSON = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [each.to_json() for each in page.descriptors],
        }
        send_json(request, 200, index, headers)


def _send_names(
    request: Any, before: str, names: list[str], headers: dict[str, str]
) -> None:
    """Answer with an object of JSON whose last value is a list of names.

    There may be very many: as none has anything in it that JSON would escape, they are
    put together in a tenth of the time that it takes to look.
    """
    shown = '["' + '","'.join(names) + '"]' if names else "[]"
    headers = {"Content-Type": "application/json", **headers}
    send_bytes(request, 200, f"{before}{shown}}}\n".encode("ascii"), headers)


def _artifact_type(request: Any) -> str | None:
    """Return the kind that is asked for; None: any.

    No media type has a blank: a "+" that a person did not encode has become one.
    """
    text: str | None = request.parameter("artifactType")
    return None if text is None else text.replace(" ", "+")
