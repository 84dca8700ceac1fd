"""Doubles: providers that the tests of txregistry.auth control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from txregistry.interfaces import IAuthenticator, Identity
from txregistry.oci.access import Access

_T = TypeVar("_T")


class Threads:
    """Threads in which work waits until it is told to run; an InThread.

    Attributes:
        started: How many pieces of work were given to it.
    """

    def __init__(self) -> None:
        """Begin without work."""
        self.started = 0
        self._waiting: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], _T], /) -> Deferred[_T]:
        """See InThread."""
        self.started += 1
        result: Deferred[_T] = Deferred()

        def run() -> None:
            maybeDeferred(work).chainDeferred(result)

        self._waiting.append(run)
        return result

    def run_one(self) -> None:
        """Run the oldest piece of work."""
        self._waiting.pop(0)()

    def run_all(self) -> None:
        """Run all work, also what comes of it."""
        while self._waiting:
            self.run_one()


@implementer(IAuthenticator)
class ScriptedAuthenticator:
    """An authenticator whose answers the test gives.

    Attributes:
        asked: The credentials and addresses that it was asked about.
        waiting: The answers that are outstanding.
    """

    def __init__(self) -> None:
        """Begin unasked."""
        self.asked: list[tuple[object, str]] = []
        self.waiting: list[Deferred[Identity | None]] = []

    def authenticate(
        self, credentials: object, address: str
    ) -> Deferred[Identity | None]:
        """See IAuthenticator."""
        self.asked.append((credentials, address))
        answer: Deferred[Identity | None] = Deferred()
        self.waiting.append(answer)
        return answer

    def challenge(
        self, accesses: Sequence[Access], origin: str, problem: str | None
    ) -> str:
        """See IAuthenticator."""
        return f"Scripted {len(accesses)} {origin} {problem}"

    def answer(self, answer: Identity | Exception | None) -> None:
        """Give the oldest outstanding answer."""
        waiting = self.waiting.pop(0)
        if isinstance(answer, Exception):
            waiting.errback(answer)
        else:
            waiting.callback(answer)


@implementer(ICredentialsChecker)
class ScriptedChecker:
    """A checker whose answers the test gives."""

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815 # twisted.cred's name

    def __init__(self) -> None:
        """Begin unasked."""
        self._waiting: list[Deferred[Any]] = []

    def requestAvatarId(  # noqa: N802 # twisted.cred's name
        self, credentials: IUsernamePassword
    ) -> Deferred[Any]:
        """See ICredentialsChecker."""
        waiting: Deferred[Any] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def answer(self, answer: object) -> None:
        """Give the one outstanding answer."""
        (waiting,) = self._waiting
        self._waiting.clear()
        if isinstance(answer, Exception):
            waiting.errback(answer)
        else:
            waiting.callback(answer)
