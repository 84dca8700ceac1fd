"""Tests of txregistry.web.witness: the events that requests make."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from twisted.internet.task import Clock

from tests.unit.web.case import head
from tests.unit.web.witness_case import (
    LAYER,
    LAYER_DIGEST,
    NAME,
    AliceGate,
    WitnessCase,
)
from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON
from txregistry.oci.mediatypes import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    OCTET_STREAM,
)
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import on


class EventTests(WitnessCase):
    """What an event says."""

    def event(self, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Pull the image; return the event."""
        (made,) = self.told(200, "GET", self.path("manifests", "latest"), headers)
        return made

    def test_whole(self) -> None:
        """An event has everything that it can have."""
        made = self.event({"User-Agent": "docker/29", "X-Request-Id": "x-1"})
        self.assertEqual(4, UUID(made.pop("id")).version)
        size = made["target"]["size"]
        self.assertGreater(size, 0)
        expected = {
            "timestamp": "2025-11-22T04:00:00.000000Z",
            "action": "pull",
            "target": {
                "mediaType": OCI_MANIFEST,
                "digest": str(self.digest),
                "size": size,
                "artifactType": OCI_CONFIG,
                "length": size,
                "repository": NAME,
                "url": f"http://registry.test/v2/{NAME}/manifests/{self.digest}",
                "tag": "latest",
            },
            "request": {
                "id": "x-1",
                "addr": "127.0.0.1",
                "host": "registry.test",
                "method": "GET",
                "useragent": "docker/29",
            },
            "actor": {},
            "source": {"addr": "registry.example:5000", "instanceID": "the process"},
        }
        self.assertEqual(expected, made)

    def test_details(self) -> None:
        """What a manifest refers to is told where that is wanted."""
        self.use(details=True)
        target = self.event()["target"]
        types = [each["mediaType"] for each in target["references"]]
        self.assertEqual([OCI_CONFIG, OCI_LAYER], types)

    def test_annotations(self) -> None:
        """So are its annotations."""
        for details in (False, True):
            self.use(details=details)
            self.registry.push_image(NAME, "latest", annotations={"a": "b"})
            target = self.event()["target"]
            self.assertEqual({"a": "b"} if details else None, target.get("annotations"))

    def test_identifiers(self) -> None:
        """Each event has an identifier of its own; those of a request share its."""
        targets = f"{self.path('manifests', self.digest)}?tag=a&tag=b"
        content = self.ask("GET", self.path("manifests", "latest")).body
        headers = {"Content-Type": OCI_MANIFEST}
        one, other = self.told(201, "PUT", targets, headers, content)
        self.assertNotEqual(one["id"], other["id"])
        self.assertEqual(one["request"], other["request"])

    def test_request(self) -> None:
        """An event's request is called what its answer calls it."""
        answer = self.ask("GET", self.path("manifests", "latest"))
        (made,) = self.sink.events
        self.assertEqual(answer.header("x-request-id"), made.request.id)

    def test_actor(self) -> None:
        """The actor is who the gate says that it is."""
        for name, actor in (("alice", {"name": "alice"}), (None, {})):
            self.use(gate=AliceGate(name))
            self.assertEqual(actor, self.event()["actor"])

    def test_nothing_said(self) -> None:
        """A client of HTTP/1.0 need not say who it is, nor whom it asks."""
        wire = self.registry.connect()
        wire.send(
            b"GET %s HTTP/1.0\r\n\r\n" % self.path("manifests", "latest").encode()
        )
        self.assertEqual(200, wire.answer().status)
        (made,) = (each.to_json() for each in self.sink.events)
        request = made["request"]
        assert isinstance(request, dict)
        self.assertEqual("", request["useragent"])
        self.assertNotIn("host", request)

    def test_url(self) -> None:
        """The URL is complete, also where answers have paths only."""
        path = f"v2/{NAME}/manifests/{self.digest}"
        proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "outside"}
        for options, headers, origin in (
            ({"relative": True}, {}, "http://registry.test/"),
            ({"relative": True, "prefix": "/x/"}, {}, "http://registry.test/x/"),
            ({"host": "https://images.example"}, proxied, "https://images.example/"),
            ({}, proxied, "http://registry.test/"),
            ({"trusts": lambda _: True}, proxied, "https://outside/"),
        ):
            self.use(**options)
            self.assertEqual(origin + path, self.event(headers)["target"]["url"])


class PullTests(WitnessCase):
    """What is a pull."""

    def test_manifest(self) -> None:
        """Who gets a manifest, or asks about it, has pulled it."""
        for method in ("GET", "HEAD"):
            for last, tag in (("latest", "latest"), (self.digest, None)):
                (made,) = self.told(200, method, self.path("manifests", last))
                self.assertEqual("pull", made["action"])
                self.assertEqual(str(self.digest), made["target"]["digest"])
                self.assertEqual(tag, made["target"].get("tag"))
                self.assertEqual(method, made["request"]["method"])

    def test_blob(self) -> None:
        """Who gets a blob, or asks about it, has pulled it."""
        for method in ("GET", "HEAD"):
            ((action, target),) = self.targets(
                200, method, self.path("blobs", LAYER_DIGEST)
            )
            expected = {
                "mediaType": OCTET_STREAM,
                "digest": str(LAYER_DIGEST),
                "size": len(LAYER),
                "length": len(LAYER),
                "repository": NAME,
                "url": f"http://registry.test/v2/{NAME}/blobs/{LAYER_DIGEST}",
            }
            self.assertEqual(("pull", expected), (action, target))

    def test_range(self) -> None:
        """So has who gets a part of it; the size is that of the whole."""
        path, part = self.path("blobs", LAYER_DIGEST), {"Range": "bytes=0-1"}
        ((_, target),) = self.targets(206, "GET", path, part)
        self.assertEqual(len(LAYER), target["size"])

    def test_bad_range(self) -> None:
        """Who asks for a part that is not there has not."""
        path, part = self.path("blobs", LAYER_DIGEST), {"Range": "bytes=99-"}
        self.assertEqual([], self.pulled(416, "GET", path, part))

    def test_known(self) -> None:
        """Who has it already has not."""
        for kind, digest in (("manifests", self.digest), ("blobs", LAYER_DIGEST)):
            known = {"If-None-Match": f'"{digest}"'}
            self.assertEqual(
                [], self.pulled(304, "GET", self.path(kind, digest), known)
            )
            other = {"If-Match": '"other"'}
            self.assertEqual(
                [], self.pulled(412, "GET", self.path(kind, digest), other)
            )

    def test_unknown(self) -> None:
        """Who asks for what is not there has not."""
        for method in ("GET", "HEAD"):
            for kind, last in (
                ("manifests", "other"),
                ("manifests", Digest.of(b"other")),
                ("blobs", Digest.of(b"other")),
            ):
                self.assertEqual([], self.pulled(404, method, self.path(kind, last)))

    def test_lists(self) -> None:
        """Lists are no content."""
        for path in (
            "/v2/",
            "/v2/_catalog",
            f"/v2/{NAME}/tags/list",
            f"/v2/{NAME}/referrers/{self.digest}",
        ):
            self.assertEqual([], self.pulled(200, "GET", path))

    def test_substitute(self) -> None:
        """Who gets a list's child instead of the list has pulled the child."""
        child, image_list = self._push_list()
        path = self.path("manifests", "multi")
        accept = {"Accept": DOCKER_MANIFEST}
        ((_, target),) = self.targets(200, "GET", path, accept)
        self.assertEqual(str(child), target["digest"])
        self.assertEqual("multi", target["tag"])
        self.assertIn(str(child), target["url"])
        accept = {"Accept": DOCKER_LIST}
        self.assertEqual([str(image_list)], self.pulled(200, "GET", path, accept))

    def test_other_form(self) -> None:
        """Who gets nothing because of what it accepts has pulled nothing."""
        path, accept = self.path("manifests", "latest"), {"Accept": DOCKER_MANIFEST}
        self.assertEqual([], self.pulled(404, "GET", path, accept))

    def _push_list(self) -> tuple[Digest, Digest]:
        config = self.registry.push_described(NAME, OCI_CONFIG, b"{}")
        child: dict[str, JSON] = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": config,
            "layers": [],
        }
        digest = self.registry.push_manifest(NAME, "", child)
        described: dict[str, JSON] = {
            "mediaType": DOCKER_MANIFEST,
            "digest": str(digest),
            "size": len(json.dumps(child)),
            "platform": {"os": "linux", "architecture": "amd64"},
        }
        image_list: dict[str, JSON] = {
            "schemaVersion": 2,
            "mediaType": DOCKER_LIST,
            "manifests": [described],
        }
        return digest, self.registry.push_manifest(NAME, "multi", image_list)


class ChangeTests(WitnessCase):
    """What changes something."""

    def test_push(self) -> None:
        """A push is told with the method that ended it."""
        digest = Digest.of(b"new")
        target = f"/v2/{NAME}/blobs/uploads/?digest={digest}"
        (made,) = self.told(201, "POST", target, {}, b"new")
        self.assertEqual(("push", "POST"), (made["action"], made["request"]["method"]))
        self.assertEqual(str(digest), made["target"]["digest"])
        started = self.ask("POST", f"/v2/{NAME}/blobs/uploads/", {}, b"")
        location = started.header("location").partition("registry.test")[2]
        self.assertEqual([], self.told(202, "PATCH", location, {}, b"ne"))
        location = f"{self._location(location)}&digest={digest}"
        (made,) = self.told(201, "PUT", location, {}, b"w")
        self.assertEqual(("push", "PUT"), (made["action"], made["request"]["method"]))

    def test_manifest(self) -> None:
        """A manifest that is pushed is told with its tag."""
        manifest = self.ask("GET", self.path("manifests", "latest")).body
        ((action, target),) = self.targets(
            201,
            "PUT",
            self.path("manifests", "new"),
            {"Content-Type": OCI_MANIFEST},
            manifest,
        )
        self.assertEqual(("push", "new"), (action, target["tag"]))
        self.assertEqual(OCI_MANIFEST, target["mediaType"])

    def test_client_left(self) -> None:
        """A push that goes on to its end without its client is told like any other."""
        faulty = FaultyDriver(MemoryDriver(Clock()))
        self.use(driver=faulty)
        target = self.path("manifests", "new")
        manifest = self.ask("GET", self.path("manifests", "latest")).body
        faulty.hang(on("put_content", "/current/link"))
        length = {"Content-Type": OCI_MANIFEST, "Content-Length": str(len(manifest))}
        wire = self.registry.connect()
        wire.send(head("PUT", target, length) + manifest)
        self.assertEqual(b"", wire.transport.value())
        self.sink.events.clear()
        wire.hang_up()
        faulty.heal()
        (event,) = self.sink.events
        made = event.to_json()
        self.assertEqual(("push", "new"), (made["action"], made["target"]["tag"]))
        self.assertEqual(wire.transport.getPeer().host, made["request"]["addr"])
        self.assertTrue(made["target"]["url"].startswith("http://registry.test/"))

    def test_mount(self) -> None:
        """A mount is told with the repository that it is from."""
        target = f"/v2/other/blobs/uploads/?mount={LAYER_DIGEST}&from={NAME}"
        ((action, told),) = self.targets(201, "POST", target, {}, b"")
        self.assertEqual("mount", action)
        self.assertEqual(("other", NAME), (told["repository"], told["fromRepository"]))
        self.assertIn("/v2/other/blobs/", told["url"])

    def test_mount_anywhere(self) -> None:
        """Or without it, if the client does not say."""
        target = f"/v2/other/blobs/uploads/?mount={LAYER_DIGEST}"
        ((action, told),) = self.targets(201, "POST", target, {}, b"")
        self.assertEqual("mount", action)
        self.assertNotIn("fromRepository", told)

    def test_delete(self) -> None:
        """What is deleted has no URL."""
        for kind, last, count in (
            ("blobs", LAYER_DIGEST, 1),
            ("manifests", self.digest, 2),
        ):
            targets = self.targets(202, "DELETE", self.path(kind, last))
            self.assertEqual(count, len(targets))
            for action, target in targets:
                self.assertEqual("delete", action)
                self.assertNotIn("url", target)

    def test_delete_tag(self) -> None:
        """A tag that is deleted is told of by its name."""
        path = self.path("manifests", "latest")
        ((action, target),) = self.targets(202, "DELETE", path)
        self.assertEqual(("delete", "latest"), (action, target["tag"]))
        self.assertEqual("", target["digest"])

    def _location(self, location: str) -> str:
        answer = self.ask("GET", location)
        return answer.header("location").partition("registry.test")[2]
