"""LDAP: logins that a real server decides."""

from __future__ import annotations

import signal
from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.certificates import Authority
from tests.real.case import RealTestCase
from tests.real.slapd import (
    BASE,
    ELSEWHERE,
    GROUPS,
    ODD,
    PASSWORDS,
    PEOPLE,
    READER,
    READER_PASSWORD,
    Slapd,
)
from txregistry.auth.loading import make_checker
from txregistry.auth.users import User
from txregistry.interfaces import LoginDelayed


class LdapCase(RealTestCase, TestCase):
    """Tests with a server.

    Attributes:
        slapd: The server.
    """

    def setUp(self) -> None:
        """Start the server."""
        self.slapd = self.server(Slapd(self.folder())).ready()

    def checker(self, **options: Any) -> Any:
        """Make a checker that searches for users, some of its options changed."""
        from twisted.internet import reactor

        usual = {
            "url": f"ldap://127.0.0.1:{self.slapd.port}",
            "cacertificates": self.slapd.authority,
            "userbase": PEOPLE,
            "binddn": READER,
            "bindpassword": READER_PASSWORD,
            "timeout": 20,
            "remember": 0,
        }
        given = {**usual, **options}
        chosen = {key: value for key, value in given.items() if value is not None}
        return make_checker("ldap", reactor, chosen, ())

    def log_in(self, checker: Any, user: str, password: str) -> Deferred[Any]:
        """Log in."""
        credentials = UsernamePassword(user.encode(), password.encode())
        login: Deferred[Any] = checker.requestAvatarId(credentials)
        return login

    async def assert_logins(self, checker: Any) -> None:
        """Make sure that users come in with their own passwords, and else nobody."""
        for user in ("alice", "Jürgen", ODD):
            found = await self.log_in(checker, user, PASSWORDS[user])
            self.assertEqual(user, found.name)
            for wrong in ("wrong", "", PASSWORDS[user] + " "):
                await self.assert_refused(checker, user, wrong)
        for user in ("nobody", "", "*", "a*", "alice)(uid=*", "alice,ou=people", "\0"):
            await self.assert_refused(checker, user, PASSWORDS["alice"])

    async def assert_refused(self, checker: Any, user: str, password: str) -> None:
        """Make sure that somebody does not come in."""
        await self.assertFailure(
            self.log_in(checker, user, password), UnauthorizedLogin
        )

    async def assert_unavailable(self, checker: Any) -> None:
        """Make sure that a login is put off."""
        login = self.log_in(checker, "alice", PASSWORDS["alice"])
        await self.assertFailure(login, LoginDelayed)


class LoginTests(LdapCase):
    """Logins."""

    async def test_search(self) -> None:
        """Users are searched for, and say who they are with their passwords."""
        await self.assert_logins(self.checker())

    async def test_template(self) -> None:
        """Users are known by their distinguished names."""
        template = {"userbase": None, "userdn": f"uid=${{user}},{PEOPLE}"}
        await self.assert_logins(self.checker(**template))
        nobody = {**template, "binddn": None, "bindpassword": None}
        await self.assert_logins(self.checker(**nobody))

    async def test_name(self) -> None:
        """A user's name is the directory's, however it was written."""
        template = {"userbase": None, "userdn": f"uid=${{user}},{PEOPLE}"}
        for options in ({}, template):
            checker = self.checker(**options)
            found = await self.log_in(checker, "ALICE", PASSWORDS["alice"])
            self.assertEqual("alice", found.name)

    async def test_twice(self) -> None:
        """Whoever is there twice does not come in."""
        checker = self.checker(userbase=BASE)
        await self.assert_refused(checker, "twin", PASSWORDS["twin"])
        await self.log_in(self.checker(), "twin", PASSWORDS["twin"])

    async def test_filter(self) -> None:
        """A filter can leave users out."""
        in_ops = f"(&(uid=${{user}})(memberOf=cn=ops,{GROUPS}))"
        checker = self.checker(userfilter=in_ops)
        await self.log_in(checker, "alice", PASSWORDS["alice"])
        await self.assert_refused(checker, ODD, PASSWORDS[ODD])

    async def test_remembered(self) -> None:
        """A good login is good for some time, also without the server."""
        checker = self.checker(remember=60)
        await self.log_in(checker, "alice", PASSWORDS["alice"])
        self.slapd.stop()
        await self.log_in(checker, "alice", PASSWORDS["alice"])
        login = self.log_in(checker, "alice", "wrong")
        await self.assertFailure(login, LoginDelayed)

    async def test_changed(self) -> None:
        """Where nothing is remembered, a new password holds at once."""
        checker = self.checker()
        await self.log_in(checker, "alice", PASSWORDS["alice"])
        self.slapd.change_password("alice", "new")
        await self.assert_refused(checker, "alice", PASSWORDS["alice"])
        await self.log_in(checker, "alice", "new")

    async def test_many(self) -> None:
        """Many logins at once all come to their end."""
        checker = self.checker()
        logins = [
            self.log_in(checker, user, PASSWORDS[user])
            for user in ("alice", "Jürgen", ODD) * 20
        ]
        self.assertEqual(60, len([(await each).name for each in logins]))


class GroupTests(LdapCase):
    """Groups."""

    async def groups(self, checker: Any, user: str = "alice") -> set[str]:
        """Log in and return one's groups."""
        found = await self.log_in(checker, user, PASSWORDS[user])
        self.assertIsInstance(found, User)
        return set(found.groups)

    async def test_own(self) -> None:
        """Users' entries say which groups they belong to."""
        everywhere = {"ops", "Käufer, alle", "admins"}
        self.assertEqual(everywhere, await self.groups(self.checker()))
        self.assertEqual({"Käufer, alle"}, await self.groups(self.checker(), ODD))
        self.assertEqual(set(), await self.groups(self.checker(), "twin"))

    async def test_own_base(self) -> None:
        """Groups elsewhere do not count, where it is said which do."""
        checker = self.checker(groupbase=GROUPS)
        self.assertEqual({"ops", "Käufer, alle"}, await self.groups(checker))
        checker = self.checker(groupbase=ELSEWHERE.upper())
        self.assertEqual({"admins"}, await self.groups(checker))

    async def test_template(self) -> None:
        """So they do where users read their own entries."""
        checker = self.checker(
            userbase=None,
            userdn=f"uid=${{user}},{PEOPLE}",
            binddn=None,
            bindpassword=None,
        )
        self.assertEqual({"Käufer, alle"}, await self.groups(checker, ODD))

    async def test_search(self) -> None:
        """Groups are searched for by their members."""
        checker = self.checker(groupbase=GROUPS, groupfilter="(member=${dn})")
        self.assertEqual({"ops", "Käufer, alle"}, await self.groups(checker))
        self.assertEqual({"ops"}, await self.groups(checker, "Jürgen"))
        self.assertEqual({"Käufer, alle"}, await self.groups(checker, ODD))
        self.assertEqual(set(), await self.groups(checker, "twin"))


class ServerTests(LdapCase):
    """The connection to the server."""

    def assert_no_bind(self) -> None:
        """Make sure that nobody has said who it is."""
        self.assertNotIn(f'BIND dn="{READER}"', self.slapd.log())

    async def test_ldaps(self) -> None:
        """TLS from the beginning."""
        url = f"ldaps://127.0.0.1:{self.slapd.tls_port}"
        await self.assert_logins(self.checker(url=url))

    async def test_clear(self) -> None:
        """No TLS, if that is asked for."""
        await self.assert_logins(self.checker(starttls=False, cacertificates=None))

    async def test_untrusted(self) -> None:
        """A certificate of somebody else's is not trusted, and no password is sent."""
        other = Authority("other").write(self.folder())
        for url in (
            f"ldap://127.0.0.1:{self.slapd.port}",
            f"ldaps://127.0.0.1:{self.slapd.tls_port}",
        ):
            checker = self.checker(cacertificates=other, url=url)
            await self.assert_unavailable(checker)
        self.assert_no_bind()

    async def test_other_host(self) -> None:
        """A certificate for another host is not trusted."""
        url = f"ldap://127.0.0.2:{self.slapd.port}"
        await self.assert_unavailable(self.checker(url=url))
        self.assertIn("STARTTLS", self.slapd.log())
        self.assert_no_bind()

    async def test_gone(self) -> None:
        """While the server is gone, logins are put off."""
        self.slapd.stop()
        await self.assert_unavailable(self.checker())

    async def test_silent(self) -> None:
        """A server that does not answer is given up after the timeout."""
        self.slapd.daemon.signal(signal.SIGSTOP)
        try:
            await self.assert_unavailable(self.checker(timeout=0.5))
        finally:
            self.slapd.daemon.signal(signal.SIGCONT)

    async def test_account(self) -> None:
        """Where the account to search with is refused, logins are put off."""
        await self.assert_unavailable(self.checker(bindpassword="wrong"))
