"""Tests of what receivers are told, and in what form."""

from __future__ import annotations

import json
import os
import socket
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from standardwebhooks import Webhook, WebhookVerificationError

from tests.real.auth_case import PASSWORD, USER, AuthCase
from tests.real.case import RealTestCase
from tests.real.dockerd import Docker
from tests.real.images import MIB, digest_of, make_image, make_layer, push_image
from tests.real.receivers import Event, Message, Receiver, endpoint, notifications
from tests.real.registries import Registry
from tests.real.wire import ACCEPT_ALL, connected

EVENTS = "application/vnd.docker.distribution.events.{}+json"
CLOUDEVENT = "application/cloudevents+json"
CLOUDEVENTS = "application/cloudevents-batch+json"
OCTETS = "application/octet-stream"
SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", f"whsec_{'A' * 43}="]

MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"

Descriptor = Mapping[str, Any]


class DockerTests(AuthCase):
    """What a Docker engine does is told as it was."""

    def setUp(self) -> None:
        """Start an engine, a receiver, and a registry that knows one user."""
        self.docker = self.server(Docker(self.folder()))
        self.receiver = self.server(Receiver(self.folder())).start()
        told = endpoint("receiver", self.receiver.url())
        settings = {
            "auth": {"htpasswd": {"path": self.users()}},
            **notifications(told, events={"includereferences": True}),
        }
        self.under_test = self.registry(None, "txregistry", settings=settings)
        self.docker.ready()
        user = ("--username", USER, "--password", PASSWORD)
        self.docker.run("login", *user, self.under_test.address)

    def test_push_and_pull(self) -> None:
        """Each push and pull has its event, in which every field is right."""
        image = f"{self.under_test.address}/some/name:v1"
        files = {"noise": os.urandom(MIB), "text": b"hello\n" * 9999}
        began = datetime.now(UTC)
        self.docker.build_image(image, files)
        digest = self.docker.push(image)
        content = self.pull(f"/v2/some/name/manifests/{digest}")
        manifest = json.loads(content)
        parts = [manifest["config"], *manifest["layers"]]
        blobs = {each["digest"]: blob_target(each) for each in parts}
        target = manifest_target(content, parts)
        ours = len(self.receiver.wait_for_events(len(blobs) + 2))
        self.docker.run("rmi", "--force", self.docker.id_of(image))
        self.docker.pull(image)
        self.receiver.wait_for_events(ours + len(blobs) + 1)
        events = [
            event
            for event in self.receiver.events()
            if event["request"]["useragent"] != "tests"
        ]
        told = Counter(
            (each["request"]["method"], each["action"], each["target"]["digest"])
            for each in events
            if each["request"]["method"] != "HEAD"
        )
        expected = [("PUT", "push"), ("GET", "pull")]
        self.assertEqual(
            Counter((*how, each) for how in expected for each in [digest, *blobs]),
            told,
        )
        self.assertEqual(len(events), len({event["id"] for event in events}))
        for event in events:
            method, tag = event["request"]["method"], event["target"].get("tag")
            if event["target"]["digest"] in blobs:
                expected_target = blobs[event["target"]["digest"]]
            else:  # engines pull a tag's manifest by tag, or ask what it is first
                self.assertIn(tag, ["v1"] if method == "PUT" else ["v1", None])
                expected_target = {**target, **({"tag": tag} if tag else {})}
            self.check(event, expected_target, began)
        self.assertEqual(1, len({event["source"]["instanceID"] for event in events}))
        for message in self.receiver.messages():
            self.assertEqual(EVENTS.format("v2"), message.headers["content-type"])
            self.assertEqual(1, len(message.events))

    def check(self, event: Event, target: Descriptor, began: datetime) -> None:
        """Check all of an event, and that its URL leads to what it is about."""
        method = event["request"]["method"]
        path = urlsplit(event["target"]["url"]).path
        expected = {
            "id": str(UUID(event["id"])),
            "timestamp": event["timestamp"],
            "action": "push" if method == "PUT" else "pull",
            "target": {
                **target,
                "length": target["size"],
                "repository": "some/name",
                "url": f"http://{self.under_test.address}{path}",
            },
            "request": {
                "id": str(UUID(event["request"]["id"])),
                "addr": event["request"]["addr"],
                "host": self.under_test.address,
                "method": method,
                "useragent": event["request"]["useragent"],
            },
            "actor": {"name": USER},
            "source": {
                "addr": f"{socket.gethostname()}:{self.under_test.port}",
                "instanceID": str(UUID(event["source"]["instanceID"])),
            },
        }
        self.assertEqual(expected, event)
        self.assertRegex(event["request"]["addr"], r"^127\.0\.0\.1:\d+$")
        self.assertRegex(event["request"]["useragent"], "^docker/")
        self.assertRegex(event["timestamp"], MOMENT)
        happened = datetime.fromisoformat(event["timestamp"])
        self.assertTrue(began <= happened <= datetime.now(UTC))
        content = self.pull(path)
        self.assertEqual(target["digest"], digest_of(content))
        self.assertEqual(target["size"], len(content))

    def pull(self, path: str) -> bytes:
        """Pull something without the engine."""
        shown = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {
            **ACCEPT_ALL,
            "Authorization": f"Basic {shown}",
            "User-Agent": "tests",
        }
        with connected(self.under_test.port) as wire:
            return wire.ask("GET", path, headers=headers, expect=200).body


class FormTests(RealTestCase):
    """Events arrive in the form that the endpoint's settings say."""

    def setUp(self) -> None:
        """Have some events wait for several endpoints, then let a receiver come."""
        receiver = self.receiver = self.server(Receiver(self.folder()))
        forms: dict[str, dict[str, Any]] = {
            "v1": {"envelope": "v1"},
            "v2": {},
            "batch": {"batch": 10},
            "cloudevent": {"envelope": "cloudevents"},
            "cloudevents": {"envelope": "cloudevents", "batch": 10},
            "binary": {"envelope": "binary"},
            "signed": {"secrets": SECRETS, "batch": 10},
        }
        orders = {"signed": {"status": 503, "times": 1}}
        told = [
            endpoint(name, receiver.url(f"/{name}", **orders.get(name, {})), **options)
            for name, options in forms.items()
        ]
        registry = self.registry(None, "txregistry", settings=notifications(*told))
        self.count = self.make_events(registry)
        receiver.start()
        self.events = {
            name: receiver.wait_for_events(self.count, f"/{name}") for name in forms
        }

    def make_events(self, registry: Registry) -> int:
        """Do a bit of everything; return how many events there have to be."""
        with connected(registry.port) as wire:
            images = [make_image([make_layer({str(n): b""})]) for n in range(5)]
            for number, image in enumerate(images):
                push_image(wire, "some/name", f"tag{number}", image)
            digest = next(iter(images[0].blobs))
            mount = f"/v2/other/blobs/uploads/?mount={digest}&from=some/name"
            wire.ask("POST", mount, b"", expect=201)
            wire.pull_blob("other", digest)
            path = "/v2/some/name/manifests"
            wire.ask("DELETE", f"{path}/{images[0].digest}", expect=202)
            answer = wire.ask("DELETE", f"{path}/tag1", expect=202)
            self.last_request = answer.headers["x-request-id"]
        return 5 * 3 + 2 + 2 + 1

    def messages(self, name: str, *kinds: str) -> list[Message]:
        """Return what came to an endpoint; it has to be of some media types."""
        messages = self.receiver.messages(f"/{name}")
        found = {message.headers["content-type"] for message in messages}
        self.assertEqual(set(kinds), found)
        return messages

    def test_same_events(self) -> None:
        """All endpoints are told the same, in the same order, each event once.

        A request is named in them as in its answer.
        """
        events = self.events["v2"]
        self.assertEqual(self.count, len(events))
        for name in ("batch", "cloudevent", "cloudevents", "binary"):
            self.assertEqual(events, self.events[name])
        self.assertEqual(self.last_request, events[-1]["request"]["id"])

    def test_envelopes(self) -> None:
        """The Go registry's envelopes: of its second line, and of its third."""
        first = self.messages("v1", EVENTS.format("v1"))
        second = self.messages("v2", EVENTS.format("v2"))
        for older, newer in zip(first, second, strict=True):
            self.assertEqual(["events"], list(json.loads(older.body)))
            ([old], [new]) = older.events, newer.events
            for key in ("artifactType", "annotations"):
                new["target"].pop(key, None)
            kept = {key: value for key, value in new["target"].items() if value}
            self.assertEqual({**new, "target": kept}, old)

    def test_batches(self) -> None:
        """Up to ten events come in one message."""
        messages = self.messages("batch", EVENTS.format("v2"))
        sizes = [len(message.events) for message in messages]
        self.assertEqual((self.count, 10), (sum(sizes), max(sizes)))

    def test_cloudevents(self) -> None:
        """Structured CloudEvents: one has its media type, several have another one."""
        single = self.messages("cloudevent", CLOUDEVENT)
        told = [json.loads(message.body) for message in single]
        together = self.receiver.messages("/cloudevents")
        kinds = [message.headers["content-type"] for message in together]
        batches = [json.loads(message.body) for message in together]
        for kind, batch in zip(kinds, batches, strict=True):
            self.assertEqual(kind == CLOUDEVENTS, isinstance(batch, list))
            self.assertIn(kind, (CLOUDEVENT, CLOUDEVENTS))
        several = [each if isinstance(each, list) else [each] for each in batches]
        self.assertEqual(10, max(map(len, several)))
        self.assertEqual(told, [each for batch in several for each in batch])
        for cloudevent in told:
            data = cloudevent.pop("data")
            attributes = {**attributes_of(data), "datacontenttype": "application/json"}
            self.assertEqual(attributes, cloudevent)
        types = Counter(cloudevent["type"] for cloudevent in told)
        self.assertEqual(
            {
                "io.txregistry.blob.push": 10,
                "io.txregistry.manifest.push": 5,
                "io.txregistry.blob.mount": 1,
                "io.txregistry.blob.pull": 1,
                "io.txregistry.manifest.delete": 1,
                "io.txregistry.tag.delete": 2,
            },
            types,
        )

    def test_binary(self) -> None:
        """Binary CloudEvents: attributes are headers, and the body is the event."""
        for message in self.messages("binary", "application/json"):
            found = {
                name.removeprefix("ce-"): value
                for name, value in message.headers.items()
                if name.startswith("ce-")
            }
            self.assertEqual(attributes_of(json.loads(message.body)), found)

    def test_signatures(self) -> None:
        """Whoever has one of the secrets can tell our messages from others'."""
        messages = self.messages("signed", EVENTS.format("v2"))
        for secret in SECRETS:
            webhook = Webhook(secret)
            for each in messages:
                told = webhook.verify(each.body, dict(each.headers))
                self.assertEqual(each.events, told["events"])
        message = messages[0]
        headers = dict(message.headers)
        for key, body, shown in (
            ("whsec_" + "B" * 32, message.body, headers),
            (SECRETS[0], message.body + b" ", headers),
            (SECRETS[0], message.body, {**headers, "webhook-id": "another"}),
            (SECRETS[0], message.body, {**headers, "webhook-timestamp": "1"}),
        ):
            webhook = Webhook(key)
            with self.assertRaises(WebhookVerificationError):
                webhook.verify(body, shown)

    def test_message_ids(self) -> None:
        """A message that is sent again has the same id, and others have others."""
        first, again, *others = self.messages("signed", EVENTS.format("v2"))
        self.assertEqual(first.body, again.body)
        self.assertEqual(first.headers["webhook-id"], again.headers["webhook-id"])
        ids = [each.headers["webhook-id"] for each in (again, *others)]
        self.assertEqual(len(ids), len(set(ids)))


def blob_target(descriptor: Descriptor) -> Descriptor:
    """Return what an event says about a blob that a manifest describes."""
    return {**descriptor, "mediaType": OCTETS}


def manifest_target(content: bytes, references: Sequence[Descriptor]) -> Descriptor:
    """Return what an event says about a Docker manifest."""
    manifest = json.loads(content)
    return {
        "mediaType": manifest["mediaType"],
        "digest": digest_of(content),
        "size": len(content),
        "artifactType": manifest["config"]["mediaType"],
        "references": references,
    }


def attributes_of(event: Event) -> dict[str, str]:
    """Return the attributes that a CloudEvent has because of its event."""
    target = event["target"]
    about = "manifest" if "manifest" in target["mediaType"] else "blob"
    end = f":{target['tag']}" if "tag" in target else f"@{target['digest']}"
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": f"//{event['source']['addr']}",
        "type": f"io.txregistry.{about if target['digest'] else 'tag'}"
        f".{event['action']}",
        "subject": f"{target['repository']}{end}",
        "time": event["timestamp"],
    }
