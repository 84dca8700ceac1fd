"""Registry: a whole one in memory, on a fake clock, for tests of what talks to one.

::

    registry = MemoryRegistry(can_delete=False)
    registry.push_image("library/hello", "latest")
    answer = registry.request("GET", "/v2/library/hello/tags/list")
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import Factory, define, field
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from txregistry.interfaces import IRequestWatcher, IStorageDriver, ITracer
from txregistry.oci.digest import CANONICAL, Digest
from txregistry.oci.errors import JSON
from txregistry.oci.mediatypes import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from txregistry.registry.repository import Registry
from txregistry.registry.rules import ManifestRules
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.wire import Answer, Wire
from txregistry.web.app import Frame, FramedResource, make_resource
from txregistry.web.cors import Cors
from txregistry.web.endpoints import Routes
from txregistry.web.fastpath import FastPath
from txregistry.web.gate import Admission, OpenGate
from txregistry.web.limits import Limits
from txregistry.web.push_location import PushLocations
from txregistry.web.routes.base import BaseRoutes
from txregistry.web.routes.blobs import BlobRoutes
from txregistry.web.routes.lists import ListRoutes
from txregistry.web.routes.manifests import ManifestRoutes
from txregistry.web.routes.uploads import UploadRoutes
from txregistry.web.urls import Urls
from txregistry.web.witness import SilentWitness, Witness

_MANIFEST_LIMIT: Final = 4 * 1024 * 1024


class Refused(Exception):
    """The registry did not take a push.

    Attributes:
        answer: What it said.
    """

    def __init__(self, answer: Answer) -> None:
        """Take the answer."""
        super().__init__(f"{answer.status} {answer.body!r}")
        self.answer = answer


@define(kw_only=True, eq=False)
class MemoryRegistry:
    """A registry without ports, files or real time; give what is to be otherwise.

    Attributes:
        clock: The time that it knows; advance it.
        driver: The store; an empty one in memory. Give several registries the same
            and they are processes on one store.
        can_delete: Whether clients may delete.
        redirects: Whether clients are sent to the store, where it has URLs.
        read_only: Whether every request that would write is refused.
        rules: What a manifest must keep to.
        max_manifest: The largest manifest that is taken, in bytes.
        max_tags: The largest page of tags.
        max_catalog: The largest page of the catalog.
        prefix: What stands before ``v2/`` in paths: begins and ends with ``/``.
        host: Scheme and host of URLs in answers; None: as the request came.
        relative: Whether URLs in answers are paths only.
        trusts: Says of a client's address whether its ``Forwarded`` is believed.
        headers: Headers of every answer.
        cors: Which pages of other sites may read.
        limits: How much, and how slowly, clients may send.
        gate: Decides on requests before they run; None: everybody may do everything.
        witness: Tells what requests do; None: nobody is told.
        tracer: Traces requests; None: they are not traced.
        watchers: Are told of requests.
        is_fast: Whether it has a fast path, which all its connections share.
        secret: What push locations are signed with.
        registry: The use cases below HTTP, on the same store.
        routes: The endpoints.
        resource: The endpoints, joined.
        fast: The fast path; None: it has none.
    """

    clock: Clock = field(factory=Clock)
    driver: IStorageDriver = field(
        default=Factory(lambda self: MemoryDriver(self.clock), takes_self=True)
    )
    can_delete: bool = True
    redirects: bool = False
    read_only: bool = False
    rules: ManifestRules = field(factory=ManifestRules)
    max_manifest: int = _MANIFEST_LIMIT
    max_tags: int = 1000
    max_catalog: int = 1000
    prefix: str = "/"
    host: str | None = None
    relative: bool = False
    trusts: Callable[[str], bool] = lambda _: False
    headers: Mapping[str, Sequence[str]] = field(factory=dict)
    cors: Cors = field(factory=Cors)
    limits: Limits = field(factory=Limits)
    gate: Admission | None = None
    witness: Witness | None = None
    tracer: ITracer | None = None
    watchers: Sequence[IRequestWatcher] = ()
    is_fast: bool = False
    secret: bytes = b"not much of a secret"
    registry: Registry = field(init=False)
    routes: Sequence[Routes] = field(init=False)
    resource: FramedResource = field(init=False)
    fast: FastPath | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        """Join the parts."""
        self.registry = Registry(self.driver, self.clock, self.rules, execute)
        urls = Urls(self.prefix, self.host, self.relative, self.trusts)
        self.routes = [
            BaseRoutes(),
            BlobRoutes(self.registry, self.can_delete, self.redirects),
            ManifestRoutes(self.registry, urls, self.can_delete, self.max_manifest),
            UploadRoutes(self.registry, urls, PushLocations(self.secret)),
            ListRoutes(self.registry, self.max_tags, self.max_catalog),
        ]
        frame = Frame(self.prefix, self.headers, self.cors, self.read_only)
        self.resource = make_resource(self.routes, frame, self.gate, self.witness)
        if self.is_fast:
            self.fast = FastPath(
                self.clock, self.limits, self.watchers, lambda: "a request's id"
            )
            gate, witness = self.gate or OpenGate(), self.witness or SilentWitness()
            self.fast.open(gate, witness, lambda: False)

    def connect(self) -> Wire:
        """Return a new connection of a client."""
        return Wire(
            self.resource,
            self.limits,
            self.clock,
            self.tracer,
            self.watchers,
            self.fast,
        )

    def request(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request on a connection of its own; see Wire."""
        return self.connect().request(method, target, headers, body)

    def push_blob(
        self, name: str, content: bytes, algorithm: str = CANONICAL
    ) -> Digest:
        """Push a blob and return its digest.

        Raises:
            Refused: The registry does not take it.
        """
        digest = Digest.of(content, algorithm)
        target = f"{self.prefix}v2/{name}/blobs/uploads/?digest={digest}"
        self._push("POST", target, {}, content)
        return digest

    def push_manifest(
        self,
        name: str,
        tag_or_digest: str,
        manifest: Mapping[str, JSON],
        media_type: str | None = None,
    ) -> Digest:
        """Push a manifest and return its digest.

        Args:
            name: The repository.
            tag_or_digest: What it is to be known by; ``""``: its digest.
            manifest: The manifest.
            media_type: What it is pushed as; None: what it says itself.

        Raises:
            Refused: The registry does not take it.
        """
        content = json.dumps(manifest).encode()
        digest = Digest.of(content)
        target = f"{self.prefix}v2/{name}/manifests/{tag_or_digest or digest}"
        headers = {"Content-Type": media_type or str(manifest["mediaType"])}
        self._push("PUT", target, headers, content)
        return digest

    def push_image(
        self, name: str, tag: str = "", content: bytes = b"a layer", **members: JSON
    ) -> Digest:
        """Push an image of one layer and return its digest.

        Args:
            name: The repository.
            tag: The tag; ``""``: none.
            content: The layer's content; another content makes another image.
            **members: Further members of the manifest, or others in their place.

        Raises:
            Refused: The registry does not take it.
        """
        manifest: dict[str, JSON] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.push_described(name, OCI_CONFIG, b"{}"),
            "layers": [self.push_described(name, OCI_LAYER, content)],
        }
        return self.push_manifest(name, tag, manifest | members)

    def push_described(
        self, name: str, media_type: str, content: bytes
    ) -> dict[str, JSON]:
        """Push a blob and return its descriptor.

        Raises:
            Refused: The registry does not take it.
        """
        digest = self.push_blob(name, content)
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    def _push(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> None:
        answer = self.request(method, target, headers, body)
        if answer.status != 201:
            raise Refused(answer)
