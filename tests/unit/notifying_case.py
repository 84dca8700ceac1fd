"""The case under tests of notifications as the settings make them."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry.config import ConfigError, Settings, load
from txregistry.notifying import (
    make_endpoints,
)
from txregistry.webhooks.endpoint import Endpoint

FOLDER = "filesystem: {rootdirectory: /var/lib/registry}"


class NotifyingCase(SynchronousTestCase):
    """Configurations, and a reactor that connects to nobody."""

    def setUp(self) -> None:
        """Make the reactor."""
        self.reactor = QuietReactor()

    def settings(self, text: str = "", storage: str = "inmemory: {}") -> Settings:
        """Load a configuration but for version and storage."""
        path = Path(self.mktemp())
        path.write_text(f"version: 0.1\nstorage: {{{storage}}}\n{text}")
        return load(str(path), {})

    def endpoint(self, text: str = "", url: str = "http://192.0.2.1/in") -> Endpoint:
        """Make an endpoint with some options."""
        (endpoint,) = self.endpoints(f"{{name: a, url: '{url}', {text}}}")
        return endpoint

    def endpoints(self, *texts: str) -> list[Endpoint]:
        """Make endpoints."""
        text = f"notifications: {{endpoints: [{', '.join(texts)}]}}"
        return make_endpoints(self.settings(text), self.reactor)

    def refused(self, *texts: str) -> str:
        """Return why endpoints cannot be made."""
        error = self.assertRaises(ConfigError, self.endpoints, *texts)
        line = str(error)
        self.assertEqual(1, len(line.splitlines()))
        return line.partition("notifications.endpoints.")[2]
