"""Tests of the service: where it listens, with TLS or without, and what it reloads."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import capturedLogs

from tests.certificates import Authority
from tests.unit.service_case import ServiceCase
from tests.unit.test_service import Endpoint, Port
from tests.unit.web.echo import make_echo
from txregistry.config import ConfigError
from txregistry.heralds import LogHerald
from txregistry.serving import RegistryService, stop_on_signals
from txregistry.web.limits import Limits
from txregistry.web.listeners import Listener
from txregistry.web.site import RegistrySite
from txregistry.web.tls_connection import TLSFactory


class ListeningTests(ServiceCase):
    """What the settings make of listeners."""

    def setUp(self) -> None:
        """Write a certificate."""
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.certificate, self.key = Authority().issue().write(self.folder)
        self.tls = f"tls: {{certificate: {self.certificate}, key: {self.key}}}"

    def listen(self, text: str) -> dict[int, bool]:
        """Start a service; return whether TLS is spoken, by port."""
        self.make(f"http: {{{text}}}").privilegedStartService()
        return {
            port: isinstance(factory, TLSFactory)
            for port, factory, _, _ in self.reactor.tcpServers
        }

    def refused(self, text: str) -> str:
        """Return the error that settings end in."""
        error = self.assertRaises(ConfigError, self.make, f"http: {{{text}}}")
        return f"{error.key}: {error.problem}".replace(str(self.folder), "DIR")

    def test_plain(self) -> None:
        """Without a certificate nobody speaks TLS."""
        listeners = "listeners: [{addr: ':2'}, {endpoint: 'tcp:3'}]"
        self.assertEqual(
            {1: False, 2: False, 3: False}, self.listen(f"addr: ':1', {listeners}")
        )

    def test_tls(self) -> None:
        """With one everybody does, but for those who are told not to."""
        listeners = (
            "listeners: [{addr: ':2'}, {addr: ':3', tls: true}, "
            "{addr: ':4', tls: false}, {endpoint: 'tcp:5'}, "
            "{endpoint: 'tcp:6', tls: false}]"
        )
        self.assertEqual(
            {1: True, 2: True, 3: True, 4: False, 5: True, 6: False},
            self.listen(f"addr: ':1', {self.tls}, {listeners}"),
        )

    def test_greeting(self) -> None:
        """The log says where, and where TLS is spoken."""
        service = self.make(
            f"http: {{addr: '127.0.0.1:1', {self.tls}, "
            "listeners: [{addr: '127.0.0.1:2', tls: false}]}"
        )
        service.privilegedStartService()
        service.startService()
        [line] = [line for line in self.logged() if "serves on" in line]
        self.assertIn("with TLS, ", line)

    def test_no_certificate(self) -> None:
        """A listener that is to speak TLS needs a certificate."""
        self.assertEqual(
            "http.listeners.0.tls: needs http.tls.certificate",
            self.refused("listeners: [{addr: ':1', tls: true}]"),
        )

    def test_bad_files(self) -> None:
        """Files that cannot be used are named, with their key and line."""
        Path(self.key).unlink()
        self.assertEqual(
            "http.tls.key: DIR/server.key: No such file or directory",
            self.refused(self.tls),
        )
        error = self.assertRaises(ConfigError, self.make, f"http: {{{self.tls}}}")
        self.assertEqual(4, error.line)

    def test_bad_cipher(self) -> None:
        """So is a cipher suite that is none."""
        text = f"{self.tls[:-1]}, ciphersuites: [TLS_AES_128_GCM_SHA256, X]}}"
        self.assertEqual(
            "http.tls.ciphersuites.1: is no known cipher suite", self.refused(text)
        )

    def test_bad_endpoint(self) -> None:
        """An endpoint that Twisted does not know is named."""
        line = self.refused("listeners: [{addr: ':1'}, {endpoint: 'nope:1'}]")
        self.assertTrue(line.startswith("http.listeners.1.endpoint: "), line)

    def test_endpoint_with_tls(self) -> None:
        """TLS is not spoken over an endpoint that speaks it itself."""
        endpoint = f"ssl:443:privateKey={self.key}:certKey={self.certificate}"
        self.listen(f"{self.tls}, listeners: [{{endpoint: '{endpoint}'}}]")
        ((port, factory, *_),) = self.reactor.sslServers
        self.assertEqual((443, RegistrySite), (port, type(factory)))
        self.assertEqual(
            "http.listeners.0.tls: is spoken by the endpoint itself; take it out",
            self.refused(f"listeners: [{{endpoint: '{endpoint}', tls: true}}]"),
        )

    def test_reload(self) -> None:
        """A certificate is loaded anew at a word."""
        service = self.make(f"http: {{{self.tls}}}")
        Authority().issue("second").write(self.folder)
        with capturedLogs() as events:
            service.reload()
        self.assertIn("CN=second", [event.get("subject") for event in events])


class NotingEndpoint(Endpoint):
    """An endpoint that notes whether it was asked to listen.

    Attributes:
        asked: Whether it was.
    """

    asked = False

    def __init__(self) -> None:
        """Be ready to listen."""
        super().__init__(succeed(Port()))

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 - Twisted's
    ) -> Deferred[IListeningPort]:
        """See IStreamServerEndpoint."""
        self.asked = True
        return super().listen(protocolFactory)


class SeveralTests(ServiceCase):
    """Several ports at once."""

    def service(self, *listening: Deferred[Any], reloads: Any = ()) -> RegistryService:
        """Make a service on ports."""
        _, resource = make_echo()
        site = RegistrySite(resource, self.reactor, Limits(), "test")
        return RegistryService(
            site,
            [Listener(Endpoint(each)) for each in listening],
            lambda: succeed(resource),
            self.reactor,
            30.0,
            LogHerald("serves on {address}"),
            reloads=reloads,
        )

    def test_stop(self) -> None:
        """All are closed in the end."""
        ports = [Port(), Port()]
        service = self.service(*map(succeed, ports))
        service.privilegedStartService()
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual([False, False], [port.listening for port in ports])

    def test_one_taken(self) -> None:
        """If one cannot be had, the others are given up too."""
        ports = [Port(), Port()]
        error = CannotListenError("127.0.0.1", 5000, OSError("in use"))
        first, last = map(succeed, ports)
        service = self.service(first, fail(error), last)
        service.privilegedStartService()
        service.startService()
        self.assertIs(error, service.failure)
        self.successResultOf(service.stopService())
        self.assertEqual([False, False], [port.listening for port in ports])

    def test_two_taken(self) -> None:
        """If two cannot be had, the first is named, and no error is left over."""
        errors = [CannotListenError("", port, OSError("in use")) for port in (1, 2)]
        service = self.service(*map(fail, errors))
        service.privilegedStartService()
        service.startService()
        self.assertIs(errors[0], service.failure)

    def test_opened_before(self) -> None:
        """Where clients wait already, they are let in when the store is open."""
        opening: Deferred[Any] = Deferred()
        before, other = NotingEndpoint(), NotingEndpoint()
        _, resource = make_echo()
        service = RegistryService(
            RegistrySite(resource, self.reactor, Limits(), "test"),
            [Listener(before, was_opened=True), Listener(other)],
            lambda: opening,
            self.reactor,
            30.0,
            LogHerald(""),
        )
        service.privilegedStartService()
        service.startService()
        self.assertEqual((False, True), (before.asked, other.asked))
        opening.callback(resource)
        self.assertEqual((True, True), (before.asked, other.asked))

    def test_reloads(self) -> None:
        """What fails to reload does not keep the others from it."""
        done: list[str] = []

        def break_down() -> None:
            raise RuntimeError("on purpose")

        self.service(reloads=[break_down, lambda: done.append("other")]).reload()
        self.assertEqual(["other"], done)
        [failure] = self.flushLoggedErrors(RuntimeError)
        self.assertIn("on purpose", failure.getErrorMessage())

    def test_hang_up(self) -> None:
        """SIGHUP reloads."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        done: list[str] = []
        service = self.service(reloads=[lambda: done.append("it")])
        stop_on_signals(self.reactor, service)
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(["it"], done)
        self.assertFalse(self.reactor.hasStopped)
