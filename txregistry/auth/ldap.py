"""LDAP: a checker of twisted.cred's that asks a directory who its users are."""

from __future__ import annotations

from secrets import token_bytes, token_hex
from typing import Any, Final

from attrs import field, frozen
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import connectProtocol
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.auth.directory import Directory, DirectoryError, Entry
from txregistry.auth.distinguished import (
    DistinguishedName,
    NotDistinguished,
    escape,
)
from txregistry.auth.users import User
from txregistry.deferreds import deferred
from txregistry.interfaces import LoginDelayed

_log = Logger()

USER: Final = "${user}"
NAME: Final = "${dn}"
_COME_AGAIN: Final = 5.0  # seconds
_LONGEST_USER: Final = 255  # characters
_MOST_GROUPS: Final = 1000


@frozen
class Server:
    """A server, and how to speak to it.

    Attributes:
        endpoint: Where it is.
        start_tls: What to speak TLS with on a connection that begins in clear; None:
            it stays as it begins.
        timeout: How long a login may take, in seconds.
    """

    endpoint: IStreamClientEndpoint
    start_tls: IOpenSSLClientConnectionCreator | None
    timeout: float


@frozen
class Account:
    """The account with which to search.

    Attributes:
        name: Its distinguished name.
        password: Its password.
    """

    name: str
    password: bytes = field(repr=False)


@frozen
class Users:
    """Where users are.

    Attributes:
        template: The distinguished name of a user's entry, with ``${user}`` in it;
            None: it has to be searched for.
        base: The entry below which to search.
        filter: What to search for, with ``${user}`` in it.
        attribute: The attribute with the user's name. Its first value is the name that
            rules know, however it was written at the login.
    """

    template: str | None = None
    base: str = ""
    filter: str = f"(uid={USER})"
    attribute: str = "uid"


@frozen
class Groups:
    """Which groups users belong to.

    Attributes:
        filter: What to search for, with ``${dn}`` or ``${user}`` in it; None: users'
            entries say which groups they belong to.
        base: The entry below which groups are; None: anywhere.
        attribute: In users' entries, the distinguished names of their groups; or else
            in groups' entries, their names.
    """

    filter: str | None = None
    base: str | None = None
    attribute: str = "memberOf"


@implementer(ICredentialsChecker)
class LdapChecker:
    """Knows the users of a directory. Each login is a connection of its own."""

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815 # twisted.cred's name

    def __init__(
        self,
        server: Server,
        users: Users,
        groups: Groups,
        account: Account | None,
        clock: IReactorTime,
    ) -> None:
        """Prepare.

        Args:
            server: The server.
            users: Where users are.
            groups: Which groups they belong to.
            account: With what to search; None: as nobody, or as the user who logs in.
            clock: Gives the time.
        """
        self._server = server
        self._users = users
        self._groups = groups
        self._account = account
        self._clock = clock

    @deferred
    async def requestAvatarId(  # noqa: N802 # twisted.cred's name
        self, credentials: IUsernamePassword
    ) -> Any:
        """See ICredentialsChecker. It answers with a User."""
        user, password = _user_of(credentials.username), credentials.password
        # A bind without a password is one as nobody, and succeeds.
        if user is None or not password:
            raise UnauthorizedLogin
        session = Deferred.fromCoroutine(self._session(user, password))
        try:
            found = await session.addTimeout(self._server.timeout, self._clock)
        except (DirectoryError, TimeoutError) as error:
            _log.error("the LDAP directory fails at a login: {error}", error=error)
            raise LoginDelayed(_COME_AGAIN) from None
        if found is None:
            raise UnauthorizedLogin
        return found

    async def _session(self, user: str, password: bytes) -> User | None:
        directory = await _connect(self._server.endpoint)
        try:
            if self._server.start_tls is not None:
                await directory.start_tls(self._server.start_tls)
            found = await self._log_in(directory, user, password)
        except BaseException:
            directory.abort()
            raise
        directory.leave()
        return found

    async def _log_in(
        self, directory: Directory, user: str, password: bytes
    ) -> User | None:
        if self._users.template is None:
            entry = await self._find(directory, user)
            if entry is None:
                # It takes as long as a wrong password.
                await directory.bind(_nobody(self._users.base), token_bytes(16))
                return None
            if not await directory.bind(entry.name, password):
                return None
        else:
            name = self._users.template.replace(USER, escape(user))
            if not await directory.bind(name, password):
                return None
            entry = await directory.read(name, self._attributes())
            if entry is None:
                raise DirectoryError("users may not read their own entries")
        return await self._describe(directory, entry)

    async def _find(self, directory: Directory, user: str) -> Entry | None:
        await self._be_account(directory)
        wanted = self._users.filter.replace(USER, escape(user))
        entries = await directory.search(
            self._users.base, wanted, self._attributes(), 2
        )
        if len(entries) > 1:
            _log.warn("several entries of the LDAP directory fit the filter of users")
            return None
        return entries[0] if entries else None

    async def _describe(self, directory: Directory, entry: Entry) -> User:
        names = entry.values(self._users.attribute)
        if not names or not _is_name(names[0]):
            raise DirectoryError(f"a user's entry has no {self._users.attribute}")
        if self._groups.filter is None:
            groups = self._own_groups(entry)
        else:
            wanted = self._groups.filter.replace(USER, escape(names[0]))
            wanted = wanted.replace(NAME, escape(entry.name))
            groups = await self._search_groups(directory, wanted)
        return User(names[0], frozenset(groups))

    async def _search_groups(self, directory: Directory, wanted: str) -> list[str]:
        await self._be_account(directory)
        base, attribute = self._groups.base or "", self._groups.attribute
        groups = await directory.search(base, wanted, [attribute], _MOST_GROUPS)
        return [value for group in groups for value in group.values(attribute)]

    def _own_groups(self, entry: Entry) -> list[str]:
        names = [_parsed(text) for text in entry.values(self._groups.attribute)]
        base = None if self._groups.base is None else _parsed(self._groups.base)
        return [
            name.first_value()
            for name in names
            if name is not None and (base is None or name.is_below(base))
        ]

    async def _be_account(self, directory: Directory) -> None:
        account = self._account
        if account is None:
            return
        if not await directory.bind(account.name, account.password):
            raise DirectoryError("the account to search with is refused")

    def _attributes(self) -> list[str]:
        own = [] if self._groups.filter is not None else [self._groups.attribute]
        return [self._users.attribute, *own]


async def _connect(endpoint: IStreamClientEndpoint) -> Directory:
    directory = Directory()
    try:
        await connectProtocol(endpoint, directory)
    except CancelledError:
        raise
    except Exception as error:
        raise DirectoryError(f"cannot connect: {error}") from error
    return directory


def _user_of(name: bytes) -> str | None:
    try:
        user = name.decode()
    except UnicodeDecodeError:
        return None
    return user if _is_name(user) else None


def _is_name(name: str) -> bool:
    return (
        0 < len(name) <= _LONGEST_USER and name.isprintable() and name == name.strip()
    )


def _nobody(base: str) -> str:
    return f"cn={token_hex(16)},{base}"


def _parsed(name: str) -> DistinguishedName | None:
    try:
        return DistinguishedName.parse(name)
    except NotDistinguished:
        return None
