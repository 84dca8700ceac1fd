"""Held: a request whose answer is known and waits, until others will hear of it."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Protocol

from attrs import define, evolve
from twisted.python.failure import Failure

from txregistry.interfaces import Exchange, Hit
from txregistry.oci.events import Activity
from txregistry.web.exchanges import CLIENT_LEFT
from txregistry.web.kept import Block, Pieces

_END: Final = b"\r\n\r\n"
_LAST: Final = b"\r\nConnection: close\r\n\r\n"


class Keeper(Protocol):
    """Answers requests that were held."""

    def release(self, request: HeldRequest) -> None:
        """Answer one."""

    def give_up(self, request: HeldRequest) -> None:
        """Have one run the usual way instead."""

    def leave(self, request: HeldRequest) -> None:
        """Note that a client does not wait."""


class _NoBody:
    """The body of a request that has none."""

    complete = True

    def lost(self, problem: str) -> None:
        """See RequestBody."""


@define(eq=False)
class HeldRequest:
    """A request that is answered again, as soon as what it does is kept.

    A witness makes an event of it as of any other. On its connection it stands where
    those do that run, so that whatever happens to one of these meanwhile happens to it:
    what comes behind it waits, a registry that stops lets it end, and when its client
    leaves it is told.

    Attributes:
        connection: Where it came from.
        block: Its header block.
        came: That, as it came.
        exchange: It, and what comes of it, but for what a ``Hit`` says.
        activity: What it does.
        pieces: Its answer.
        id: What its answer calls it.
        began: When it came, in seconds since the epoch.
        address: The client's IP address.
        keeper: Answers it.
        has_begun: Whether those who watch were told that it has begun.
        is_over: Whether it was answered, or is not to be any more.
    """

    connection: Any
    block: Block
    came: bytes
    exchange: Exchange
    activity: Activity
    pieces: Pieces
    id: str
    began: float
    address: str
    keeper: Keeper
    has_begun: bool = False
    is_over: bool = False

    body: ClassVar[_NoBody] = _NoBody()
    finished: ClassVar[bool] = False
    lasting: ClassVar[None] = None
    span: ClassVar[None] = None

    @property
    def method(self) -> bytes:
        """See RegistryRequest."""
        return self.block.asked.key[0]

    @property
    def sentLength(self) -> int:  # noqa: N802 - Twisted's
        """See RegistryRequest."""
        return self.exchange.sent

    def header(self, name: str) -> str | None:
        """See RegistryRequest. What a witness does not look at is not there."""
        return self.block.asked.said.get(name)

    def headers(self, name: str) -> list[str]:
        """See ``header``."""
        value = self.header(name)
        return [] if value is None else [value]

    def isSecure(self) -> bool:
        """See RegistryRequest."""
        return bool(self.connection.is_secure)

    def getClientAddress(self) -> Any:
        """See RegistryRequest."""
        return self.connection.client_address

    def release(self) -> None:
        """Have it answered: what it does is kept."""
        if not self.is_over:
            self.keeper.release(self)

    def give_up(self) -> None:
        """Have it run the usual way: nobody knows why what it does was not kept."""
        if not self.is_over:
            self.keeper.give_up(self)

    def hit(self, now: float) -> Hit:
        """Return what it does not have in common with others, if it ends now."""
        seconds = now - self.began if now > self.began else 0.0
        return Hit(self.id, self.began, seconds, self.address)

    def so_far(self, now: float) -> Exchange:
        """Return what is known of it while it waits; its status means nothing."""
        return evolve(self.exchange, **self.hit(now)._asdict())

    def connectionLost(self, reason: Failure) -> None:
        """See RegistryRequest."""
        if not self.is_over:
            self.exchange = evolve(self.exchange, status=CLIENT_LEFT, sent=0)
            self.keeper.leave(self)


def last(answer: bytes) -> bytes:
    """Return an answer that says that the connection ends with it."""
    return answer.replace(_END, _LAST, 1)
