"""Tests of txregistry.auth.loading."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any, Final

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.auth import passwords
from txregistry.auth.loading import (
    GROUP,
    ICheckerFactory,
    find_factory,
    known_checkers,
    make_checker,
)
from txregistry.plugins import BrokenPlugin, UnknownPlugin


@implementer(ICheckerFactory)
class SiteFactory:
    """A site's own factory of checkers."""

    def make_checker(
        self, reactor: Any, options: Mapping[str, Any]
    ) -> ICredentialsChecker:
        """See ICheckerFactory."""
        if options:
            checker: ICredentialsChecker = AllowAnonymousAccess()
            return checker
        return InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")


site_factory: Final = SiteFactory()
NOT_A_FACTORY: Final = 5


def point(value: str) -> EntryPoint:
    """Make an entry point named ``site``."""
    return EntryPoint("site", value, GROUP)


SITE: Final = [point(f"{__name__}:site_factory")]


class FindFactoryTests(SynchronousTestCase):
    """From a name to a factory."""

    def test_built_in(self) -> None:
        """Our own checkers are found though nothing is installed."""
        self.assertIs(passwords.factory, find_factory("htpasswd", ()))
        self.assertEqual({"htpasswd", "ldap"}, set(known_checkers(())))

    def test_installed(self) -> None:
        """What is installed in this environment is looked through by default."""
        self.assertIs(passwords.factory, find_factory("htpasswd"))

    def test_site(self) -> None:
        """A site's own checker is found by its entry point."""
        self.assertIs(site_factory, find_factory("site", SITE))

    def test_unknown(self) -> None:
        """An unknown name is answered with the names that there are."""
        error = self.assertRaises(UnknownPlugin, find_factory, "pam", SITE)
        self.assertEqual(
            "unknown credentials checker 'pam'; known are: htpasswd, ldap, site",
            str(error),
        )

    def test_broken(self) -> None:
        """What cannot be imported, or is no factory, is broken."""
        for value, problem in (
            ("txregistry_nowhere:factory", "No module named 'txregistry_nowhere'"),
            (f"{__name__}:nothing", "has no attribute 'nothing'"),
            (f"{__name__}:NOT_A_FACTORY", "is no ICheckerFactory"),
        ):
            error = self.assertRaises(
                BrokenPlugin, find_factory, "site", [point(value)]
            )
            self.assertIn(problem, str(error))


class MakeCheckerTests(SynchronousTestCase):
    """From a name and options to a checker."""

    def test_made(self) -> None:
        """A checker of names and passwords is made."""
        checker = make_checker("site", None, {}, SITE)
        self.assertIsInstance(checker, InMemoryUsernamePasswordDatabaseDontUse)

    def test_other(self) -> None:
        """A checker of other credentials is refused."""
        error = self.assertRaises(
            BrokenPlugin, make_checker, "site", None, {"other": True}, SITE
        )
        self.assertIn("takes no names and passwords", str(error))
