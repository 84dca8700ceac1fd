"""Tests of txregistry.auth.ldap_options."""

from __future__ import annotations

from typing import Any, Final

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.testing import MemoryReactorClock
from zope.interface.verify import verifyObject

from tests.certificates import Authority
from tests.unit.auth.files import FileTestCase
from txregistry.auth.ldap_options import factory
from txregistry.auth.loading import ICheckerFactory, find_factory
from txregistry.interfaces import InvalidOption

USUAL: Final = {"url": "ldap://localhost", "userbase": "ou=people,dc=example"}


class LdapFactoryTests(FileTestCase):
    """From options to a checker."""

    def make(self, **changes: Any) -> ICredentialsChecker:
        """Make a checker with some options changed; None: left out."""
        options = {**USUAL, **changes}
        return factory.make_checker(MemoryReactorClock(), options)

    def refused(self, **changes: Any) -> str:
        """Return what options are refused with."""
        return str(self.assertRaises(InvalidOption, self.make, **changes))

    def test_interface(self) -> None:
        """It is a factory, and known by its name."""
        verifyObject(ICheckerFactory, factory)
        self.assertIs(factory, find_factory("ldap", ()))

    def test_made(self) -> None:
        """Options in all their ways make checkers."""
        trusted = Authority().write(self.folder)
        account = {"binddn": "cn=reader", "bindpassword": "secret"}
        template = {"userbase": None, "userdn": "uid=${user},ou=people"}
        for changes in (
            {},
            {"url": "ldaps://ldap.example:1636/", "cacertificates": trusted},
            {"url": "ldap://[::1]:389", "starttls": "false", "timeout": "3"},
            {"cacertificates": trusted, "starttls": True},
            {"userfilter": "(&(mail=${user}@example.com)(active=1))", **account},
            {"nameattribute": "mail", "groupattribute": "groups", "remember": 0},
            {**template, "groupfilter": "(memberUid=${user})", "groupbase": "ou=g"},
            {"groupfilter": "(member=${dn})", "groupbase": "ou=g"},
        ):
            verifyObject(ICredentialsChecker, self.make(**changes))

    def test_url(self) -> None:
        """What is no address is refused."""
        expected = "url: has to be ldap://host:port or ldaps://host:port"
        for url in (
            "localhost",
            "http://localhost",
            "ldap://",
            "ldap://a:b",
            "ldap://a:0",
            "ldap://a:99999",
            "ldap://a/dc=example",
            "ldap://user:secret@a",
            "ldap://[a",
        ):
            self.assertEqual(expected, self.refused(url=url), url)
        self.assertEqual("url: is missing", self.refused(url=None))

    def test_tls(self) -> None:
        """TLS is said once, and where there is none nobody is to be trusted."""
        self.assertEqual(
            "starttls: ldaps:// begins with TLS already",
            self.refused(url="ldaps://a", starttls=True),
        )
        self.assertEqual(
            "cacertificates: is of no use without TLS",
            self.refused(starttls=False, cacertificates="x"),
        )

    def test_certificates(self) -> None:
        """A file without certificates is refused."""
        for path, problem in (
            (self.write("nothing"), "no certificates"),
            ("/nowhere", "No such file or directory"),
        ):
            self.assertEqual(
                f"cacertificates: {path}: {problem}",
                self.refused(cacertificates=path),
            )

    def test_users(self) -> None:
        """Users have to be somewhere, in one way."""
        either = "userdn: either this or userbase has to be given"
        self.assertEqual(either, self.refused(userbase=None))
        self.assertEqual(either, self.refused(userdn="uid=${user}"))
        for key in ("userdn", "userbase"):
            changes = {"userbase": None, key: "nowhere"}
            self.assertEqual(
                f"{key}: has to be a distinguished name", self.refused(**changes)
            )
        self.assertEqual(
            "userdn: has to have ${user} in it",
            self.refused(userbase=None, userdn="ou=people"),
        )
        self.assertEqual(
            "userfilter: has to be an LDAP filter, in parentheses",
            self.refused(userfilter="uid=${user}"),
        )
        self.assertEqual(
            "userfilter: has to have ${user} in it",
            self.refused(userfilter="(uid=alice)"),
        )

    def test_groups(self) -> None:
        """Groups are searched for somewhere, by something."""
        self.assertEqual(
            "groupbase: is missing, where groupfilter is given",
            self.refused(groupfilter="(member=${dn})"),
        )
        self.assertEqual(
            "groupbase: has to be a distinguished name", self.refused(groupbase="x")
        )
        self.assertEqual(
            "groupfilter: has to have ${dn} or ${user} in it",
            self.refused(groupfilter="(cn=x)", groupbase="ou=g"),
        )

    def test_account(self) -> None:
        """An account has a name and a password, which no error shows."""
        self.assertEqual(
            "bindpassword: is missing, where binddn is given",
            self.refused(binddn="cn=reader"),
        )
        error = self.refused(bindpassword="secret")
        self.assertEqual("binddn: is missing, where bindpassword is given", error)

    def test_others(self) -> None:
        """An option that there is not is refused."""
        self.assertIn("userfiltre: unknown option", self.refused(userfiltre="x"))

    def test_timeout(self) -> None:
        """A login takes some time."""
        expected = "timeout: has to be more than 0 seconds"
        self.assertEqual(expected, self.refused(timeout=0))
