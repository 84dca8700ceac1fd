"""The case under tests of the service as the settings make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor, Visitor
from txregistry.config import load
from txregistry.service import RegistryService, make_service


class ServiceCase(SynchronousTestCase):
    """A service made of a configuration, on a reactor that listens nowhere."""

    def setUp(self) -> None:
        """Make the reactor; keep the log."""
        self.reactor = QuietReactor()
        self.events = self.enterContext(capturedLogs())

    def make(self, text: str = "", storage: str = "inmemory: {}") -> RegistryService:
        """Make a service.

        Args:
            text: The configuration but for version and storage.
            storage: What stands under ``storage``, on one line or on several.
        """
        path = Path(self.mktemp())
        indented = storage.replace("\n", "\n  ")
        path.write_text(f"version: 0.1\nstorage:\n  {indented}\n{text}")
        return make_service(load(str(path), {}), self.reactor)

    def serve(self, text: str = "", storage: str = "inmemory: {}") -> Visitor:
        """Start a service and connect to it."""
        service = self.make(text, storage)
        service.privilegedStartService()
        service.startService()
        self.assertIsNone(service.failure)
        return self.reactor.connect()

    def logged(self) -> list[str]:
        """Return the lines of the log."""
        return [formatEvent(event) for event in self.events]


def push(visitor: Visitor, manifest: dict[str, Any]) -> int:
    """Push a manifest; return the status."""
    content_type = f"Content-Type: {manifest['mediaType']}"
    body = json.dumps(manifest).encode()
    return visitor.status("PUT", "/v2/a/manifests/b", content_type, body=body)


def start_upload(visitor: Visitor) -> str:
    """Begin an upload session; return its path and query."""
    answer = visitor.ask("POST", "/v2/a/blobs/uploads/").decode()
    location = answer.partition("\r\nLocation: ")[2].partition("\r\n")[0]
    return "/v2/" + location.partition("/v2/")[2]
