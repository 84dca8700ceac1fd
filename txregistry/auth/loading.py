"""Loading: from a checker's name in the configuration to its factory.

A distribution names a checker as an entry point of the group ``txregistry.checkers``:
an object that provides ICheckerFactory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from zope.interface import Interface

GROUP: Final = "txregistry.checkers"

# These are found in a checkout that nobody has installed, too.
_BUILT_IN: Final = (
    EntryPoint("htpasswd", "txregistry.auth.passwords:factory", GROUP),
    EntryPoint("ldap", "txregistry.auth.ldap_options:factory", GROUP),
)


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


class UnknownChecker(Exception):
    """No checker has the name.

    Attributes:
        name: The name.
        known: The names that there are, sorted.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Name the checker and those that are known."""
        self.name = name
        self.known = sorted(known)
        super().__init__(
            f"unknown credentials checker {name!r}; known are: {', '.join(self.known)}"
        )


class BrokenChecker(Exception):
    """A checker is there and cannot be used, most likely for want of a dependency.

    Attributes:
        name: The checker's name.
    """

    def __init__(self, name: str, problem: object) -> None:
        """Name the checker and the problem."""
        super().__init__(f"credentials checker {name!r} cannot be loaded: {problem}")
        self.name = name


def find_factory(
    name: str, installed: Iterable[EntryPoint] | None = None
) -> ICheckerFactory:
    """Find the factory of a checker.

    Args:
        name: The checker's name, as in the configuration.
        installed: Entry points to look through; None: those of what is installed.

    Raises:
        UnknownChecker: There is no such checker.
        BrokenChecker: It cannot be imported, or is no factory.
    """
    known = known_checkers(installed)
    if name not in known:
        raise UnknownChecker(name, known)
    try:
        found = known[name].load()
    except (ImportError, AttributeError) as error:
        raise BrokenChecker(name, error) from error
    if not ICheckerFactory.providedBy(found):
        raise BrokenChecker(name, f"{known[name].value} is no ICheckerFactory")
    factory: ICheckerFactory = found
    return factory


def known_checkers(
    installed: Iterable[EntryPoint] | None = None,
) -> dict[str, EntryPoint]:
    """Return the checkers that there are, by name.

    Args:
        installed: Entry points to look through; None: those of what is installed.
    """
    points = entry_points(group=GROUP) if installed is None else installed
    return {point.name: point for point in (*_BUILT_IN, *points)}


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
        UnknownChecker: There is no such checker.
        BrokenChecker: It cannot be imported, or takes no names and passwords.
        InvalidOption: An option is missing, unknown or wrong.
    """
    checker = find_factory(name, installed).make_checker(reactor, options)
    if not any(
        IUsernamePassword.isOrExtends(kind) for kind in checker.credentialInterfaces
    ):
        raise BrokenChecker(name, "it takes no names and passwords")
    return checker
