"""Tests of requests that race one another on one session, or one tag."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.real.case import RealTestCase

ROUNDS = 30
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class RaceTests(RealTestCase):
    """Requests at the same time, each on a connection of its own."""

    def setUp(self) -> None:
        """Start a registry."""
        self.port = self.registry().port

    def ask(
        self, method: str, target: str, body: bytes = b"", media_type: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request; return status, headers in lower case, and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": media_type or "application/octet-stream"}
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, answer.read()
        finally:
            connection.close()

    def at_once(self, *calls: Callable[[], int]) -> list[int]:
        """Make calls at the same time; return their statuses."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return [job.result() for job in [pool.submit(call) for call in calls]]

    def test_patch_against_put(self) -> None:
        """What comes for a session that is being ended is never in the blob."""
        for _ in range(ROUNDS):
            content = os.urandom(200_000)
            digest = f"sha256:{sha256(content).hexdigest()}"
            location = self.location("POST", "/v2/a/b/blobs/uploads/")
            location = self.location("PATCH", location, content)

            def put(target: str = f"{location}&digest={digest}") -> int:
                return self.ask("PUT", target)[0]

            def patch(target: str = location) -> int:
                return self.ask("PATCH", target, b"more")[0]

            ended, *_ = self.at_once(put, *[patch] * 8)
            status, _, body = self.ask("GET", f"/v2/a/b/blobs/{digest}")
            if ended == 201:
                self.assertEqual((200, content), (status, body))

    def test_retag_against_delete(self) -> None:
        """A tag that was moved away is not deleted with what it pointed to before."""
        for number in range(ROUNDS):
            old, new = (self.manifest(f"{number} {word}") for word in ("old", "new"))
            tag = f"/v2/a/b/manifests/t{number}"
            self.assertEqual(201, self.put_manifest(tag, old))
            name = f"/v2/a/b/manifests/sha256:{sha256(old).hexdigest()}"

            def delete(target: str = name) -> int:
                return self.ask("DELETE", target)[0]

            def move(target: str = tag, content: bytes = new) -> int:
                return self.put_manifest(target, content)

            self.assertEqual([202, 201], self.at_once(delete, move))
            status, _, body = self.ask("GET", tag)
            self.assertEqual((200, new), (status, body))

    def test_push_against_delete(self) -> None:
        """A tag that is listed leads to a manifest, whoever came first."""
        for number in range(ROUNDS):
            content = self.manifest(str(number))
            tag = f"/v2/c/manifests/t{number}"
            self.assertEqual(201, self.put_manifest(tag, content))
            name = f"/v2/c/manifests/sha256:{sha256(content).hexdigest()}"

            def delete(target: str = name) -> int:
                return self.ask("DELETE", target)[0]

            def push(target: str = tag, body: bytes = content) -> int:
                return self.put_manifest(target, body)

            self.at_once(delete, push)
            listed = json.loads(self.ask("GET", "/v2/c/tags/list")[2])["tags"]
            status, _, _ = self.ask("GET", tag)
            self.assertEqual(200 if f"t{number}" in listed else 404, status)

    def location(self, method: str, target: str, body: bytes = b"") -> str:
        """Send a request and return the push location it is answered with."""
        status, headers, _ = self.ask(method, target, body)
        self.assertEqual(202, status)
        parts = urlsplit(headers["location"])
        return f"{parts.path}?{parts.query}"

    def put_manifest(self, target: str, content: bytes) -> int:
        """Push a manifest and return the status."""
        return self.ask("PUT", target, content, MANIFEST)[0]

    def manifest(self, note: str) -> bytes:
        """Make a manifest of its own; push the blob that all of them name."""
        repositories = ("a/b", "c")
        digest = f"sha256:{sha256(b'{}').hexdigest()}"
        for repository in repositories:
            target = f"/v2/{repository}/blobs/uploads/?digest={digest}"
            self.assertEqual(201, self.ask("POST", target, b"{}")[0])
        config = {"mediaType": "application/json", "digest": digest, "size": 2}
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [],
            "annotations": {"note": note},
        }
        return json.dumps(document).encode()
