"""Tests of txregistry.web: a client that leaves, wherever the server just waits.

The store hangs at each operation of a push in turn; the client loses patience and its
connection. Then nothing must be left open, and the client, come back, must be able to
go on.
"""

from __future__ import annotations

import contextlib
import json
from itertools import product
from urllib.parse import urlsplit

from twisted.internet.task import Clock

from tests.unit.web.case import RegistryCase, head
from tests.unit.web.routes.upload_case import place
from txregistry.oci.digest import Digest
from txregistry.oci.mediatypes import OCI_INDEX
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import WAITS, nth
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
START = "/v2/a/blobs/uploads/"
BLOB = f"/v2/a/blobs/{DIGEST}"
MANIFEST = "/v2/a/manifests/latest"
INDEX = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [],
        "subject": {"mediaType": OCI_INDEX, "digest": str(DIGEST), "size": 10},
    }
).encode()


class _Left(Exception):
    """The client has lost patience."""


class LeavingTests(RegistryCase):
    """A client that leaves."""

    def setUp(self) -> None:
        """Make a registry; each try has a store of its own."""
        clock = Clock()
        self.faulty = FaultyDriver(MemoryDriver(clock))
        self.registry = MemoryRegistry(driver=self.faulty, clock=clock)
        self.location = ""

    def start_over(self) -> None:
        """Take an empty store."""
        self.faulty.inner = MemoryDriver(self.registry.clock)
        self.location = ""

    def patient(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request; leave if there is no answer at once.

        Raises:
            _Left: The client has left.
        """
        wire = self.registry.connect()
        length = {"Content-Length": str(len(body)), **(headers or {})}
        wire.send(head(method, target, length) + body)
        answered = bool(wire.transport.value())
        wire.hang_up()
        if not answered:
            raise _Left
        return wire.answer(method != "HEAD")

    def push_blob(self) -> None:
        """Push a blob: go on where it stands, or begin."""
        if self.patient("HEAD", BLOB).status == 200:
            return
        offset = self.find_offset()
        if not self.location:
            self.location = place(self.patient("POST", START))
            offset = 0
        if offset < 4:
            chunk = CONTENT[offset:4]
            self.location = place(self.patient("PATCH", self.location, chunk))
            offset = 4
        target = f"{self.location}&digest={DIGEST}"
        self.assertEqual(201, self.patient("PUT", target, CONTENT[offset:]).status)

    def find_offset(self) -> int:
        """Say how many bytes of a session have arrived; forget one that is gone."""
        if not self.location:
            return 0
        answer = self.patient("GET", urlsplit(self.location).path)
        if answer.status == 404:
            self.location = ""
            return 0
        self.location = place(answer)
        last = int(answer.header("range").partition("-")[2])
        return last + 1 if last else 0

    def push_once(self) -> None:
        """Push a blob in one request."""
        target = f"{START}?digest={DIGEST}"
        self.assertEqual(201, self.patient("POST", target, CONTENT).status)

    def push_manifest(self) -> None:
        """Push a manifest that refers to something."""
        headers = {"Content-Type": OCI_INDEX}
        answer = self.patient("PUT", MANIFEST, INDEX, headers)
        self.assertEqual(201, answer.status)

    def delete_manifest(self) -> None:
        """Push a manifest, unless it is there, and delete it."""
        self.push_manifest()
        target = f"/v2/a/manifests/{Digest.of(INDEX)}"
        self.assertIn(self.patient("DELETE", target).status, (202, 404))

    def pull(self) -> None:
        """Push a blob, unless it is there, and pull it."""
        self.push_once()
        self.assertEqual(CONTENT, self.patient("GET", BLOB).body)

    def test_push(self) -> None:
        """From the push of a blob in chunks."""
        self.leave_everywhere("push_blob", BLOB)

    def test_push_once(self) -> None:
        """From the push of a blob in one request."""
        self.leave_everywhere("push_once", BLOB)

    def test_manifest(self) -> None:
        """From the push of a manifest."""
        self.leave_everywhere("push_manifest", MANIFEST)

    def test_delete(self) -> None:
        """From a deletion."""
        self.leave_everywhere("delete_manifest", MANIFEST, 404)

    def test_pull(self) -> None:
        """From a pull."""
        self.leave_everywhere("pull", BLOB)

    def leave_everywhere(self, action: str, target: str, status: int = 200) -> None:
        """Leave at each operation of an action; then do it again, to the end.

        Args:
            action: The method that does it.
            target: What is asked for after.
            status: What the answer is then.
        """
        getattr(self, action)()
        operations = sum(each.name in WAITS for each in self.faulty.operations)
        for number, late in product(range(1, operations + 1), (False, True)):
            self.start_over()
            self.faulty.hang(nth(number, WAITS), late=late)
            with contextlib.suppress(_Left):  # what fails does not hang after that
                getattr(self, action)()
            self.faulty.heal()
            self.assertEqual([], self.faulty.still_open, (number, late))
            self.assertEqual([], self.registry.clock.getDelayedCalls())
            getattr(self, action)()
            self.assertEqual(status, self.patient("GET", target).status)
            self.assertEqual([], self.flushLoggedErrors())
