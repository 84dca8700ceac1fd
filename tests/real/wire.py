"""Wire: plain HTTP requests to a server on 127.0.0.1, nothing between."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from attrs import frozen

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPT_ALL = {"Accept": ", ".join([MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST])}
_OCTETS = {"Content-Type": "application/octet-stream"}


@frozen
class Answer:
    """What a server answered.

    Attributes:
        status: The status code.
        headers: By their names in lower case.
        body: All of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)


class Unexpected(AssertionError):
    """A server answered with another status than the one expected."""


class Wire:
    """One connection to a server, kept as long as the server keeps it.

    Every method raises ``OSError`` or ``http.client.HTTPException`` when the server
    goes away.
    """

    def __init__(
        self,
        port: int,
        timeout: float = 30,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare.

        Args:
            port: The port.
            timeout: The seconds to wait for each answer.
            host: The address; one of IPv6 may have brackets.
            tls: How to speak TLS; None: not at all.
        """
        host = host.strip("[]")
        self._connection = (
            http.client.HTTPConnection(host, port, timeout=timeout)
            if tls is None
            else http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: int | None = None,
    ) -> Answer:
        """Send a request and return the answer.

        Args:
            method: The method.
            target: A path with a query, or a whole URL of this server.
            body: The body; pieces are sent as chunks.
            headers: The headers.
            expect: The status that there has to be; None: any.

        Raises:
            Unexpected: The status is another one.
        """
        parts = urlsplit(target)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._connection.request(method, path, body, dict(headers or {}))
        response = self._connection.getresponse()
        answer = Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
        if expect is not None and answer.status != expect:
            raise Unexpected(
                f"{method} {target}: {answer.status}, not {expect}: {answer.body!r}"
            )
        return answer

    def begin_upload(self, name: str) -> str:
        """Open an upload session and return its location."""
        target = f"/v2/{name}/blobs/uploads/"
        answer = self.ask("POST", target, b"", expect=202)
        return location_of(answer, target)

    def push_blob(self, name: str, digest: str, content: bytes, pieces: int = 1) -> str:
        """Push a blob and return its location.

        Args:
            name: The repository.
            digest: Its digest.
            content: Its bytes.
            pieces: In how many PATCH requests; 0: in the closing PUT alone.
        """
        location = self.begin_upload(name)
        step = -(-len(content) // pieces) if pieces else 0
        for start in range(0, len(content) if pieces else 0, step or 1):
            part = content[start : start + step]
            answer = self.ask("PATCH", location, part, _OCTETS, expect=202)
            location = location_of(answer, location)
        rest = b"" if pieces else content
        return self.end_upload(location, digest, rest)

    def end_upload(self, location: str, digest: str, content: bytes = b"") -> str:
        """Close an upload session with a last piece; return the blob's location."""
        joint = "&" if "?" in location else "?"
        target = f"{location}{joint}digest={digest}"
        answer = self.ask("PUT", target, content, _OCTETS, expect=201)
        return location_of(answer, location)

    def push_manifest(
        self, name: str, tag_or_digest: str, content: bytes, media_type: str = MANIFEST
    ) -> Answer:
        """Push a manifest."""
        return self.ask(
            "PUT",
            f"/v2/{name}/manifests/{tag_or_digest}",
            content,
            {"Content-Type": media_type},
            expect=201,
        )

    def pull_blob(self, name: str, digest: str) -> bytes:
        """Pull a blob."""
        return self.ask("GET", f"/v2/{name}/blobs/{digest}", expect=200).body

    def pull_manifest(self, name: str, tag_or_digest: str) -> Answer:
        """Pull a manifest of any type."""
        target = f"/v2/{name}/manifests/{tag_or_digest}"
        return self.ask("GET", target, headers=ACCEPT_ALL, expect=200)

    def digest_of(self, name: str, tag: str) -> str:
        """Return the digest of the manifest that a tag points to."""
        target = f"/v2/{name}/manifests/{tag}"
        answer = self.ask("HEAD", target, headers=ACCEPT_ALL, expect=200)
        return answer.headers["docker-content-digest"]

    def tags(self, name: str) -> list[str]:
        """Return a repository's tags, sorted."""
        answer = self.ask("GET", f"/v2/{name}/tags/list", expect=200)
        return sorted(answer.json()["tags"] or [])

    def catalog(self) -> list[str]:
        """Return the names of the repositories, sorted."""
        answer = self.ask("GET", "/v2/_catalog?n=1000", expect=200)
        return sorted(answer.json()["repositories"])


@contextmanager
def connected(
    port: int,
    timeout: float = 30,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> Iterator[Wire]:
    """Open a connection, and close it behind; for the arguments see Wire."""
    wire = Wire(port, timeout, host, tls)
    try:
        yield wire
    finally:
        wire.close()


def location_of(answer: Answer, target: str) -> str:
    """Return the path and query that an answer's Location points to.

    Args:
        answer: The answer.
        target: What was asked, for a Location relative to it.
    """
    parts = urlsplit(urljoin(target, answer.headers["location"]))
    return parts.path + (f"?{parts.query}" if parts.query else "")


def is_serving(port: int, host: str = "127.0.0.1", tls: bool = False) -> bool:
    """Say whether a registry answers on a port, if only to ask who we are."""
    context = unverified() if tls else None
    try:
        with connected(port, 5, host, context) as wire:
            return wire.ask("GET", "/v2/").status in (200, 401)
    except (OSError, http.client.HTTPException):
        return False


def unverified() -> ssl.SSLContext:
    """Return a way to speak TLS with whoever is there."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
