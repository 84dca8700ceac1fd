"""Tests of txregistry.webhooks.documents: events as receivers get them."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from tests.unit.webhooks.doubles import (
    DIGEST,
    LAYER,
    NAME,
    SOURCE,
    blob_pulled,
    event,
    manifest_pushed,
)
from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.events import Activity, Event, blob_activity
from txregistry.oci.mediatypes import OCI_MANIFEST
from txregistry.oci.names import Name, Tag
from txregistry.webhooks.documents import Document, Envelope, make_document

ONE = event()
OTHER = event(blob_pulled(), "2", actor=None)
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "1",
    "source": "//registry.example:5000",
    "type": "io.txregistry.manifest.push",
    "subject": "library/hello:latest",
    "time": "1970-01-01T00:00:01.500000Z",
    "datacontenttype": "application/json",
}


def document(envelope: Envelope, *events: Event) -> Document:
    """Put events into an envelope."""
    return make_document(
        envelope,
        [json.dumps(each.to_json(), separators=(",", ":")).encode() for each in events],
    )


class GoTests(SynchronousTestCase):
    """The Go registry's envelopes."""

    def test_v2(self) -> None:
        """The third line's envelope holds events as they are."""
        made = document("v2", ONE, OTHER)
        self.assertEqual(
            "application/vnd.docker.distribution.events.v2+json", made.content_type
        )
        self.assertEqual({}, made.headers)
        expected = {"events": [ONE.to_json(), OTHER.to_json()]}
        self.assertEqual(expected, json.loads(made.body))

    def test_v1(self) -> None:
        """The second line's is another type, with what that line knows."""
        target = Descriptor(
            OCI_MANIFEST, DIGEST, 10, ("https://x",), {"a": "b"}, "an/artifact"
        )
        detailed = event(manifest_pushed(target=target, references=[LAYER]))
        made = document("v1", detailed)
        self.assertEqual(
            "application/vnd.docker.distribution.events.v1+json", made.content_type
        )
        expected: dict[str, Any] = {
            **detailed.to_json(),
            "target": {
                "mediaType": OCI_MANIFEST,
                "size": 10,
                "digest": str(DIGEST),
                "length": 10,
                "repository": "library/hello",
                "url": "https://registry.example/v2/library/hello/manifests/latest",
                "tag": "latest",
                "references": [LAYER.to_json()],
            },
        }
        self.assertEqual({"events": [expected]}, json.loads(made.body))

    def test_v1_empty(self) -> None:
        """What is empty is left out of the second line's."""
        deleted = event(Activity("delete", NAME, None, Tag("latest")), url=None)
        (made,) = json.loads(document("v1", deleted).body)["events"]
        expected = {"repository": "library/hello", "tag": "latest"}
        self.assertEqual(expected, made["target"])

    def test_compact(self) -> None:
        """Nothing is sent that says nothing, and only ASCII."""
        made = document("v2", event(actor="Zoë"))
        self.assertNotIn(b" ", made.body.replace(b"a client", b""))
        self.assertIn(rb'"name":"Zo\u00eb"', made.body)


class CloudEventsTests(SynchronousTestCase):
    """CloudEvents, and what the project's own library reads in them."""

    def read(self, made: Document) -> BaseCloudEvent:
        """Let the library read a document."""
        headers = {"content-type": made.content_type, **made.headers}
        return from_http_event(HTTPMessage(headers, made.body))

    def test_single(self) -> None:
        """One event is an object."""
        made = document("cloudevents", ONE)
        self.assertEqual("application/cloudevents+json", made.content_type)
        self.assertEqual({}, made.headers)
        expected = {**ATTRIBUTES, "data": ONE.to_json()}
        self.assertEqual(expected, json.loads(made.body))

    def test_batch(self) -> None:
        """Several events are an array, each complete."""
        made = document("cloudevents", ONE, OTHER)
        self.assertEqual("application/cloudevents-batch+json", made.content_type)
        expected = [
            json.loads(document("cloudevents", each).body) for each in (ONE, OTHER)
        ]
        self.assertEqual(expected, json.loads(made.body))

    def test_binary(self) -> None:
        """In binary mode the attributes are headers, and the body is the event."""
        made = document("binary", ONE)
        self.assertEqual("application/json", made.content_type)
        expected = {
            f"ce-{name}": text
            for name, text in ATTRIBUTES.items()
            if name != "datacontenttype"
        }
        self.assertEqual(expected, made.headers)
        self.assertEqual(ONE.to_json(), json.loads(made.body))

    def test_read(self) -> None:
        """The library reads both modes alike."""
        for read in (
            self.read(document("cloudevents", ONE)),
            self.read(document("binary", ONE)),
        ):
            self.assertEqual("1", read.get_id())
            self.assertEqual("//registry.example:5000", read.get_source())
            self.assertEqual("io.txregistry.manifest.push", read.get_type())
            self.assertEqual("library/hello:latest", read.get_subject())
            moment = read.get_time()
            assert moment is not None
            self.assertEqual(1.5, moment.timestamp())
            self.assertEqual(ONE.to_json(), read.get_data())

    def test_read_batch(self) -> None:
        """The library reads each event of a batch."""
        made = document("cloudevents", ONE, OTHER)
        for expected, member in zip((ONE, OTHER), json.loads(made.body), strict=True):
            one = Document("application/cloudevents+json", json.dumps(member).encode())
            self.assertEqual(expected.to_json(), self.read(one).get_data())

    def test_types(self) -> None:
        """The type says of what kind the content is, and what was done."""
        unknown = Descriptor("", DIGEST, 0)
        for activity, kind, subject in (
            (manifest_pushed("pull"), "manifest.pull", "library/hello:latest"),
            (blob_pulled(), "blob.pull", f"library/hello@{DIGEST}"),
            (
                blob_activity("mount", NAME, DIGEST, 1, Name("x")),
                "blob.mount",
                f"library/hello@{DIGEST}",
            ),
            (
                Activity("delete", NAME, unknown),
                "manifest.delete",
                f"library/hello@{DIGEST}",
            ),
            (
                Activity("delete", NAME, None, Tag("v1")),
                "tag.delete",
                "library/hello:v1",
            ),
        ):
            made = json.loads(document("cloudevents", event(activity)).body)
            self.assertEqual(f"io.txregistry.{kind}", made["type"])
            self.assertEqual(subject, made["subject"])

    def test_source(self) -> None:
        """The source is a URI reference, whatever the machine is called."""
        for addr, source in (
            ("[::1]:5000", "//[::1]:5000"),
            ("my machine%", "//my%20machine%25"),
            ("zoë", "//zo%C3%AB"),
        ):
            made = event(source=evolve(SOURCE, addr=addr))
            for envelope in ("cloudevents", "binary"):
                read = self.read(document(envelope, made))
                self.assertEqual(source, read.get_source())

    @generated
    @given(st.text(max_size=20), st.integers(0, 2**40))
    def test_any(self, actor: str, size: int) -> None:
        """Whatever stands in an event the library reads it again."""
        target = Descriptor(OCI_MANIFEST, Digest.of(b""), size)
        made = event(manifest_pushed(target=target), actor=actor)
        for envelope in ("cloudevents", "binary"):
            read = self.read(document(envelope, made))
            self.assertEqual(made.to_json(), read.get_data())
