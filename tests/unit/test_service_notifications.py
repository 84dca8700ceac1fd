"""Tests of txregistry.service: notifications start and stop with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from tests.unit.notifying_case import NamingReactor
from tests.unit.service_case import ServiceCase
from txregistry.oci.digest import Digest
from txregistry.webhooks.ledger import Ledger

PUSH = f"/v2/a/blobs/uploads/?digest={Digest.of(b'')}"
HOOK = "notifications:\n  endpoints: [{name: hook, url: 'http://192.0.2.1/'}]\n"


class NotificationsTests(ServiceCase):
    """A registry with somebody to tell."""

    def setUp(self) -> None:
        """Choose where events wait."""
        super().setUp()
        self.reactor = NamingReactor()
        folder = Path(self.mktemp()).absolute()
        self.path = str(folder / "queue" / "events")
        self.text = f"{HOOK}  queue: {{path: {self.path}}}\n"

    def receive(self) -> StringTransport:
        """Accept the connection to ``hook``; return what is written to it."""
        factory: Any = self.reactor.tcpClients[-1][2]
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        self.reactor.advance(0)
        return transport

    def test_told(self) -> None:
        """What a client does is posted."""
        visitor = self.serve(self.text)
        self.assertEqual([], self.reactor.tcpClients)
        self.assertEqual(201, visitor.status("POST", PUSH))
        posted = self.receive().value()
        self.assertTrue(posted.startswith(b"POST / HTTP/1.1\r\n"))
        self.assertIn(b'"action":"push"', posted)

    def test_unusable(self) -> None:
        """Without a place for events it does not start."""
        Path(self.path).parent.parent.write_text("")
        service = self.make(self.text)
        service.privilegedStartService()
        service.startService()
        (line,) = [each for each in self.logged() if "cannot start" in each]
        self.assertEqual(f"cannot start: {self.path}: Not a directory", line)
        self.successResultOf(service.stopService())

    def test_stopped(self) -> None:
        """When it stops what was told to nobody waits for the next start."""
        service = self.make(self.text)
        service.privilegedStartService()
        service.startService()
        visitor = self.reactor.connect()
        self.assertEqual(201, visitor.status("POST", PUSH))
        visitor.leave()
        self.receive()
        self.successResultOf(service.stopService())
        self.assertEqual([], self.reactor.getDelayedCalls())
        ledger = Ledger(self.path)
        self.addCleanup(ledger.close)
        (tally,) = ledger.tallies()
        self.assertEqual((1, 0, 0), (tally.waiting, tally.delivered, tally.failures))

    def test_running_requests(self) -> None:
        """A request that ends while the service stops is told of, too."""
        service = self.make(self.text)
        service.privilegedStartService()
        service.startService()
        visitor = self.reactor.connect()
        head = f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        visitor.channel.dataReceived(head.encode())
        stopping: Deferred[None] = service.stopService()
        self.assertNoResult(stopping)
        visitor.channel.dataReceived(b"0\r\n\r\n")
        visitor.leave()
        self.successResultOf(stopping)
        ledger = Ledger(self.path)
        self.addCleanup(ledger.close)
        (tally,) = ledger.tallies()
        self.assertEqual(1, tally.waiting)
