"""Tests of txregistry.service: starting and stopping."""

from __future__ import annotations

import os
import signal
from typing import Any

from klein.resource import KleinResource
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.unit.reactor import QuietReactor, Visitor
from tests.unit.service_case import ServiceCase, start_upload
from tests.unit.web.echo import EchoRoutes, make_echo
from txregistry.config import ConfigError
from txregistry.heralds import LogHerald
from txregistry.serving import RegistryService, stop_on_signals
from txregistry.web.limits import Limits
from txregistry.web.listeners import Listener
from txregistry.web.site import RegistrySite


class StartTests(ServiceCase):
    """The start."""

    def test_port_first(self) -> None:
        """The port is bound first; until the store is open clients are put off."""
        self.make("http: {addr: '127.0.0.1:5001'}").privilegedStartService()
        ((port, _, _, interface),) = self.reactor.tcpServers
        self.assertEqual((5001, "127.0.0.1"), (port, interface))
        self.assertEqual(503, self.reactor.connect().status("GET", "/v2/"))

    def test_serve(self) -> None:
        """Then it serves, and says where and what."""
        visitor = self.serve()
        self.assertEqual(200, visitor.status("GET", "/v2/"))
        self.assertTrue(
            any("serves on" in line and "inmemory" in line for line in self.logged())
        )

    def test_waiting_client(self) -> None:
        """A connection from before the store was open is served after."""
        service = self.make()
        service.privilegedStartService()
        visitor = self.reactor.connect()
        self.assertEqual(503, visitor.status("GET", "/v2/"))
        service.startService()
        self.assertEqual(200, visitor.status("GET", "/v2/"))

    def test_without_privileges(self) -> None:
        """A service that had no chance to bind its port before binds it then."""
        self.make().startService()
        self.assertEqual(200, self.reactor.connect().status("GET", "/v2/"))

    def test_addresses(self) -> None:
        """An address may be of IPv4, of IPv6, or of all there is."""
        expected = {"127.0.0.1:5000": "127.0.0.1", "[::1]:5000": "::1"}
        for address in expected:
            self.make(f"http: {{addr: '{address}'}}").privilegedStartService()
        self.make("http: {addr: ':5000'}").privilegedStartService()
        interfaces = [each[3] for each in self.reactor.tcpServers]
        self.assertEqual(list(expected.values()), interfaces[:2])
        self.assertIn(interfaces[2], ("::", ""))

    def test_secret_kept(self) -> None:
        """A secret that nobody has configured is made once, for all processes."""
        folder = self.mktemp()
        storage = f"filesystem: {{rootdirectory: {folder}}}"
        one = self.serve(storage=storage)
        location = start_upload(one)
        self.reactor = QuietReactor()
        other = self.serve(storage=storage)
        self.assertEqual(202, other.status("PATCH", location))

    def test_secret_configured(self) -> None:
        """A secret that is configured counts, and none is kept."""
        folder = self.mktemp()
        storage = f"filesystem: {{rootdirectory: {folder}}}"
        one = self.serve("http: {secret: one}", storage)
        location = start_upload(one)
        self.reactor = QuietReactor()
        other = self.serve("http: {secret: other}", storage)
        self.assertEqual(404, other.status("PATCH", location))
        found = [name for _, _, names in os.walk(folder) for name in names]
        self.assertNotIn("secret", found)

    def test_unknown_driver(self) -> None:
        """A driver that is not there is an error that names the key and the line."""
        error = self.assertRaises(ConfigError, self.make, storage="nope: {}")
        self.assertIn("storage.nope", str(error))

    def test_bad_option(self) -> None:
        """An option that the driver does not take is named."""
        storage = "inmemory:\n  colour: blue"
        error = self.assertRaises(ConfigError, self.make, storage=storage)
        self.assertIn("storage.inmemory.colour", str(error))


@implementer(IListeningPort)
class Port:
    """A port that notes that nobody listens there any more.

    Attributes:
        listening: Whether somebody does.
    """

    listening = True

    def startListening(self) -> None:  # noqa: N802 - Twisted's
        """See IListeningPort."""

    def stopListening(self) -> Deferred[None]:  # noqa: N802 - Twisted's
        """See IListeningPort."""
        self.listening = False
        return succeed(None)

    def getHost(self) -> Any:
        """See IListeningPort."""
        return IPv4Address("TCP", "127.0.0.1", 5000)


@implementer(IStreamServerEndpoint)
class Endpoint:
    """An endpoint that listens when it is told to.

    Attributes:
        listening: What it returns.
    """

    def __init__(self, listening: Deferred[IListeningPort]) -> None:
        """Take what it returns."""
        self.listening = listening

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 - Twisted's
    ) -> Deferred[IListeningPort]:
        """See IStreamServerEndpoint."""
        return self.listening


class StoppedPart:
    """A part that notes when it is stopped."""

    def __init__(self, name: str, stopped: list[str]) -> None:
        """Take its name, and where to note."""
        self._name = name
        self._stopped = stopped

    async def start(self) -> None:
        """See Part."""

    async def stop(self) -> None:
        """See Part."""
        self._stopped.append(self._name)


class StopTests(SynchronousTestCase):
    """The end, and a start that comes to nothing."""

    def setUp(self) -> None:
        """Make a service of routes that wait."""
        self.reactor = QuietReactor()
        self.port = Port()
        self.routes, resource = make_echo()
        self.resource: KleinResource = resource
        self.service = self.make(succeed(self.port), succeed(self.resource))

    def make(
        self,
        listening: Deferred[Any],
        opening: Deferred[KleinResource],
        drain_timeout: float = 30.0,
    ) -> RegistryService:
        """Make a service."""
        self.site = RegistrySite(make_echo()[1], self.reactor, Limits(), "test")
        return RegistryService(
            self.site,
            [Listener(Endpoint(listening))],
            lambda: opening,
            self.reactor,
            drain_timeout,
            LogHerald("serves on {address}"),
        )

    def run_request(self) -> tuple[Visitor, EchoRoutes]:
        """Start the service and a request that waits."""
        self.service.privilegedStartService()
        self.service.startService()
        visitor = Visitor(self.site)
        visitor.ask("GET", "/wait")
        return visitor, self.routes

    def test_idle(self) -> None:
        """Without requests it stops at once."""
        self.service.privilegedStartService()
        self.service.startService()
        self.successResultOf(self.service.stopService())
        self.assertFalse(self.port.listening)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_request(self) -> None:
        """A request that runs is waited for, while no new ones are let in."""
        visitor, routes = self.run_request()
        stopping = self.service.stopService()
        self.assertFalse(self.port.listening)
        self.assertNoResult(stopping)
        routes.waiting[0].callback(None)
        self.assertIn(b" 204 ", visitor.transport.value())
        visitor.leave()
        self.successResultOf(stopping)

    def test_timeout(self) -> None:
        """It is waited for no longer than the settings say."""
        visitor, _ = self.run_request()
        stopping = self.service.stopService()
        self.reactor.advance(29.0)
        self.assertFalse(visitor.transport.disconnected)
        self.reactor.advance(1.0)
        self.assertTrue(visitor.transport.disconnected)
        visitor.leave()
        self.successResultOf(stopping)

    def test_hurry(self) -> None:
        """Nor once somebody is in a hurry."""
        visitor, _ = self.run_request()
        stopping = self.service.stopService()
        self.service.hurry()
        self.service.hurry()
        self.assertTrue(visitor.transport.disconnected)
        visitor.leave()
        self.successResultOf(stopping)
        self.assertEqual([], self.reactor.getDelayedCalls())

    def test_broken_part(self) -> None:
        """A part that cannot be stopped keeps none of the others from it."""
        stopped: list[str] = []

        class Broken(StoppedPart):
            """A part that cannot be stopped."""

            async def stop(self) -> None:
                """See Part."""
                await super().stop()
                raise OSError("no")

        parts = [StoppedPart("first", stopped), Broken("second", stopped)]
        service = RegistryService(
            self.site,
            [Listener(Endpoint(succeed(self.port)))],
            lambda: succeed(self.resource),
            self.reactor,
            30.0,
            LogHerald(""),
            parts=parts,
        )
        service.privilegedStartService()
        service.startService()
        with capturedLogs() as events:
            self.successResultOf(service.stopService())
        self.flushLoggedErrors(OSError)
        self.assertEqual(["second", "first"], stopped)
        lines = [formatEvent(event) for event in events]
        self.assertEqual(["cannot stop Broken", "stopped"], lines)

    def test_never_started(self) -> None:
        """A service that never started can be stopped."""
        self.successResultOf(self.service.stopService())

    def test_port_taken(self) -> None:
        """A port that somebody else has ends the process, and says why."""
        error = CannotListenError("127.0.0.1", 5000, OSError("in use"))
        self.service = self.make(fail(error), succeed(self.resource))
        self.assert_gives_up(error)

    def test_store_closed(self) -> None:
        """So does a store that cannot be opened."""
        error = OSError("no such folder")
        self.service = self.make(succeed(self.port), fail(error))
        self.assert_gives_up(error)

    def assert_gives_up(self, error: Exception) -> None:
        """Check that a start comes to nothing and the reactor stops."""
        with capturedLogs() as events:
            self.service.privilegedStartService()
            self.service.startService()
        self.assertIs(error, self.service.failure)
        lines = [formatEvent(event) for event in events]
        self.assertIn(f"cannot start: {error}", lines)
        self.reactor.run()
        self.assertTrue(self.reactor.hasStopped)
        self.successResultOf(self.service.stopService())


class SignalTests(SynchronousTestCase):
    """Signals."""

    def setUp(self) -> None:
        """Make a service; keep the handlers of the tests' own process."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.reactor = QuietReactor()
        self.routes, resource = make_echo()
        opening: Deferred[KleinResource] = succeed(resource)
        self.site = RegistrySite(resource, self.reactor, Limits(), "test")
        self.service = RegistryService(
            self.site,
            [Listener(Endpoint(succeed(Port())))],
            lambda: opening,
            self.reactor,
            30.0,
            LogHerald(""),
        )
        stop_on_signals(self.reactor, self.service)

    def test_twice(self) -> None:
        """At the first signal it stops; at the second it does so at once."""
        for numbers in (
            (signal.SIGTERM, signal.SIGTERM),
            (signal.SIGINT, signal.SIGTERM),
        ):
            self.setUp()
            self.service.startService()
            visitor = Visitor(self.site)
            visitor.ask("GET", "/wait")
            signal.raise_signal(numbers[0])
            self.assertTrue(self.reactor.hasStopped)
            stopping = self.service.stopService()
            self.assertFalse(visitor.transport.disconnected)
            signal.raise_signal(numbers[1])
            self.assertTrue(visitor.transport.disconnected)
            visitor.leave()
            self.successResultOf(stopping)

    def test_reopen(self) -> None:
        """At SIGUSR1 and at SIGHUP it goes on in new log files."""
        for number in (signal.SIGUSR1, signal.SIGHUP):
            with capturedLogs() as events:
                signal.raise_signal(number)
            lines = [formatEvent(event) for event in events]
            self.assertIn("log files were reopened", lines)
