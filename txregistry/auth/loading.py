"""Loading: from a checker's name in the configuration to its factory.

A distribution names a checker as an entry point of the group ``txregistry.checkers``:
an object that provides ICheckerFactory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint
from typing import Any, Final

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from zope.interface import Interface

from txregistry.plugins import BrokenPlugin, PluginKind

GROUP: Final = "txregistry.checkers"


class ICheckerFactory(Interface):
    """Makes checkers of names and passwords, of one kind."""

    def make_checker(  # a method of a zope interface has no self
        reactor: Any,  # noqa: N805
        options: Mapping[str, Any],
    ) -> ICredentialsChecker:
        """Make a checker. This may read files; it opens no connection.

        Args:
            reactor: Gives time, threads and connections.
            options: What stands in the configuration: JSON values.

        Returns:
            A checker of ``IUsernamePassword``. It answers with the user's name, or with
            a ``txregistry.auth.users.User`` where it knows the user's groups too. It
            fails with ``twisted.cred.error.UnauthorizedLogin``, or with
            ``txregistry.interfaces.LoginDelayed`` if it cannot tell at the moment.

        Raises:
            InvalidOption: An option is missing, unknown or wrong.
        """


_CHECKERS: Final = PluginKind(
    "credentials checker",
    GROUP,
    ICheckerFactory,
    (
        EntryPoint("htpasswd", "txregistry.auth.passwords:factory", GROUP),
        EntryPoint("ldap", "txregistry.auth.ldap_options:factory", GROUP),
    ),
)


def find_factory(
    name: str, installed: Iterable[EntryPoint] | None = None
) -> ICheckerFactory:
    """Find the factory of a checker.

    Args:
        name: The checker's name, as in the configuration.
        installed: Entry points to look through; None: those of what is installed.

    Raises:
        UnknownPlugin: There is no such checker.
        BrokenPlugin: It cannot be imported, or is no factory.
    """
    factory: ICheckerFactory = _CHECKERS.load(name, installed)
    return factory


def known_checkers(
    installed: Iterable[EntryPoint] | None = None,
) -> dict[str, EntryPoint]:
    """Return the checkers that there are, by name.

    Args:
        installed: Entry points to look through; None: those of what is installed.
    """
    return _CHECKERS.known(installed)


def make_checker(
    name: str,
    reactor: Any,
    options: Mapping[str, Any],
    installed: Iterable[EntryPoint] | None = None,
) -> ICredentialsChecker:
    """Find a checker's factory and make the checker.

    Args:
        name: The checker's name, as in the configuration.
        reactor: Gives time, threads and connections.
        options: The checker's options.
        installed: Entry points to look through; None: those of what is installed.

    Raises:
        UnknownPlugin: There is no such checker.
        BrokenPlugin: It cannot be imported, or takes no names and passwords.
        InvalidOption: An option is missing, unknown or wrong.
    """
    checker = find_factory(name, installed).make_checker(reactor, options)
    if not any(
        IUsernamePassword.isOrExtends(kind) for kind in checker.credentialInterfaces
    ):
        raise BrokenPlugin(_CHECKERS.noun, name, "it takes no names and passwords")
    return checker
