"""Verifying: hashes computed beside the reactor, few at a time, none twice at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.python.failure import Failure

from txregistry.auth.threads import InThread
from txregistry.deferreds import deferred
from txregistry.interfaces import LoginDelayed

AT_ONCE: Final = 2
MOST_WAITING: Final = 200
_COME_AGAIN: Final = 1.0  # seconds


@define(eq=False)
class _Question:
    """Those who wait for an answer."""

    _waiting: list[Deferred[bool]] = field(factory=list, init=False)

    def join(self) -> Deferred[bool]:
        """Wait for the answer. To cancel is to leave."""
        waiting: Deferred[bool] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def is_wanted(self) -> bool:
        """Say whether anybody waits for the answer."""
        return bool(self._waiting)

    def settle(self, answer: bool | Failure) -> None:
        """Give the answer to all who wait for it."""
        while self._waiting:
            self._waiting.pop(0).callback(answer)


class Verifying:
    """Asks slow questions in other threads.

    Threads are for the storage too, so few of them are taken; and what everybody has
    stopped waiting for is not begun.
    """

    def __init__(
        self,
        in_thread: InThread,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Prepare.

        Args:
            in_thread: Runs work in another thread.
            at_once: How many questions to ask at a time.
            most_waiting: How many different questions may be there before somebody is
                told to come again later.
        """
        self._in_thread = in_thread
        self._slots = DeferredSemaphore(at_once)
        self._most = most_waiting
        self._questions: dict[bytes, _Question] = {}

    async def ask(self, mark: bytes, find: Callable[[], bool]) -> bool:
        """Ask a question, or wait with those who have asked it already.

        Args:
            mark: The same for the same question.
            find: Finds the answer; called in another thread.

        Raises:
            LoginDelayed: There are too many questions.
            Exception: Whatever ``find`` fails with.
        """
        question = self._questions.get(mark)
        if question is None:
            if len(self._questions) >= self._most:
                raise LoginDelayed(_COME_AGAIN)
            question = self._questions[mark] = _Question()
            waiting = question.join()
            self._answer(mark, question, find)
        else:
            waiting = question.join()
        return await waiting

    @deferred
    async def _answer(
        self, mark: bytes, question: _Question, find: Callable[[], bool]
    ) -> None:
        answer: bool | Failure = False
        await self._slots.acquire()
        try:
            if question.is_wanted():
                answer = await self._in_thread(find)
        except Exception:
            answer = Failure()
        finally:
            self._slots.release()
            del self._questions[mark]
        question.settle(answer)
