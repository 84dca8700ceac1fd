"""Listeners: the places where clients come in."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from socket import has_dualstack_ipv6
from typing import Any, Final

from attrs import frozen
from twisted.internet import tcp, unix
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    serverFromString,
)
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.interfaces import InvalidOption

# Clients that have not been looked at yet; the kernel bounds it (net.core.somaxconn).
_BACKLOG: Final = 1024

# Whom a Unix socket is for, unless it is said: its owner and group.
_MODE: Final = 0o660


@frozen
class Listener:
    """A place where clients come in.

    Attributes:
        endpoint: Listens there.
        speaks_tls: Whether it speaks TLS.
        was_opened: Whether somebody else has opened it, where clients may wait already.
    """

    endpoint: IStreamServerEndpoint
    speaks_tls: bool = False
    was_opened: bool = False

    def shown(self, address: IAddress) -> str:
        """Return where it is, as people read it.

        Args:
            address: Where its port says that it is.
        """
        tls = " with TLS" if self.speaks_tls else ""
        return f"{_shown(address)}{tls}"


class NoSuchSocket(Exception):
    """The service manager has not handed over the socket that is to be listened on."""


def tcp_endpoint(reactor: Any, host: str, port: int) -> IStreamServerEndpoint:
    """Return an endpoint for TCP.

    Args:
        reactor: Listens.
        host: A name or an IP address; empty: all interfaces.
        port: The port; 0: any.
    """
    if ":" in host:
        return TCP6ServerEndpoint(reactor, port, _BACKLOG, host)
    if not host and has_dualstack_ipv6():
        # One socket takes both, as the Go registry's ":5000" does.
        return TCP6ServerEndpoint(reactor, port, _BACKLOG, "::")
    return TCP4ServerEndpoint(reactor, port, _BACKLOG, host)


def described_endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """Return the endpoint that a description of Twisted's is about.

    Raises:
        InvalidOption: It is none.
    """
    if kind_of(description) == "systemd":
        return SystemdEndpoint(reactor, description)
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    except Exception as error:  # its parsers raise what comes
        problem = f"is no endpoint that can be used: {error}"
        raise InvalidOption("endpoint", problem) from None
    return endpoint


def kind_of(description: str) -> str:
    """Return the kind of endpoint that a description is about."""
    return description.partition(":")[0]


class UnixPort(unix.Port):
    """A port that listens on a Unix socket, and leaves other processes' ones alone.

    Twisted's also removes what lies at the path in the end if it is another socket by
    then, or the service manager's own; and shuts that one down for everybody.
    """

    def __init__(
        self,
        path: bytes,
        factory: IProtocolFactory,
        backlog: int = _BACKLOG,
        mode: int = _MODE,
        reactor: Any = None,
    ) -> None:
        """Prepare; for the arguments see Twisted's."""
        super().__init__(path, factory, backlog, mode, reactor)
        self._path = path
        self._made: tuple[int, int] | None = None

    def make(self) -> UnixPort:
        """Make the socket and listen on it.

        Raises:
            CannotListenError: That is not possible; or somebody listens there.
        """
        _remove_stale(self._path)
        self.startListening()
        self._made = _identity(self._path)
        return self

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See IListeningPort."""
        if self._made is not None and self._made == _identity(self._path):
            with suppress(OSError):
                os.unlink(self._path)
        tcp.Port.connectionLost(self, reason)


@implementer(IStreamServerEndpoint)
class UnixEndpoint:
    """Listens on a Unix socket that it makes."""

    def __init__(self, reactor: Any, path: str, mode: int | None = None) -> None:
        """Take where, and who may connect; None: owner and group."""
        self._reactor = reactor
        self._path = os.fsencode(path)
        self._mode = _MODE if mode is None else mode

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 - Twisted's
    ) -> Deferred[IListeningPort]:
        """See IStreamServerEndpoint."""
        port = UnixPort(
            self._path, protocolFactory, mode=self._mode, reactor=self._reactor
        )
        return execute(port.make)


@implementer(IStreamServerEndpoint)
class SystemdEndpoint:
    """Listens on a socket that systemd, or who does the same, has handed over."""

    def __init__(self, reactor: Any, description: str) -> None:
        """Take Twisted's description; the socket is looked for when listening."""
        self._reactor = reactor
        self._description = description

    def listen(
        self,
        protocolFactory: IProtocolFactory,  # noqa: N803 - Twisted's
    ) -> Deferred[IListeningPort]:
        """See IStreamServerEndpoint."""
        try:
            endpoint: Any = serverFromString(self._reactor, self._description)
        except Exception as error:  # its parser raises what comes
            problem = f"{self._description}: no such socket was handed over: {error}"
            return fail(NoSuchSocket(problem))
        if endpoint.addressFamily == socket.AF_UNIX:
            return execute(_adopt_unix, self._reactor, endpoint.fileno, protocolFactory)
        listening: Deferred[IListeningPort] = endpoint.listen(protocolFactory)
        return listening


def adopt(reactor: Any, descriptor: int, factory: IProtocolFactory) -> IListeningPort:
    """Return a port on a socket that somebody else has opened, and will shut down.

    Args:
        reactor: Takes the clients.
        descriptor: The socket's; it is closed, the port has one of its own.
        factory: Makes what talks with clients.
    """
    with socket.socket(fileno=os.dup(descriptor)) as found:
        family = found.family
    if family == socket.AF_UNIX:
        return _adopt_unix(reactor, descriptor, factory)
    port: IListeningPort = reactor.adoptStreamPort(descriptor, family, factory)
    os.close(descriptor)
    return port


def _adopt_unix(
    reactor: Any, descriptor: int, factory: IProtocolFactory
) -> IListeningPort:
    os.set_blocking(descriptor, False)
    port: Any = UnixPort._fromListeningDescriptor(reactor, descriptor, factory)
    port._shouldShutdown = False
    with suppress(OSError):
        # Twisted sets the mode; this one is the business of whoever made the socket.
        port.mode = stat.S_IMODE(os.stat(port._path).st_mode)
    port.startListening()
    os.close(descriptor)
    listening: IListeningPort = port
    return listening


def _remove_stale(path: bytes) -> None:
    """Remove a socket that a process has left behind; to others, binding objects."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _shown(address: Any) -> str:
    if isinstance(address, UNIXAddress):
        return os.fsdecode(address.name or b"unix")
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"
