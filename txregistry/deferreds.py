"""Deferreds: the seams between coroutines inside and Deferreds at interfaces.

A leaf: imports Twisted only, and anything may import it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

_P = ParamSpec("_P")
_T = TypeVar("_T")


def deferred(
    function: Callable[_P, Coroutine[Deferred[Any], Any, _T]],
) -> Callable[_P, Deferred[_T]]:
    """Make a coroutine function return a Deferred, as interfaces promise.

    Args:
        function: A coroutine function.

    Returns:
        A function that starts the coroutine at once and returns a Deferred with its
        result. Cancelling the Deferred cancels what the coroutine is waiting for.
    """

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return Deferred.fromCoroutine(function(*args, **kwargs))

    return wrapper


def shielded(running: Deferred[_T]) -> Deferred[_T]:
    """Let a caller wait for work that must not end halfway.

    Args:
        running: The work. It goes on to its end whatever happens to the caller.

    Returns:
        A Deferred with the result of ``running``. Cancelling it fails it with
        ``CancelledError`` at once, and ``running`` goes on; a failure of ``running``
        after that is dropped, because nobody waits for it any more.
    """
    waiting: Deferred[_T] = Deferred()

    def finish(result: _T | Failure) -> None:
        if not waiting.called:
            waiting.callback(result)

    running.addBoth(finish)
    return waiting
