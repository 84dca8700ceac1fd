"""Polling: the reactor's loop over its sockets, without a log context for each.

Twisted runs each event within a context that says whose it is, for log lines that are
made in the old way. We make none, and it is a tenth of what a small request costs. What
is most of all, something to be read and nothing else, is done right here.
A leaf: imports Twisted only.
"""

from __future__ import annotations

from itertools import count
from select import EPOLLIN
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.logger import Logger

_log = Logger()


class Round:
    """What a reactor has found ready at one time.

    Whatever is read of a socket that was, its first byte had come when the round began.
    So a question that is answered in a round is answered for all who ask it there.

    Attributes:
        number: That of the round that is being worked on; 0: none is.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        """Begin with none."""
        self.number = 0


def poll_directly(reactor: Any, round_: Round | None = None) -> bool:
    """Have a reactor call what waits for its sockets without a context around.

    Args:
        reactor: Any; those that are not Twisted's own for epoll stay as they are.
        round_: Is to say which round it is; None: nobody wants to know.

    Returns:
        Whether it does now.
    """
    if type(reactor) is not EPollReactor:
        return False
    poll, selectables = reactor._poller.poll, reactor._selectables
    read_or_write: Any = reactor._doReadOrWrite
    disconnect: Any = reactor._disconnectSelectable
    numbers, current = count(1), round_ or Round()

    def read(selectable: Any) -> None:
        try:
            problem = selectable.doRead()
        except BaseException as error:  # whatever it is, as Twisted does
            _log.failure("{selectable} failed", selectable=selectable)
            problem = error
        if problem:
            disconnect(selectable, problem, True)

    def iterate(timeout: float | None) -> None:
        try:
            events = poll(-1 if timeout is None else timeout, len(selectables))
        except InterruptedError:
            return
        current.number = next(numbers)
        for descriptor, event in events:
            selectable = selectables.get(descriptor)
            if selectable is None:
                continue  # an earlier event has ended it
            try:
                if event == EPOLLIN:
                    read(selectable)
                else:
                    read_or_write(selectable, descriptor, event)
            except Exception:
                _log.failure("{selectable} failed", selectable=selectable)
        current.number = 0

    reactor.doIteration = iterate  # type: ignore[method-assign]  # that is the purpose
    return True
