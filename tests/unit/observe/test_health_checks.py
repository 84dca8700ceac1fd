"""Tests of txregistry.observe.checks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from tests.unit.webhooks.doubles import Reply, Response
from txregistry.interfaces import StorageError, StorageFull
from txregistry.observe.checks import (
    Check,
    CheckFailed,
    FileCheck,
    HTTPCheck,
    StorageCheck,
    TCPCheck,
)
from txregistry.registry.layout import PROBE, ROOT, SECRET
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import Operation


class CheckCase(SynchronousTestCase):
    """Short ways to make a check."""

    def good(self, check: Check) -> None:
        """Require that a check finds nothing wrong."""
        self.successResultOf(Deferred.fromCoroutine(check.run()))

    def fails(self, check: Check) -> str:
        """Require that a check fails; return its reason."""
        running = Deferred.fromCoroutine(check.run())
        return str(self.failureResultOf(running, CheckFailed).value)

    def given_up(self, check: Check) -> None:
        """Require that a check which waits ends when it is cancelled."""
        running = Deferred.fromCoroutine(check.run())
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)


class StorageTests(CheckCase):
    """The check of the store."""

    def setUp(self) -> None:
        """Make an empty store."""
        self.memory = MemoryDriver(Clock())
        self.driver = FaultyDriver(self.memory)
        self.check = StorageCheck("storagedriver_x", self.driver, writes=True)

    def look(self) -> StorageCheck:
        """Return a check that does not write."""
        return StorageCheck("storagedriver_x", self.driver, writes=False)

    def names(self) -> list[str]:
        """Return what is in the store's root."""
        return self.successResultOf(self.memory.list_children("/"))

    def test_empty(self) -> None:
        """An empty store is fine, whether it is written or not."""
        self.good(self.look())
        self.good(self.check)

    def test_writes(self) -> None:
        """It writes one small file, each time the same, where nobody looks."""
        for _ in range(3):
            self.good(self.check)
        content = self.successResultOf(self.memory.get_content(PROBE))
        self.assertLess(len(content), 100)
        self.assertEqual(["docker"], self.names())
        children = self.memory.list_children(os.path.dirname(PROBE))
        self.assertEqual(["probe"], self.successResultOf(children))

    def test_looks_only(self) -> None:
        """A registry that is read-only has nothing written."""
        self.good(self.look())
        self.assertEqual([], self.names())
        self.assertEqual({"stat"}, {each.name for each in self.driver.operations})

    def test_stat_fails(self) -> None:
        """A store that cannot be asked fails, with its own words."""
        self.driver.fail(_on("stat"), StorageError("x: Input/output error: /"))
        for check in (self.check, self.look()):
            self.assertEqual("x: Input/output error: /", self.fails(check))

    def test_write_fails(self) -> None:
        """A store that cannot be written fails: it may be read-only."""
        error = StorageError("x: Read-only file system")
        self.driver.fail(_on("put_content"), error)
        self.assertEqual(str(error), self.fails(self.check))
        self.driver.heal()
        self.good(self.check)

    def test_full(self) -> None:
        """A store without room for more is good: all that it holds can be pulled."""
        self.driver.fail(_on("put_content"), StorageFull("full"))
        self.good(self.check)

    def test_write_fails_looks_only(self) -> None:
        """Who only looks does not see that."""
        self.driver.fail(_on("put_content"))
        self.good(self.look())

    def test_gone(self) -> None:
        """A store that has lost what it held fails, and is not begun anew."""
        self.good(self.check)
        self.successResultOf(self.memory.delete("/docker"))
        for _ in range(2):
            self.assertEqual(f"what it held is gone: {PROBE}", self.fails(self.check))
        self.assertEqual([], self.names())

    def test_gone_and_used(self) -> None:
        """It fails, too, when a client has begun to push to what is there instead."""
        self.good(self.check)
        self.successResultOf(self.memory.delete("/docker"))
        self.successResultOf(self.memory.put_content(f"{ROOT}/blobs/x", b""))
        self.fails(self.check)

    def test_back(self) -> None:
        """It recovers when what it held is there again."""
        self.good(self.check)
        self.successResultOf(self.memory.move(PROBE, "/aside"))
        self.fails(self.check)
        self.successResultOf(self.memory.move("/aside", PROBE))
        self.good(self.check)

    def test_gone_looks_only(self) -> None:
        """Who only looks sees it by the secret, or by what others have written."""
        for path in (SECRET, PROBE):
            check = self.look()
            self.successResultOf(self.memory.put_content(path, b""))
            self.good(check)
            self.successResultOf(self.memory.delete("/docker"))
            self.assertEqual(f"what it held is gone: {path}", self.fails(check))

    def test_begun_anew(self) -> None:
        """A store that lacks the secret is another one, though it may be written."""
        self.successResultOf(self.memory.put_content(SECRET, b""))
        self.good(self.check)
        self.successResultOf(self.memory.delete(SECRET))
        self.assertEqual(f"what it held is gone: {SECRET}", self.fails(self.check))

    def test_clients_delete(self) -> None:
        """What clients push and delete is no sign of anything."""
        path = f"{ROOT}/repositories/a/_uploads/1/data"
        check = self.look()
        self.successResultOf(self.memory.put_content(path, b""))
        self.good(check)
        self.successResultOf(self.memory.delete(path))
        self.good(check)

    def test_hangs(self) -> None:
        """It can be given up when the store hangs."""
        self.driver.hang(_on("put_content"))
        self.given_up(self.check)


class FileTests(CheckCase):
    """The check of a file."""

    def setUp(self) -> None:
        """Choose the file."""
        self.path = Path(self.mktemp())
        self.check = FileCheck(str(self.path), execute)

    def test_absent(self) -> None:
        """A file that is not there is fine."""
        self.good(self.check)

    def test_exists(self) -> None:
        """It fails while the file is there, or a folder."""
        self.path.touch()
        self.assertEqual("file exists", self.fails(self.check))
        self.path.unlink()
        self.good(self.check)
        self.path.mkdir()
        self.assertEqual("file exists", self.fails(self.check))

    def test_unknown(self) -> None:
        """It fails where nobody can say whether the file is there."""
        self.path.touch()
        check = FileCheck(str(self.path / "below"), execute)
        self.assertEqual("Not a directory", self.fails(check))

    def test_name(self) -> None:
        """Its name is the path."""
        self.assertEqual(str(self.path), self.check.name)


class HTTPTests(CheckCase):
    """The check of an HTTP server."""

    def setUp(self) -> None:
        """Make the server."""
        self.server = _Server()

    def check(self, status: int = 200, headers: Any = None) -> HTTPCheck:
        """Return the check."""
        url = "http://example.com/up"
        return HTTPCheck("up", self.server, url, headers or {}, status)

    def test_good(self) -> None:
        """The right status is fine, and HEAD is how it is asked for."""
        self.server.answers = [succeed(Response(Reply(200)))]
        self.good(self.check(headers={"X-A": ["b", "c"]}))
        [(method, uri, headers)] = self.server.requests
        self.assertEqual((b"HEAD", b"http://example.com/up"), (method, uri))
        self.assertEqual(["b", "c"], headers.getRawHeaders("x-a"))

    def test_status(self) -> None:
        """Any other status fails, one that says success among them."""
        for status in (204, 404, 503):
            self.server.answers = [succeed(Response(Reply(status)))]
            self.assertEqual(f"answered with status {status}", self.fails(self.check()))

    def test_wanted(self) -> None:
        """The right status may be any other than 200."""
        self.server.answers = [succeed(Response(Reply(404)))]
        self.good(self.check(404))

    def test_redirected(self) -> None:
        """A redirection is followed."""
        away = Reply(302, {"Location": "/there"})
        self.server.answers = [succeed(Response(each)) for each in (away, Reply(200))]
        self.good(self.check())
        self.assertEqual(b"http://example.com/there", self.server.requests[1][1])

    def test_redirected_away(self) -> None:
        """To another host goes what everybody may know, and no other header."""
        given = {"X-Key": ["a"], "Authorization": ["b"], "User-Agent": ["c"]}
        for place, kept in (
            ("http://example.com/there", ["a"]),
            ("http://example.com:8080/there", None),
            ("http://example.org/there", None),
            ("https://example.com/there", None),
        ):
            away = Reply(302, {"Location": place})
            replies = (away, Reply(200))
            self.server.answers = [succeed(Response(each)) for each in replies]
            self.server.requests = []
            self.good(self.check(headers=given))
            _, uri, headers = self.server.requests[1]
            self.assertEqual(place.encode(), uri)
            self.assertEqual(kept, headers.getRawHeaders("x-key"))
            self.assertEqual(kept and ["b"], headers.getRawHeaders("authorization"))
            self.assertEqual(["c"], headers.getRawHeaders("user-agent"))

    def test_redirection_wanted(self) -> None:
        """A redirection is not followed if it is the right status."""
        away = Reply(302, {"Location": "/there"})
        self.server.answers = [succeed(Response(away))]
        self.good(self.check(302))

    def test_unreachable(self) -> None:
        """No answer fails, with the reason."""
        for error in (
            ConnectionRefusedError("refused"),
            ResponseNeverReceived([Failure(ConnectionRefusedError("refused"))]),
        ):
            self.server.answers = [fail(error)]
            reason = self.fails(self.check())
            self.assertTrue(reason.startswith("error while checking: "), reason)
            self.assertIn("refused", reason)

    def test_hangs(self) -> None:
        """It can be given up."""
        self.server.answers = [Deferred()]
        self.given_up(self.check())


class TCPTests(CheckCase):
    """The check of a TCP port."""

    def setUp(self) -> None:
        """Make what is connected to."""
        self.endpoint = _Endpoint()
        self.check = TCPCheck("a:1", self.endpoint)

    def test_good(self) -> None:
        """What takes the connection is fine; the connection is closed at once."""
        self.good(self.check)
        self.assertTrue(self.endpoint.transport.disconnecting)
        self.assertEqual(b"", self.endpoint.transport.value())

    def test_refused(self) -> None:
        """What does not take it fails, with the reason."""
        self.endpoint.answer = fail(ConnectionRefusedError("refused"))
        reason = self.fails(self.check)
        self.assertTrue(reason.startswith("cannot connect: "), reason)
        self.assertIn("refused", reason)

    def test_hangs(self) -> None:
        """It can be given up."""
        self.endpoint.answer = Deferred()
        self.given_up(self.check)

    def test_no_words(self) -> None:
        """An error without a text is called by its name."""
        self.endpoint.answer = fail(ZeroDivisionError())
        self.assertEqual("cannot connect: ZeroDivisionError", self.fails(self.check))


def _on(name: str) -> Any:
    def where(operation: Operation) -> bool:
        return operation.name == name

    return where


@implementer(IAgent)
class _Server:
    """An agent behind which a server answers as a test says."""

    def __init__(self) -> None:
        """Make one that has no answers."""
        self.requests: list[tuple[bytes, bytes, Headers]] = []
        self.answers: list[Deferred[IResponse]] = []

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803 - Twisted's
    ) -> Deferred[IResponse]:
        """See IAgent."""
        assert headers is not None
        self.requests.append((method, uri, headers))
        return self.answers.pop(0)


@implementer(IStreamClientEndpoint)
class _Endpoint:
    """An endpoint that connects as a test says."""

    def __init__(self) -> None:
        """Make one that takes connections."""
        self.transport = StringTransport()
        self.answer: Deferred[IProtocol] | None = None

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """See IStreamClientEndpoint."""
        if self.answer is not None:
            return self.answer
        protocol = factory.buildProtocol(self.transport.getPeer())
        assert protocol is not None
        protocol.makeConnection(self.transport)
        return succeed(protocol)
