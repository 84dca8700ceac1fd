"""An LDAP server in memory, whose answers the test gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import Factory, define
from ldaptor.protocols import pureldap  # type: ignore[import-untyped] # it has no types
from ldaptor.protocols.ldap.ldapserver import (  # type: ignore[import-untyped]
    BaseLDAPServer,
)
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.test.iosim import FakeTransport, IOPump, connect
from zope.interface import implementer

INVALID_CREDENTIALS: Final = 49

Found = tuple[str, Mapping[str, Sequence[str | bytes]]]
"""An entry: its distinguished name and its attributes."""


@define
class Script:
    """What a server has and does, and what it was asked.

    Attributes:
        passwords: By the distinguished names of whose they are.
        entries: What is found, by the base and the filter of a search, as text.
        codes: What comes of a search or a bind, by its base or name, if that is no
            success.
        written: Writes, in place of an answer, what it returns of a message's number
            and the request; None: the answer.
        silent: Whether there is no answer to anything.
        refused: Whether nobody can connect.
        unreachable: Whether nobody hears whether one can connect.
        tls_verifies: Whether the client trusts the server's certificate.
        asked: The requests, as text.
    """

    passwords: dict[str, bytes] = Factory(dict)
    entries: dict[tuple[str, str], list[Found]] = Factory(dict)
    codes: dict[str, int] = Factory(dict)
    written: Callable[[int, Any], bytes] | None = None
    silent: bool = False
    refused: bool = False
    unreachable: bool = False
    tls_verifies: bool = True
    asked: list[str] = Factory(list)


@define
class Tls:
    """What both ends of a pretended TLS connection have."""

    verifies: bool = True

    def iosimVerify(self, other: Tls) -> bool:  # noqa: N802 # Twisted's name
        """Say whether the other end's certificate is trusted."""
        return self.verifies and other.verifies


@implementer(IStreamClientEndpoint)
class ScriptedServer:
    """A server to connect to, any number of times.

    Attributes:
        script: What it does.
    """

    def __init__(self, script: Script) -> None:
        """Take the script."""
        self.script = script
        self._pumps: list[IOPump] = []

    def connect(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 # Twisted's name
    ) -> Deferred[IProtocol]:
        """See IStreamClientEndpoint."""
        if self.script.refused:
            return fail(ConnectionRefusedError())
        if self.script.unreachable:
            return Deferred()
        client = protocolFactory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 389))
        assert client is not None
        server = _Serving(self.script)
        self._pumps.append(
            connect(
                server,
                FakeTransport(server, isServer=True),
                client,
                FakeTransport(client, isServer=False),
            )
        )
        return succeed(client)

    def pump(self) -> None:
        """Move all bytes that there are, in both directions."""
        for pump in self._pumps:
            pump.flush()

    def is_connected(self) -> bool:
        """Say whether anybody is."""
        return any(not pump.clientIO.disconnected for pump in self._pumps)

    def drop(self) -> None:
        """End all connections."""
        for pump in self._pumps:
            pump.serverIO.loseConnection()
        self.pump()


class _Serving(BaseLDAPServer):  # type: ignore[misc] # ldaptor has no types
    """One connection of a server."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    def handle(self, message: Any) -> None:
        request = message.value
        self._script.asked.append(_described(request))
        if self._script.silent:
            return
        if self._script.written is not None:
            self.transport.write(self._script.written(message.id, request))
            return
        for answer in self._answers(request):
            self.queue(message.id, answer)
        if isinstance(request, pureldap.LDAPExtendedRequest):
            self.transport.startTLS(Tls(self._script.tls_verifies))

    def _answers(self, request: Any) -> list[Any]:
        if isinstance(request, pureldap.LDAPBindRequest):
            return [self._bound(request.dn.decode(), request.auth)]
        if isinstance(request, pureldap.LDAPSearchRequest):
            return self._found(request)
        if isinstance(request, pureldap.LDAPExtendedRequest):
            return [pureldap.LDAPExtendedResponse(self._script.codes.get("", 0))]
        return []

    def _bound(self, name: str, password: bytes) -> Any:
        known = self._script.passwords.get(name) == password
        usual = 0 if known else INVALID_CREDENTIALS
        return pureldap.LDAPBindResponse(self._script.codes.get(name, usual))

    def _found(self, request: Any) -> list[Any]:
        base = request.baseObject.decode()
        found = self._script.entries.get((base, _filter_text(request.filter)), [])
        entries = [
            pureldap.LDAPSearchResultEntry(name, list(attributes.items()))
            for name, attributes in found
        ]
        return [
            *entries,
            pureldap.LDAPSearchResultDone(self._script.codes.get(base, 0)),
        ]


def _described(request: Any) -> str:
    if isinstance(request, pureldap.LDAPBindRequest):
        return f"bind {request.dn.decode()}"
    if isinstance(request, pureldap.LDAPSearchRequest):
        attributes = " ".join(each.decode() for each in request.attributes)
        base, text = request.baseObject.decode(), _filter_text(request.filter)
        return f"search {base} {text} {attributes}"
    return str(type(request).__name__)


def _filter_text(wanted: Any) -> str:
    # ldaptor's own way to do this fails for filters that came over a wire.
    if isinstance(wanted, pureldap.LDAPFilter_present):
        return f"({wanted.value.decode()}=*)"
    if isinstance(wanted, pureldap.LDAPFilter_and):
        return f"(&{''.join(_filter_text(each) for each in wanted)})"
    kind, value = wanted.attributeDesc.value, wanted.assertionValue.value
    return f"({kind.decode()}={value.decode()})"
