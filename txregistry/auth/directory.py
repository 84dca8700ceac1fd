"""A directory: one connection to an LDAP server, through ldaptor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen
from ldaptor import ldapfilter  # type: ignore[import-untyped] # it has no types
from ldaptor.protocols import pureldap  # type: ignore[import-untyped]
from ldaptor.protocols.ldap import ldaperrors  # type: ignore[import-untyped]
from ldaptor.protocols.ldap.ldapclient import LDAPClient  # type: ignore[import-untyped]
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

_SUCCESS: Final = 0
_SIZE_LIMIT_EXCEEDED: Final = 4
_NO_SUCH_OBJECT: Final = 32
_MESSAGE: Final = b"\x30"
_LONGEST_REMARK: Final = 200  # characters

# What a server says to a bind that it does not believe, or does not allow: that an
# account is locked is nobody's business but its owner's.
_REFUSALS: Final = frozenset(
    [
        19,  # constraintViolation
        _NO_SUCH_OBJECT,
        34,  # invalidDNSyntax
        48,  # inappropriateAuthentication
        49,  # invalidCredentials
        50,  # insufficientAccessRights
        53,  # unwillingToPerform
    ]
)


class DirectoryError(Exception):
    """The directory is not there, or does not do what it has to. Its text says what."""


class InvalidFilter(Exception):
    """A text is no filter."""


@frozen
class Entry:
    """An entry of the directory.

    Attributes:
        name: Its distinguished name, as the server writes it.
    """

    name: str
    _attributes: Mapping[str, Sequence[str]] = field(repr=False)

    def values(self, attribute: str) -> Sequence[str]:
        """Return an attribute's values, those that are text."""
        return self._attributes.get(attribute.lower(), ())


def check_filter(text: str) -> None:
    """Make sure that a text is a filter (RFC 4515).

    Raises:
        InvalidFilter: It is none.
    """
    _parse_filter(text)


class Directory(LDAPClient):  # type: ignore[misc] # ldaptor has no types
    """A connection to a server. Every method fails with DirectoryError."""

    async def start_tls(self, creator: IOpenSSLClientConnectionCreator) -> None:
        """Speak TLS from now on.

        Args:
            creator: Knows the server's name and whom to trust.
        """
        answer = await self._ask(pureldap.LDAPStartTLSRequest())
        _require(answer, pureldap.LDAPExtendedResponse, "StartTLS")
        # Whoever sits in between could have sent the beginning of an answer in clear,
        # to which the server would then send the end.
        if self.buffer:
            raise DirectoryError("more than an answer to StartTLS, in clear")
        self.transport.startTLS(creator)

    async def bind(self, name: str, password: bytes) -> bool:
        """Say who one is. Return whether the server believes it.

        Args:
            name: The distinguished name of one's entry; not empty.
            password: The password; not empty: that would be a bind as nobody, which
                servers accept.
        """
        if not name or not password:
            return False
        answer = await self._ask(pureldap.LDAPBindRequest(dn=name, auth=password))
        if getattr(answer, "resultCode", None) in _REFUSALS:
            return False
        _require(answer, pureldap.LDAPBindResponse, "a bind")
        return True

    async def read(self, name: str, attributes: Iterable[str]) -> Entry | None:
        """Read an entry.

        Args:
            name: Its distinguished name.
            attributes: What to read of it.

        Returns:
            The entry; None: it is not there, or not for one to see.
        """
        found = await self._search(
            name,
            pureldap.LDAP_SCOPE_baseObject,
            pureldap.LDAPFilterMatchAll,
            attributes,
            1,
        )
        return found[0] if found else None

    async def search(
        self, base: str, filter_text: str, attributes: Iterable[str], most: int
    ) -> list[Entry]:
        """Search for entries.

        Args:
            base: The entry at and below which to search.
            filter_text: What they have to be like (RFC 4515).
            attributes: What to read of them.
            most: How many to find.

        Returns:
            The entries; if there are more of them, then so many.
        """
        parsed = _parse_filter(filter_text)
        scope = pureldap.LDAP_SCOPE_wholeSubtree
        return await self._search(base, scope, parsed, attributes, most)

    def dataReceived(self, recd: bytes) -> None:
        """See IProtocol. What is not LDAP ends the connection."""
        # ldaptor would print it.
        if not self.buffer and not recd.startswith(_MESSAGE):
            self.abort()
            return
        try:
            super().dataReceived(recd)
        except Exception:
            self.abort()

    def leave(self) -> None:
        """End the connection in good order."""
        if self.connected:
            self.unbind()

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abortConnection()

    async def _search(
        self, base: str, scope: int, parsed: Any, attributes: Iterable[str], most: int
    ) -> list[Entry]:
        entries: list[Entry] = []
        done: Deferred[Any] = Deferred()

        def receive(message: Any) -> bool:
            if isinstance(message, pureldap.LDAPSearchResultEntry):
                entries.append(_entry(message))
            elif not isinstance(message, pureldap.LDAPSearchResultReference):
                done.callback(message)
                return True
            return False

        request = pureldap.LDAPSearchRequest(
            baseObject=base,
            scope=scope,
            sizeLimit=most,
            filter=parsed,
            attributes=list(attributes),
        )
        sent = maybeDeferred(self.send_multiResponse, request, receive)
        sent.addErrback(done.errback)
        answer = await _answered(done)
        code = getattr(answer, "resultCode", None)
        if code == _NO_SUCH_OBJECT:
            return []
        if code != _SIZE_LIMIT_EXCEEDED:
            _require(answer, pureldap.LDAPSearchResultDone, "a search")
        return entries[:most]

    async def _ask(self, request: Any) -> Any:
        return await _answered(maybeDeferred(self.send, request))


async def _answered(waiting: Deferred[Any]) -> Any:
    try:
        return await waiting
    except CancelledError:
        raise
    except Exception as error:
        # Whatever ends a connection: TLS has errors of several libraries.
        raise DirectoryError(f"the connection is lost: {error}") from error


def _require(answer: Any, kind: Any, what: str) -> None:
    if not isinstance(answer, kind):
        raise DirectoryError(f"no answer to {what}, but something else")
    code = answer.resultCode
    if code != _SUCCESS:
        name = ldaperrors.get(code, b"").toWire().decode("ascii", "replace")
        raise DirectoryError(f"{what} failed: {name}{_remark(answer.errorMessage)}")


def _remark(message: bytes) -> str:
    text = message.decode("utf-8", "replace")[:_LONGEST_REMARK]
    return f" ({text})" if text and text.isprintable() else ""


def _entry(message: Any) -> Entry:
    attributes = {
        kind.decode().lower(): [text for value in values if (text := _text(value))]
        for kind, values in message.attributes
    }
    return Entry(message.objectName.decode(), attributes)


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _parse_filter(text: str) -> Any:
    try:
        return ldapfilter.parseFilter(text)
    except (ldapfilter.InvalidLDAPFilter, NotImplementedError):
        raise InvalidFilter from None
