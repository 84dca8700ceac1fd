"""Tests of docs/notifications.md: its examples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry.config import load
from txregistry.notifying import make_endpoints
from txregistry.oci.descriptors import Descriptor
from txregistry.oci.digest import Digest
from txregistry.oci.events import (
    Activity,
    Event,
    RequestRecord,
    SourceRecord,
    blob_activity,
)
from txregistry.oci.mediatypes import OCI_MANIFEST
from txregistry.oci.names import Name, Tag
from txregistry.webhooks.delivering import PERMANENT
from txregistry.webhooks.documents import make_document
from txregistry.webhooks.signing import Signer

PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"
REST = "version: 0.1\nstorage:\n  inmemory: {}\n"
NAME = Name("apps/shop")
DIGEST = Digest.of(b"test")
OF_MANIFEST = Descriptor(OCI_MANIFEST, DIGEST, 1470, artifact_type="a/b")


def blocks(kind: str) -> list[str]:
    """Return the page's blocks of a language."""
    text = PAGE.read_text("utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def document(activity: Activity, url: str | None) -> Any:
    """Return what is sent of an activity."""
    event = Event(
        id="an id",
        at=0.0,
        activity=activity,
        url=url,
        request=RequestRecord("an id", "192.0.2.7:1", "host", "PUT", "docker"),
        actor="alice",
        source=SourceRecord("registry-1:443", "an id"),
    )
    return json.loads(make_document("v2", [json.dumps(event.to_json()).encode()]).body)


def shape(value: Any) -> Any:
    """Return which members there are, in which order, and of which types."""
    if isinstance(value, dict):
        return [(key, shape(below)) for key, below in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value)


class EventTests(SynchronousTestCase):
    """The events on the page."""

    def test_shapes(self) -> None:
        """They have the members that events of their kind have, in their order."""
        mounted = blob_activity("mount", NAME, DIGEST, 5, Name("base/images"))
        deleted = Descriptor(OCI_MANIFEST, DIGEST, 1470)
        expected = [
            document(Activity("push", NAME, OF_MANIFEST, Tag("v2")), "https://x"),
            document(mounted, "https://x"),
            document(Activity("delete", NAME, deleted), None),
            document(Activity("delete", NAME, None, Tag("v2")), None),
        ]
        shown = [json.loads(block) for block in blocks("json")]
        self.assertEqual([shape(each) for each in expected], [shape(s) for s in shown])
        actions = [each["events"][0]["action"] for each in shown]
        self.assertEqual(["push", "mount", "delete", "delete"], actions)

    def test_permanent(self) -> None:
        """The statuses after which an event is not sent again are those of the code."""
        (row,) = re.findall(r"\| (400, .*?) \|", PAGE.read_text("utf-8"))
        self.assertEqual(sorted(PERMANENT), [int(each) for each in row.split(", ")])


class ConfigurationTests(SynchronousTestCase):
    """The configurations on the page."""

    def test_configurations(self) -> None:
        """Each is taken without a warning, and has an endpoint."""
        found = blocks("yaml")
        self.assertEqual(2, len(found))
        for block in found:
            path = Path(self.mktemp())
            path.write_text(REST + block)
            settings = load(str(path), {})
            self.assertEqual((), tuple(settings.warnings), block)
            (endpoint,) = make_endpoints(settings, QuietReactor())
            self.assertIsNotNone(endpoint.signer)


class SignatureTests(SynchronousTestCase):
    """The check of signatures in Python."""

    def test_python(self) -> None:
        """It takes what is signed, and nothing else."""
        code, _receiver = blocks("python")
        names: dict[str, Any] = {}
        exec(compile(code, str(PAGE), "exec"), names)  # the page's own code
        is_from_registry = names["is_from_registry"]
        now = names["time"].time()
        for secret in ("whsec_" + "YWFh" * 8, "plain text of some length"):
            signer = Signer.parse(("another secret of some length", secret))
            headers = signer.headers("an id", now, b"body")
            self.assertTrue(is_from_registry(secret, headers, b"body"))
            self.assertFalse(is_from_registry(secret, headers, b"other"))
            self.assertFalse(is_from_registry("wrong" * 9, headers, b"body"))
            old = signer.headers("an id", now - 400, b"body")
            self.assertFalse(is_from_registry(secret, old, b"body"))
