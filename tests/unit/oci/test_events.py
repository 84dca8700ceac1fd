"""Tests of txregistry.oci.events: the form that the Go registry's have."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.events import (
    Activity,
    Event,
    RequestRecord,
    SourceRecord,
    blob_activity,
    format_timestamp,
    manifest_activity,
)
from txregistry.oci.manifests import Manifest
from txregistry.oci.mediatypes import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, OCTET_STREAM
from txregistry.oci.names import Name, Tag

NAME, DIGEST, TAG = Name("library/hello"), Digest.of(b"something"), Tag("latest")
CONFIG = Descriptor(OCI_CONFIG, Digest.of(b"{}"), 2)
LAYER = Descriptor(OCI_LAYER, Digest.of(b"a layer"), 7)
CONTENT = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": CONFIG.to_json(),
        "layers": [LAYER.to_json()],
        "annotations": {"made": "by hand"},
    }
).encode()
MANIFEST = Manifest.parse(CONTENT, OCI_MANIFEST)
TARGET = Descriptor(OCI_MANIFEST, DIGEST, 10, annotations={"made": "by hand"})


def event(activity: Activity, **members: Any) -> Event:
    """Return an event of an activity."""
    given: dict[str, Any] = {
        "id": "the event",
        "at": 0.0,
        "activity": activity,
        "url": "https://registry.example/content",
        "request": RequestRecord("the request", "192.0.2.1:4", "host", "PUT", "curl/8"),
        "actor": "alice",
        "source": SourceRecord("registry.example:5000", "the process"),
    }
    return Event(**given | members)


class ActivityTests(SynchronousTestCase):
    """What was done."""

    def test_blob(self) -> None:
        """A blob is some bytes, whatever they are."""
        activity = blob_activity("mount", NAME, DIGEST, 7, Name("other"))
        expected = Descriptor(OCTET_STREAM, DIGEST, 7)
        self.assertEqual(expected, activity.target)
        self.assertEqual((NAME, Name("other")), (activity.repository, activity.source))
        self.assertTrue(activity.is_about_blob)
        self.assertEqual(OCTET_STREAM, activity.media_type)

    def test_manifest(self) -> None:
        """A manifest is told with what it names, and what it says of itself."""
        activity = manifest_activity("push", NAME, MANIFEST, DIGEST, TAG)
        assert activity.target is not None
        self.assertEqual(DIGEST, activity.target.digest)
        self.assertEqual(len(CONTENT), activity.target.size)
        self.assertEqual({"made": "by hand"}, activity.target.annotations)
        self.assertEqual([CONFIG, LAYER], list(activity.references))
        self.assertEqual(TAG, activity.tag)
        self.assertFalse(activity.is_about_blob)

    def test_tag(self) -> None:
        """A tag alone is no content."""
        activity = Activity("delete", NAME, None, TAG)
        self.assertEqual("", activity.media_type)
        self.assertFalse(activity.is_about_blob)
        self.assertEqual(activity, activity.without_details())

    def test_without_details(self) -> None:
        """Details are what a manifest refers to, and its annotations."""
        activity = Activity("push", NAME, TARGET, TAG, references=[CONFIG])
        expected = Activity(
            "push", NAME, Descriptor(OCI_MANIFEST, DIGEST, 10), TAG, references=()
        )
        self.assertEqual(expected, activity.without_details())


class EventTests(SynchronousTestCase):
    """Events as JSON."""

    def target(self, activity: Activity, **members: Any) -> Any:
        """Return an event's target."""
        return event(activity, **members).to_json()["target"]

    def test_whole(self) -> None:
        """An event has all members that the Go registry's have."""
        activity = Activity("push", NAME, TARGET, TAG, references=[CONFIG])
        expected = {
            "id": "the event",
            "timestamp": "1970-01-01T00:00:00.000000Z",
            "action": "push",
            "target": {
                "mediaType": OCI_MANIFEST,
                "digest": str(DIGEST),
                "size": 10,
                "annotations": {"made": "by hand"},
                "length": 10,
                "repository": "library/hello",
                "url": "https://registry.example/content",
                "tag": "latest",
                "references": [CONFIG.to_json()],
            },
            "request": {
                "id": "the request",
                "addr": "192.0.2.1:4",
                "host": "host",
                "method": "PUT",
                "useragent": "curl/8",
            },
            "actor": {"name": "alice"},
            "source": {"addr": "registry.example:5000", "instanceID": "the process"},
        }
        self.assertEqual(expected, event(activity).to_json())

    def test_blob(self) -> None:
        """An event about a blob says no more than there is."""
        activity = blob_activity("mount", NAME, DIGEST, 7, Name("other"))
        expected = {
            "mediaType": OCTET_STREAM,
            "digest": str(DIGEST),
            "size": 7,
            "length": 7,
            "repository": "library/hello",
            "fromRepository": "other",
        }
        self.assertEqual(expected, self.target(activity, url=None))

    def test_tag_deleted(self) -> None:
        """When a tag is deleted there is no content, as the Go registry writes it."""
        target = self.target(Activity("delete", NAME, None, TAG), url=None)
        expected = {
            "mediaType": "",
            "digest": "",
            "size": 0,
            "repository": "library/hello",
            "tag": "latest",
        }
        self.assertEqual(expected, target)

    def test_blob_gone(self) -> None:
        """A size that is not known any more is 0."""
        target = self.target(blob_activity("delete", NAME, DIGEST, 0), url=None)
        self.assertEqual(0, target["size"])
        self.assertNotIn("length", target)

    def test_nobody(self) -> None:
        """An actor that is not known has no name."""
        for actor in (None, ""):
            made = event(blob_activity("pull", NAME, DIGEST, 7), actor=actor).to_json()
            self.assertEqual({}, made["actor"])

    def test_request_unknown(self) -> None:
        """Of a request some may be unknown."""
        record = RequestRecord("1", "", "", "GET", "")
        expected = {"id": "1", "method": "GET", "useragent": ""}
        self.assertEqual(expected, record.to_json())


class TimestampTests(SynchronousTestCase):
    """Times."""

    def test_example(self) -> None:
        """A time is UTC, to the microsecond."""
        written = format_timestamp(1763784000.25)
        self.assertEqual("2025-11-22T04:00:00.250000Z", written)

    @generated
    @given(st.floats(min_value=0, max_value=4e9))
    def test_any(self, at: float) -> None:
        """Every time is in RFC 3339's form, and the same when it is read."""
        written = format_timestamp(at)
        form = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
        self.assertRegex(written, re.compile(f"^{form}$"))
        self.assertEqual(
            datetime.fromtimestamp(at, UTC), datetime.fromisoformat(written)
        )


class DetailsTests(SynchronousTestCase):
    """What only a manifest knows."""

    def activity(self, references: int, annotation: int) -> Activity:
        """Return an activity with so many references, and so long an annotation."""
        descriptor = Descriptor("a/b", Digest.of(b""), 0)
        target = evolve(descriptor, annotations={"a": "b" * annotation})
        name = Name("a")
        return Activity("push", name, target, references=[descriptor] * references)

    def test_many(self) -> None:
        """Many references, or long annotations, are too much for an event."""
        self.assertFalse(self.activity(500, 16383).has_many_details)
        self.assertTrue(self.activity(501, 0).has_many_details)
        self.assertTrue(self.activity(0, 16384).has_many_details)

    def test_tag(self) -> None:
        """A tag has none."""
        self.assertFalse(Activity("delete", Name("a"), None).has_many_details)
