"""The throttle: an address whose logins fail again and again has to wait.

An address here is what one client has: of IPv6, a /64 network.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from typing import Final

from attrs import define
from twisted.cred.credentials import IAnonymous
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.deferreds import deferred
from txregistry.interfaces import (
    IAuthenticator,
    Identity,
    IQuickAuthenticator,
    LoginDelayed,
    LoginFailed,
    NotRemembered,
)
from txregistry.oci.access import Access

FREE: Final = 5
SHORTEST: Final = 1.0  # seconds
LONGEST: Final = 60.0  # seconds
WINDOW: Final = 600.0  # seconds
MOST: Final = 10_000  # addresses; about 4 MB

_HOST_BITS: Final = 64
_ENOUGH: Final = 64  # doublings

_Place = tuple[int, int]
"""The version of an IP address, and its number, or its network's."""


@define
class _Record:
    """What is known of an address.

    Attributes:
        failures: How many logins have failed.
        until: When the next one may be tried, on the clock.
        forgotten: When all is forgotten, on the clock.
        busy: Whether one is being tried.
    """

    failures: int = 0
    until: float = 0.0
    forgotten: float = 0.0
    busy: bool = False


@implementer(IQuickAuthenticator)
class ThrottledAuthenticator:
    """Asks another authenticator, but not for addresses that have to wait.

    After some failures each further one doubles the time to wait, and only one login
    at a time is tried; a success ends that. Who shows nothing never waits, nor do
    clients without an IP address (Unix sockets).
    """

    def __init__(
        self,
        authenticator: IAuthenticator,
        clock: IReactorTime,
        free: int = FREE,
        shortest: float = SHORTEST,
        longest: float = LONGEST,
        window: float = WINDOW,
        most: int = MOST,
    ) -> None:
        """Prepare.

        Args:
            authenticator: The other one.
            clock: Gives the time.
            free: How many logins may fail before there is any waiting.
            shortest: The first time to wait, in seconds.
            longest: The longest, in seconds.
            window: How long after its last failure an address is remembered, seconds.
            most: How many addresses to remember; those whose last failure is the
                longest ago are forgotten first.
        """
        self._authenticator = authenticator
        self._quick = IQuickAuthenticator(authenticator, None)
        self._clock = clock
        self._free = free
        self._shortest = shortest
        self._longest = longest
        self._window = window
        self._most = most
        self._records: OrderedDict[_Place, _Record] = OrderedDict()

    @deferred
    async def authenticate(self, credentials: object, address: str) -> Identity | None:
        """See IAuthenticator. It fails with LoginDelayed while there is waiting."""
        place = None if IAnonymous.providedBy(credentials) else _place_of(address)
        if place is None:
            return await self._authenticator.authenticate(credentials, address)
        record = self._record_of(place)
        if record is None or record.failures < self._free:
            return await self._try(credentials, address, place)
        self._refuse_early(record)
        record.busy = True
        try:
            return await self._try(credentials, address, place)
        finally:
            record.busy = False

    def recall(self, credentials: object, address: str) -> Identity | None:
        """See IQuickAuthenticator. An address with failures has to be looked into."""
        if self._quick is None:
            raise NotRemembered
        if self._records and not IAnonymous.providedBy(credentials):
            place = _place_of(address)
            if place is not None and self._record_of(place) is not None:
                raise NotRemembered
        identity: Identity | None = self._quick.recall(credentials, address)
        return identity

    def challenge(
        self, accesses: Sequence[Access], origin: str, problem: str | None
    ) -> str:
        """See IAuthenticator. It is the other one's."""
        return self._authenticator.challenge(accesses, origin, problem)

    def _record_of(self, place: _Place) -> _Record | None:
        record = self._records.get(place)
        if record is not None and record.forgotten <= self._clock.seconds():
            del self._records[place]
            return None
        return record

    def _refuse_early(self, record: _Record) -> None:
        left = record.until - self._clock.seconds()
        if left > 0:
            raise LoginDelayed(left)
        if record.busy:
            raise LoginDelayed(self._shortest)

    async def _try(
        self, credentials: object, address: str, place: _Place
    ) -> Identity | None:
        try:
            identity = await self._authenticator.authenticate(credentials, address)
        except LoginDelayed:
            raise
        except LoginFailed:
            self._note_failure(place)
            raise
        if identity is not None:
            self._records.pop(place, None)
        return identity

    def _note_failure(self, place: _Place) -> None:
        now = self._clock.seconds()
        record = self._records.setdefault(place, _Record())
        self._records.move_to_end(place)
        # Those that were under way when the waiting began do not make it longer.
        if now >= record.until:
            record.failures += 1
            record.until = now + self._delay(record.failures)
        record.forgotten = record.until + self._window
        if len(self._records) > self._most:
            self._records.popitem(last=False)

    def _delay(self, failures: int) -> float:
        doublings = failures - self._free
        if doublings < 0:
            return 0.0
        return min(self._longest, self._shortest * 2.0 ** min(doublings, _ENOUGH))


def _place_of(address: str) -> _Place | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv4Address):
        return (4, int(found))
    if found.ipv4_mapped is not None:
        return (4, int(found.ipv4_mapped))
    return (6, int(found) >> _HOST_BITS)
