"""Tests of txregistry.auth.directory."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from ldaptor.protocols import (  # type: ignore[import-untyped] # it has no types
    pureber,
    pureldap,
)
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.auth.ldapserver import Script, ScriptedServer, Tls
from txregistry.auth.directory import (
    Directory,
    DirectoryError,
    InvalidFilter,
    check_filter,
)

_T = TypeVar("_T")

ALICE: Final = "uid=alice,ou=people"
FILTER: Final = "(uid=alice)"


class DirectoryCase(SynchronousTestCase):
    """Tests of a connection.

    Attributes:
        script: What the server does.
        directory: The connection.
    """

    def setUp(self) -> None:
        """Connect to a server."""
        self.script = Script({ALICE: b"secret"})
        self.server = ScriptedServer(self.script)
        self.directory = Directory()
        connectProtocol(self.server, self.directory)

    def begin(self, asking: Coroutine[Deferred[Any], Any, _T]) -> Deferred[_T]:
        """Ask the server something, and let it answer."""
        waiting = Deferred.fromCoroutine(asking)
        self.server.pump()
        return waiting

    def result(self, asking: Coroutine[Deferred[Any], Any, _T]) -> _T:
        """Return what comes of asking."""
        return self.successResultOf(self.begin(asking))

    def error(self, asking: Coroutine[Deferred[Any], Any, object]) -> str:
        """Return what asking fails with."""
        failure = self.failureResultOf(self.begin(asking), DirectoryError)
        return str(failure.value)

    def find(self) -> Any:
        """Search for alice."""
        return self.directory.search("ou=people", FILTER, ["uid"], 2)


class BindTests(DirectoryCase):
    """``Directory.bind``."""

    def test_believed(self) -> None:
        """The server believes the right password and no other."""
        self.assertTrue(self.result(self.directory.bind(ALICE, b"secret")))
        self.assertFalse(self.result(self.directory.bind(ALICE, b"wrong")))

    def test_refusals(self) -> None:
        """Whatever it does not like about an account, it does not believe it."""
        for code in (19, 32, 34, 48, 49, 50, 53):
            self.script.codes[ALICE] = code
            self.assertFalse(self.result(self.directory.bind(ALICE, b"secret")))

    def test_nobody(self) -> None:
        """Nobody binds as nobody: the server is not asked."""
        for name, password in (("", b"secret"), (ALICE, b"")):
            self.assertFalse(self.result(self.directory.bind(name, password)))
        self.assertEqual([], self.script.asked)

    def test_failure(self) -> None:
        """Any other answer is an error, by its name."""
        for code, name in ((13, "confidentialityRequired"), (51, "busy")):
            self.script.codes[ALICE] = code
            error = self.error(self.directory.bind(ALICE, b"secret"))
            self.assertEqual(f"a bind failed: {name}", error)
        self.script.codes[ALICE] = 4242
        self.assertIn("4242", self.error(self.directory.bind(ALICE, b"secret")))

    def test_remark(self) -> None:
        """What the server says of it is said too, if it is one line."""
        for remark, expected in ((b"no TLS", " (no TLS)"), (b"a\nb", ""), (b"", "")):
            self.script.written = lambda number, request, remark=remark: wire(
                number, pureldap.LDAPBindResponse(13, errorMessage=remark)
            )
            error = self.error(self.directory.bind(ALICE, b"secret"))
            self.assertEqual(f"a bind failed: confidentialityRequired{expected}", error)

    def test_other_answer(self) -> None:
        """An answer to something else is an error."""
        self.script.written = lambda number, request: wire(
            number, pureldap.LDAPSearchResultDone(0)
        )
        error = self.error(self.directory.bind(ALICE, b"secret"))
        self.assertEqual("no answer to a bind, but something else", error)


class SearchTests(DirectoryCase):
    """``Directory.search`` and ``Directory.read``."""

    def test_found(self) -> None:
        """What is found is entries with values, those that are text."""
        values: dict[str, list[str | bytes]] = {
            "uid": ["alice", "al"],
            "Photo": [b"\xff\xd8", b"x"],
        }
        self.script.entries["ou=people", FILTER] = [(ALICE, values)]
        (entry,) = self.result(self.find())
        self.assertEqual(ALICE, entry.name)
        self.assertEqual(["alice", "al"], list(entry.values("UID")))
        self.assertEqual(["x"], list(entry.values("photo")))
        self.assertEqual([], list(entry.values("other")))

    def test_most(self) -> None:
        """No more is found than was asked for, whatever the server sends."""
        found = [(f"uid={number}", {"uid": ["alice"]}) for number in range(5)]
        self.script.entries["ou=people", FILTER] = list(found)
        for code in (0, 4):
            self.script.codes["ou=people"] = code
            self.assertEqual(2, len(self.result(self.find())))

    def test_nothing(self) -> None:
        """Where nothing is, nothing is found."""
        self.assertEqual([], self.result(self.find()))
        self.script.codes["ou=people"] = 32
        self.assertEqual([], self.result(self.find()))

    def test_failure(self) -> None:
        """Any other answer is an error."""
        self.script.codes["ou=people"] = 50
        expected = "a search failed: insufficientAccessRights"
        self.assertEqual(expected, self.error(self.find()))

    def test_reference(self) -> None:
        """References to other servers are not followed."""
        elsewhere = [pureber.BEROctetString(b"ldap://other/")]
        self.script.written = lambda number, request: (
            wire(number, pureldap.LDAPSearchResultReference(elsewhere))
            + wire(number, pureldap.LDAPSearchResultDone(0))
        )
        self.assertEqual([], self.result(self.find()))

    def test_read(self) -> None:
        """One entry can be read by its name."""
        self.script.entries[ALICE, "(objectClass=*)"] = [(ALICE, {"uid": ["alice"]})]
        entry = self.result(self.directory.read(ALICE, ["uid"]))
        assert entry is not None
        self.assertEqual(["alice"], list(entry.values("uid")))
        self.assertIsNone(self.result(self.directory.read("uid=bob", ["uid"])))

    def test_secrets(self) -> None:
        """An entry's values are not shown."""
        self.script.entries["ou=people", FILTER] = [(ALICE, {"uid": ["secret"]})]
        self.assertNotIn("secret", repr(self.result(self.find())))


class StartTlsTests(DirectoryCase):
    """``Directory.start_tls``."""

    def start(self) -> Any:
        """Start TLS."""
        return self.directory.start_tls(Tls())  # type: ignore[arg-type] # pretended

    def test_started(self) -> None:
        """What follows goes over TLS."""
        self.result(self.start())
        self.assertTrue(self.result(self.directory.bind(ALICE, b"secret")))
        self.assertEqual(["LDAPExtendedRequest", f"bind {ALICE}"], self.script.asked)

    def test_untrusted(self) -> None:
        """A certificate that is not trusted ends the connection before the password."""
        self.script.tls_verifies = False
        self.result(self.start())
        self.error(self.directory.bind(ALICE, b"secret"))
        self.assertEqual(["LDAPExtendedRequest"], self.script.asked)

    def test_refused(self) -> None:
        """A server without TLS is not spoken to any more."""
        self.script.codes[""] = 2
        self.assertEqual("StartTLS failed: protocolError", self.error(self.start()))

    def test_injected(self) -> None:
        """Bytes in clear behind the answer are not taken for part of the next one."""
        begun = wire(9, pureldap.LDAPBindResponse(0))[:-1]
        self.script.written = lambda number, request: (
            wire(number, pureldap.LDAPExtendedResponse(0)) + begun
        )
        self.assertIn("in clear", self.error(self.start()))


class ConnectionTests(DirectoryCase):
    """The connection."""

    def test_lost(self) -> None:
        """Whoever waits when the connection is lost hears of it."""
        self.script.silent = True
        waiting = [
            self.begin(self.directory.bind(ALICE, b"secret")),
            self.begin(self.find()),
        ]
        self.server.drop()
        for each in waiting:
            self.failureResultOf(each, DirectoryError)

    def test_gone(self) -> None:
        """Nothing can be asked of a lost connection; to leave it is harmless."""
        self.server.drop()
        self.error(self.directory.bind(ALICE, b"secret"))
        self.error(self.find())
        self.directory.leave()

    def test_leave(self) -> None:
        """To leave is to say so."""
        self.directory.leave()
        self.server.pump()
        self.assertEqual(["LDAPUnbindRequest"], self.script.asked)
        self.assertFalse(self.server.is_connected())

    def test_garbage(self) -> None:
        """What is not LDAP ends the connection."""
        for garbage in (
            b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9,
            b"\x30\x00",
            b"\x30\x02\x02\x00",
            wire(4242, pureldap.LDAPBindResponse(0)),
            wire(4242, pureldap.LDAPBindRequest()),
        ):
            self.setUp()
            self.script.written = lambda number, request, garbage=garbage: garbage
            self.error(self.directory.bind(ALICE, b"secret"))
            self.assertFalse(self.server.is_connected())

    def test_cancelled(self) -> None:
        """Who stops waiting is not told, and an answer after that is nobody's."""
        self.script.silent = True
        for asking in (self.directory.bind(ALICE, b"secret"), self.find()):
            waiting = self.begin(asking)
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
        self.server.drop()


class CheckFilterTests(SynchronousTestCase):
    """``check_filter``."""

    def test_filters(self) -> None:
        """Filters are told from other texts."""
        for text in ("(uid=x)", "(&(uid=x)(!(a=*)))", "(|(a=b*c)(d>=1))"):
            check_filter(text)
        for text in ("", "uid=x", "(uid=x", "(uid)", "(uid=x))", "((uid=x)"):
            self.assertRaises(InvalidFilter, check_filter, text)


def wire(number: int, answer: Any) -> bytes:
    """Return an answer as it goes over the wire."""
    message: bytes = pureldap.LDAPMessage(answer, id=number).toWire()
    return message
