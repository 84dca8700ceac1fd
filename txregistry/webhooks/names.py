"""Names: those of receivers, looked up where nothing else has to wait for it."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET6, SOCK_STREAM, getaddrinfo
from typing import Any, TypeAlias

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from txregistry.threads import InThread

Addresses: TypeAlias = list[IPv4Address | IPv6Address]


class LookUpFailed(Exception):
    """A name has no address, or none that could be found now. Its text says which."""


class Names:
    """The names of one receiver, of which one at a time is looked up.

    A name server that does not answer holds a thread for half a minute. That is why
    the threads are not those that requests need, and why there is only one.
    """

    def __init__(
        self, in_thread: InThread, find: Callable[..., list[Any]] = getaddrinfo
    ) -> None:
        """Prepare.

        Args:
            in_thread: Runs look-ups; nobody should have to wait for it to end.
            find: Looks up a name, as ``socket.getaddrinfo`` does.
        """
        self._in_thread = in_thread
        self._find = find
        self._is_looking = False

    def look_up(self, host: str, port: int) -> Deferred[Addresses]:
        """Find the addresses of a host; there is one at least.

        Cancelling only ends the waiting: the look-up goes on.

        Args:
            host: Its name, or an address.
            port: Becomes a part of what is found.

        Raises:
            LookUpFailed: There is none, or an earlier look-up has not ended yet.
        """
        if isIPAddress(host):
            return succeed([IPv4Address("TCP", host, port)])
        if isIPv6Address(host):
            return succeed([IPv6Address("TCP", host, port)])
        if self._is_looking:
            return fail(LookUpFailed(f"{host}: an earlier look-up has not ended yet"))
        looking = self._in_thread(lambda: self._found(host, port))
        self._is_looking = True
        waiting: Deferred[Addresses] = Deferred()

        def end(result: Addresses | Failure) -> None:
            self._is_looking = False
            waiting.callback(result)

        looking.addBoth(end)
        return waiting

    def _found(self, host: str, port: int) -> Addresses:
        try:
            found = self._find(host, port, type=SOCK_STREAM)
        except OSError as error:
            raise LookUpFailed(f"{host}: {error.strerror}") from error
        except UnicodeError as error:
            raise LookUpFailed(f"{host}: is no name of a host") from error
        addresses: Addresses = []
        for family, _, _, _, place in found:
            kind = IPv6Address if family == AF_INET6 else IPv4Address
            addresses.append(kind("TCP", *place))
        if not addresses:
            raise LookUpFailed(f"{host}: has no address")
        return addresses
