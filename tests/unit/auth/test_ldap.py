"""Tests of txregistry.auth.ldap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.unit.auth.ldapserver import Found, Script, ScriptedServer, Tls
from txregistry.auth.ldap import Account, Groups, LdapChecker, Server, Users
from txregistry.auth.users import User
from txregistry.interfaces import LoginDelayed

PEOPLE: Final = "ou=people,dc=example"
ALICE: Final = f"cn=Alice A,{PEOPLE}"
READER: Final = "cn=reader,dc=example"
TEMPLATE: Final = Users(f"cn=${{user}},{PEOPLE}")
ESCAPED: Final = f"cn=Alice\\20A,{PEOPLE}"
OPS: Final = "cn=ops,ou=groups,dc=example"
SEARCHED: Final = Groups("(member=${dn})", "ou=groups", "cn")

Values = Mapping[str, Sequence[str | bytes]]


class LdapCase(SynchronousTestCase):
    """Tests with a server that knows alice.

    Attributes:
        script: What the server does.
        clock: The time.
    """

    def setUp(self) -> None:
        """Make the server."""
        self.script = Script({ALICE: b"secret", ESCAPED: b"secret", READER: b"reader"})
        self.server = ScriptedServer(self.script)
        self.clock = Clock()
        self.finds({"uid": ["alice", "al"], "memberOf": [OPS]})

    def finds(self, *found: Values) -> None:
        """Have a search for alice find entries like this."""
        entries: list[Found] = [(ALICE, values) for values in found]
        self.script.entries[PEOPLE, "(uid=alice)"] = entries

    def checker(
        self,
        users: Users | None = None,
        groups: Groups | None = None,
        account: Account | None = None,
        tls: Tls | None = None,
    ) -> LdapChecker:
        """Make a checker; it searches for users unless something else is said."""
        server = Server(self.server, tls, 10)  # type: ignore[arg-type] # pretended
        return LdapChecker(
            server, users or Users(base=PEOPLE), groups or Groups(), account, self.clock
        )

    def begin(
        self, checker: LdapChecker, user: str = "alice", password: str = "secret"
    ) -> Deferred[Any]:
        """Begin to log in, and let the server answer."""
        credentials = UsernamePassword(user.encode(), password.encode())
        login: Deferred[Any] = checker.requestAvatarId(credentials)
        self.server.pump()
        return login

    def accepted(
        self, checker: LdapChecker, user: str = "alice", password: str = "secret"
    ) -> User:
        """Log in, and return the user."""
        found: User = self.successResultOf(self.begin(checker, user, password))
        self.server.pump()
        self.assertFalse(self.server.is_connected())
        return found

    def refused(
        self, checker: LdapChecker, user: str = "alice", password: str = "secret"
    ) -> None:
        """Log in, and expect to be refused."""
        login = self.begin(checker, user, password)
        self.failureResultOf(login, UnauthorizedLogin)
        self.server.pump()
        self.assertFalse(self.server.is_connected())

    def delayed(self, checker: LdapChecker) -> str:
        """Log in, and expect to be put off; return what is logged of it."""
        with capturedLogs() as logs:
            failure = self.failureResultOf(self.begin(checker), LoginDelayed)
        self.assertEqual(5, failure.value.seconds)
        self.server.pump()
        self.assertFalse(self.server.is_connected())
        (event,) = logs
        self.assertEqual(LogLevel.error, event["log_level"])
        return str(event["error"])


class SearchTests(LdapCase):
    """Users who are searched for."""

    def test_interface(self) -> None:
        """It is a checker of twisted.cred's."""
        verifyObject(ICredentialsChecker, self.checker())

    def test_right(self) -> None:
        """A user is found, shows the password, and is known by the first name."""
        found = self.accepted(self.checker())
        self.assertEqual(User("alice", frozenset(["ops"])), found)
        self.assertEqual(
            [
                f"search {PEOPLE} (uid=alice) uid memberOf",
                f"bind {ALICE}",
                "LDAPUnbindRequest",
            ],
            self.script.asked,
        )

    def test_wrong(self) -> None:
        """A wrong password is refused."""
        self.refused(self.checker(), password="wrong")

    def test_account(self) -> None:
        """Who searches says who it is."""
        self.accepted(self.checker(account=Account(READER, b"reader")))
        self.assertEqual(f"bind {READER}", self.script.asked[0])

    def test_unknown(self) -> None:
        """For a user who is not there the server is asked as often."""
        self.refused(self.checker(), "bob")
        self.assertEqual(3, len(self.script.asked))
        bind = self.script.asked[1]
        self.assertTrue(bind.startswith("bind cn="))
        self.assertTrue(bind.endswith(f",{PEOPLE}"))

    def test_several(self) -> None:
        """Where several are found, nobody comes in."""
        self.finds({"uid": ["alice"]}, {"uid": ["Alice"]})
        with capturedLogs() as logs:
            self.refused(self.checker())
        self.assertEqual(1, len(logs))

    def test_no_password(self) -> None:
        """Without a password the server is not asked: it would let anybody in."""
        self.script.codes[ALICE] = 0
        self.refused(self.checker(), password="")
        self.assertEqual([], self.script.asked)

    def test_no_name(self) -> None:
        """Neither it is for what is no name."""
        checker = self.checker()
        for user in ("", " alice", "alice\0", "a\nb", "x" * 256):
            self.refused(checker, user)
        login = checker.requestAvatarId(UsernamePassword(b"\xff", b"secret"))
        self.failureResultOf(login, UnauthorizedLogin)
        self.assertEqual([], self.script.asked)

    def test_injection(self) -> None:
        """What means something in a filter is looked for as it is."""
        self.refused(self.checker(), "*")
        self.refused(self.checker(), "alice)(uid=*")
        searches = [line for line in self.script.asked if line.startswith("search")]
        self.assertEqual(
            [
                f"search {PEOPLE} (uid=*) uid memberOf",
                f"search {PEOPLE} (uid=alice)(uid=*) uid memberOf",
            ],
            searches,
        )

    def test_nameless(self) -> None:
        """An entry without a name is the directory's fault."""
        cases: list[Values] = [{}, {"uid": [""]}, {"uid": ["a\nb"]}]
        for values in cases:
            self.finds(values)
            self.assertEqual("a user's entry has no uid", self.delayed(self.checker()))


class TemplateTests(LdapCase):
    """Users whose distinguished names are known."""

    def setUp(self) -> None:
        """Let users read their own entries."""
        super().setUp()
        values: Values = {"uid": ["alice"], "memberOf": [OPS]}
        entry = (ALICE, values)
        self.script.entries[ESCAPED, "(objectClass=*)"] = [entry]

    def test_right(self) -> None:
        """A user shows the password and is known by the entry."""
        found = self.accepted(self.checker(TEMPLATE), "Alice A")
        self.assertEqual(User("alice", frozenset(["ops"])), found)
        self.assertEqual(f"bind {ESCAPED}", self.script.asked[0])

    def test_wrong(self) -> None:
        """A wrong password is refused, as a user is who is not there."""
        self.refused(self.checker(TEMPLATE), "Alice A", "wrong")
        self.refused(self.checker(TEMPLATE), "bob")

    def test_injection(self) -> None:
        """What means something in a distinguished name is escaped."""
        self.refused(self.checker(TEMPLATE), "a,b=c")
        self.assertEqual(f"bind cn=a\\2cb\\3dc,{PEOPLE}", self.script.asked[0])

    def test_unreadable(self) -> None:
        """Where users cannot read their entries, nobody knows who they are."""
        self.script.entries.clear()
        login = self.begin(self.checker(TEMPLATE), "Alice A")
        self.failureResultOf(login, LoginDelayed)


class GroupTests(LdapCase):
    """Groups."""

    def groups(self, groups: Groups, account: Account | None = None) -> set[str]:
        """Log in and return the groups."""
        return set(self.accepted(self.checker(None, groups, account)).groups)

    def test_own(self) -> None:
        """An entry's groups are known by their first values; others do not count."""
        names: list[str | bytes] = [
            OPS,
            "cn=K\\C3\\A4ufer\\, alle,ou=other",
            "nonsense",
            b"\xff",
        ]
        self.finds({"uid": ["alice"], "memberOf": names})
        self.assertEqual({"ops", "Käufer, alle"}, self.groups(Groups()))

    def test_own_base(self) -> None:
        """Those below a base count, where there is one."""
        names = [OPS, "cn=admins,ou=other,dc=example"]
        self.finds({"uid": ["alice"], "memberOf": names})
        groups = Groups(base="OU=Groups, DC=example")
        self.assertEqual({"ops"}, self.groups(groups))

    def test_searched(self) -> None:
        """Groups are searched for by the entry's name, as the account."""
        found: list[Found] = [
            (OPS, {"cn": ["ops", "operators"]}),
            ("cn=dev", {"cn": ["dev"]}),
            ("cn=none", {}),
        ]
        self.script.entries["ou=groups", f"(member={ALICE})"] = found
        account = Account(READER, b"reader")
        self.assertEqual({"ops", "operators", "dev"}, self.groups(SEARCHED, account))
        self.assertEqual(
            [
                f"bind {READER}",
                f"search {PEOPLE} (uid=alice) uid",
                f"bind {ALICE}",
                f"bind {READER}",
                f"search ou=groups (member={ALICE}) cn",
                "LDAPUnbindRequest",
            ],
            self.script.asked,
        )

    def test_searched_by_user(self) -> None:
        """Or by the user's name, as the entry has it."""
        self.finds({"uid": ["Alice"]})
        found: list[Found] = [(OPS, {"cn": ["ops"]})]
        self.script.entries["ou=groups", "(memberUid=Alice)"] = found
        groups = Groups("(memberUid=${user})", "ou=groups", "cn")
        self.assertEqual({"ops"}, self.groups(groups))


class ServerTests(LdapCase):
    """The server."""

    def test_tls(self) -> None:
        """TLS starts before anything else."""
        self.accepted(self.checker(tls=Tls()))
        self.assertEqual("LDAPExtendedRequest", self.script.asked[0])

    def test_untrusted(self) -> None:
        """Where it does not, nothing else is said."""
        self.script.tls_verifies = False
        self.delayed(self.checker(tls=Tls()))
        self.assertEqual(["LDAPExtendedRequest"], self.script.asked)

    def test_refused(self) -> None:
        """Where nobody can connect, logins are put off."""
        self.script.refused = True
        self.assertIn("cannot connect: ", self.delayed(self.checker()))

    def test_silent(self) -> None:
        """A server that does not answer is left after the timeout."""
        self.script.silent = True
        login = self.begin(self.checker())
        self.clock.advance(9.9)
        self.assertNoResult(login)
        with capturedLogs() as logs:
            self.clock.advance(0.1)
        self.failureResultOf(login, LoginDelayed)
        self.assertEqual(1, len(logs))
        self.server.pump()
        self.assertFalse(self.server.is_connected())

    def test_unreachable(self) -> None:
        """So is one that cannot be reached."""
        self.script.unreachable = True
        login = self.begin(self.checker())
        with capturedLogs() as logs:
            self.clock.advance(10)
        self.failureResultOf(login, LoginDelayed)
        self.assertEqual(1, len(logs))

    def test_lost(self) -> None:
        """When the connection is lost, the login is put off."""
        self.script.silent = True
        login = self.begin(self.checker())
        self.server.drop()
        self.failureResultOf(login, LoginDelayed)

    def test_account_refused(self) -> None:
        """Where the account to search with is refused, logins are put off."""
        account = Account(READER, b"wrong")
        error = self.delayed(self.checker(account=account))
        self.assertEqual("the account to search with is refused", error)

    def test_cancelled(self) -> None:
        """A login that is given up ends its connection."""
        self.script.silent = True
        login = self.begin(self.checker())
        login.cancel()
        self.failureResultOf(login, CancelledError)
        self.server.pump()
        self.assertFalse(self.server.is_connected())

    def test_secrets(self) -> None:
        """Passwords are not shown."""
        self.assertNotIn("reader-secret", repr(Account(READER, b"reader-secret")))
