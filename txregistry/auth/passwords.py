"""Passwords: a checker of twisted.cred's that compares them with an htpasswd file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.auth.editing import provision
from txregistry.auth.hashes import DEFAULT_COST, dummy, verify
from txregistry.auth.htpasswd import Htpasswd, parse_htpasswd
from txregistry.auth.loading import ICheckerFactory
from txregistry.auth.options import Options
from txregistry.auth.remembering import LIFETIME, IQuickChecker, Remembered
from txregistry.auth.verifying import Verifying
from txregistry.auth.watched import BrokenFile, WatchedFile
from txregistry.deferreds import deferred
from txregistry.interfaces import InvalidOption, NotRemembered
from txregistry.lookups import Lookups
from txregistry.threads import InThread, in_threads_of

_log = Logger()


@implementer(IQuickChecker)
class HtpasswdChecker:
    """Knows the users of an htpasswd file, as it is at the moment of a login."""

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815 # twisted.cred's name

    def __init__(
        self,
        file: WatchedFile[Htpasswd],
        in_thread: InThread,
        remembered: Remembered[bytes],
        verifying: Verifying[bool],
    ) -> None:
        """Take the file and what makes it fast.

        Args:
            file: The users.
            in_thread: Where hashes are computed.
            remembered: Logins that have just succeeded; they cost microseconds.
            verifying: Looks into all others.
        """
        self._file = file
        self._in_thread = in_thread
        self._remembered = remembered
        self._verifying = verifying

    @property
    def lookups(self) -> Lookups:
        """How often a login was remembered, and how often not."""
        return self._remembered.lookups

    @deferred
    async def requestAvatarId(  # noqa: N802 # twisted.cred's name
        self, credentials: IUsernamePassword
    ) -> bytes | tuple[()]:
        """See ICredentialsChecker.

        A user who is not there takes as long as a wrong password: there is a hash to
        compare with for everybody.
        """
        user, password = credentials.username, credentials.password
        users = await self._file.fresh()
        stored = users.hashes.get(user)
        compared = stored or _stand_in(users, self._remembered.mark(user))
        # The hash is part of the mark: another one in the file is another login.
        mark = self._remembered.mark(user, password, compared)
        if self._remembered.get(mark) is not None:
            return user
        fits = await self._verifying.verify(
            mark, lambda: self._in_thread(lambda: verify(password, compared))
        )
        if stored is None or not fits:
            raise UnauthorizedLogin
        self._remembered.add(mark, user)
        return user

    def recall(self, credentials: IUsernamePassword) -> bytes:
        """See IQuickChecker."""
        users = self._file.unchanged()
        user = credentials.username
        stored = None if users is None else users.hashes.get(user)
        if stored is None:
            raise NotRemembered
        mark = self._remembered.mark(user, credentials.password, stored)
        if self._remembered.get(mark) is None:
            raise NotRemembered
        return user

    @deferred
    async def current_version(self, name: str) -> str | None:
        """Return what changes when a user's password does; None: there is no such user.

        What it is must not get out: it is the password's hash.
        """
        users = await self._file.fresh()
        stored = users.hashes.get(name.encode("utf-8", "surrogatepass"))
        return None if stored is None else stored.decode("ascii")


@implementer(ICheckerFactory)
class HtpasswdFactory:
    """Makes checkers of htpasswd files. See ICheckerFactory.

    Options: ``path``, the file, which is made with one user if it is missing;
    ``remember``, for how many seconds a login is good without another look at the
    password (60; 0: not at all).
    """

    def make_checker(self, reactor: Any, options: Mapping[str, Any]) -> HtpasswdChecker:
        """See ICheckerFactory."""
        given = Options(options)
        path = given.text("path")
        lifetime = given.seconds("remember", LIFETIME)
        given.refuse_others()
        in_thread = in_threads_of(reactor)
        return HtpasswdChecker(
            _open(path, in_thread, reactor),
            in_thread,
            Remembered(reactor, lifetime),
            Verifying(),
        )


factory: Final = HtpasswdFactory()


def _open(path: str, in_thread: InThread, clock: IReactorTime) -> WatchedFile[Htpasswd]:
    try:
        password_path = provision(path)
    except OSError as error:
        raise InvalidOption("path", f"{path}: {error.strerror}") from error
    if password_path is not None:
        _log.warn(
            "{path} was missing: made it with the user docker, whose password is in"
            " {password_path}",
            path=path,
            password_path=password_path,
        )
    try:
        return WatchedFile(path, parse_htpasswd, in_thread, clock)
    except BrokenFile as error:
        raise InvalidOption("path", str(error)) from error


def _stand_in(users: Htpasswd, draw: bytes) -> bytes:
    """Return a hash for somebody who has none, as costly as the others.

    Args:
        users: The others.
        draw: Random, and the same each time for the same name.
    """
    if not users.costs:
        return dummy(DEFAULT_COST)
    return dummy(users.costs[int.from_bytes(draw) % len(users.costs)])
