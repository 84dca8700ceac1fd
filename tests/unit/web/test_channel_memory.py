"""Tests of txregistry.web.channel: what a connection takes that waits."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.case import read_all
from tests.unit.web.echo import make_echo
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Wire

NOTHING = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
UPLOAD = b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"


class DictTests(SynchronousTestCase):
    """Connections, which need no dict: all that is set in them has a slot."""

    def setUp(self) -> None:
        """Connect."""
        self.routes, resource = make_echo()
        self.wire = Wire(resource)

    def assert_none(self, *statuses: int) -> None:
        """Check what was answered, and that nothing is in a dict."""
        self.assertEqual(
            list(statuses), [answer.status for answer in read_all(self.wire)]
        )
        self.assertEqual({}, vars(self.wire.channel))

    def test_new(self) -> None:
        """So it is before any request."""
        self.assert_none()

    def test_plain(self) -> None:
        """So it is when some were answered."""
        self.wire.send(NOTHING)
        self.wire.send(NOTHING)
        self.assert_none(404, 404)

    def test_body(self) -> None:
        """So it is behind a body, in pieces or not."""
        self.wire.send(UPLOAD + b"\r\nok")
        for piece in (UPLOAD, b"\r\n", b"o", b"k"):
            self.wire.send(piece)
        self.assert_none(200, 200)

    def test_expect(self) -> None:
        """So it is if the client waits before it sends one."""
        self.wire.send(UPLOAD + b"Expect: 100-continue\r\n\r\n")
        self.wire.send(b"ok")
        self.assert_none(100, 200)

    def test_pipelined(self) -> None:
        """So it is if they come together."""
        self.wire.send(WAIT + NOTHING + UPLOAD + b"\r\nok")
        self.routes.waiting[0].callback(None)
        self.assert_none(204, 404, 200)

    def test_slow_reader(self) -> None:
        """So it is if the client reads slowly."""
        self.wire.send(WAIT)
        self.wire.channel.pauseProducing()
        self.routes.waiting[0].callback(None)
        self.wire.channel.resumeProducing()
        self.assert_none(204)

    def test_late(self) -> None:
        """So it is when time has run out."""
        self.wire.send(NOTHING)
        self.wire.clock.advance(100.0)
        self.assertTrue(self.wire.transport.disconnecting)
        self.assert_none(404)

    def test_refused(self) -> None:
        """So it is when a request was refused."""
        self.wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n")
        self.assert_none(400)

    def test_fast(self) -> None:
        """So it is when a request was answered as another one before."""
        registry = MemoryRegistry(is_fast=True)
        assert registry.fast is not None
        registry.request("GET", "/v2/")
        self.wire = registry.connect()
        self.wire.send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assert_none(200)
        self.assertEqual(1, registry.fast.lookups.take()[0])


class AddressTests(SynchronousTestCase):
    """What is kept of where a client is."""

    def test_same(self) -> None:
        """The requests of a connection are told the same."""
        _, resource = make_echo()
        channel = Wire(resource).channel
        self.assertEqual("127.0.0.1", channel.client_address.host)
        self.assertIs(channel.client_address, channel.client_address)
