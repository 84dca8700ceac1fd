"""The case under tests of notifications as the settings make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.unit.reactor import QuietReactor
from txregistry.config import ConfigError, Settings, load
from txregistry.notifying import make_endpoints
from txregistry.webhooks.endpoint import Endpoint

FOLDER = "filesystem: {rootdirectory: /var/lib/registry}"


@implementer(IHostResolution)
@frozen
class _Resolution:
    name: str

    def cancel(self) -> None:
        """See IHostResolution."""


@implementer(IHostnameResolver)
class _Resolver:
    """Takes each name for an address."""

    def resolveHostName(  # noqa: N802 - Twisted's
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """See IHostnameResolver."""
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        address = IPv4Address("TCP", hostName, portNumber)
        resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
class NamingReactor(QuietReactor):
    """A reactor in memory that knows every name."""

    def __init__(self) -> None:
        """Make one; Twisted 24.7's own knows no name."""
        super().__init__()
        self.nameResolver: IHostnameResolver = _Resolver()

    def installNameResolver(  # noqa: N802 - Twisted's
        self, resolver: IHostnameResolver
    ) -> IHostnameResolver:
        """See IReactorPluggableNameResolver."""
        old, self.nameResolver = self.nameResolver, resolver
        return old


class NotifyingCase(SynchronousTestCase):
    """Configurations, and a reactor that connects to nobody."""

    def setUp(self) -> None:
        """Make the reactor."""
        self.reactor = NamingReactor()

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
