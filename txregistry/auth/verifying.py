"""Verifying: few logins are looked into at a time, and none twice at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.python.failure import Failure

from txregistry.deferreds import deferred
from txregistry.interfaces import LoginDelayed

AT_ONCE: Final = 2
MOST_WAITING: Final = 200
_COME_AGAIN: Final = 1.0  # seconds

_T = TypeVar("_T")


@define(eq=False)
class _Login(Generic[_T]):
    """A login that is looked into, and those who wait to hear of it."""

    _waiting: list[Deferred[_T]] = field(factory=list, init=False)

    def join(self) -> Deferred[_T]:
        """Wait to hear of it. To cancel is to leave."""
        waiting: Deferred[_T] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def is_wanted(self) -> bool:
        """Say whether anybody waits."""
        return bool(self._waiting)

    def settle(self, outcome: _T | Failure) -> None:
        """Tell all who wait what came of it."""
        while self._waiting:
            self._waiting.pop(0).callback(outcome)


class Verifying(Generic[_T]):
    """Looks into logins, which takes threads or connections, and so few at a time.

    What everybody has stopped waiting for is not begun.
    """

    def __init__(
        self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING
    ) -> None:
        """Prepare.

        Args:
            at_once: How many logins to look into at a time.
            most_waiting: How many different ones may be there before somebody is told
                to come again later.
        """
        self._slots = DeferredSemaphore(at_once)
        self._most = most_waiting
        self._logins: dict[bytes, _Login[_T]] = {}

    async def verify(self, mark: bytes, begin: Callable[[], Deferred[_T]]) -> _T:
        """Look into a login, or wait with those who wait for the same.

        Args:
            mark: The same for the same login.
            begin: Begins to look into it; never cancelled.

        Raises:
            LoginDelayed: There are too many.
            Exception: Whatever ``begin`` fails with.
        """
        login = self._logins.get(mark)
        if login is not None:
            return await login.join()
        if len(self._logins) >= self._most:
            raise LoginDelayed(_COME_AGAIN)
        login = self._logins[mark] = _Login()
        waiting = login.join()
        self._look_into(login, mark, begin)
        return await waiting

    @deferred
    async def _look_into(
        self, login: _Login[_T], mark: bytes, begin: Callable[[], Deferred[_T]]
    ) -> None:
        outcome: _T | Failure
        await self._slots.acquire()
        try:
            if not login.is_wanted():
                return
            outcome = await begin()
        except Exception:
            outcome = Failure()
        finally:
            self._slots.release()
            del self._logins[mark]
        login.settle(outcome)
