"""The case under tests of the service as the settings make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor, Visitor
from txregistry.config import load
from txregistry.logs import Places, open_logs
from txregistry.service import make_service
from txregistry.serving import RegistryService


class ServiceCase(SynchronousTestCase):
    """A service made of a configuration, on a reactor that listens nowhere."""

    def setUp(self) -> None:
        """Make the reactor; keep the log."""
        self.reactor = QuietReactor()
        self.events = self.enterContext(capturedLogs())

    def make(
        self,
        text: str = "",
        storage: str = "inmemory: {}",
        places: Places | None = None,
    ) -> RegistryService:
        """Make a service.

        Args:
            text: The configuration but for version and storage.
            storage: What stands under ``storage``, on one line or on several.
            places: Where its logs go; None: there is no access log.
        """
        path = Path(self.mktemp())
        indented = storage.replace("\n", "\n  ")
        path.write_text(f"version: 0.1\nstorage:\n  {indented}\n{text}")
        settings = load(str(path), {})
        logs = None if places is None else open_logs(settings, places)
        return make_service(settings, self.reactor, logs=logs)

    def serve(
        self,
        text: str = "",
        storage: str = "inmemory: {}",
        places: Places | None = None,
    ) -> Visitor:
        """Start a service and connect to it; for the arguments see ``make``."""
        service = self.make(text, storage, places)
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
