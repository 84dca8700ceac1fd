"""Lean: a connection of Twisted's without what can be made when somebody asks for it.

With each connection Twisted keeps two strings for logs and its socket's ``fileno``
method, which together take a tenth of what an idle one does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Spared:
    """An attribute that is made from others whenever it is asked for.

    What it is set to is let go, so that Twisted's constructors may do that.
    """

    def __init__(self, make: Callable[[Any], Any]) -> None:
        """Take what makes it from the object that has it."""
        self._make = make

    def __get__(self, its: Any, kind: type | None = None) -> Any:
        """Make it; the class itself has none."""
        return self if its is None else self._make(its)

    def __set__(self, its: Any, value: Any) -> None:
        """Let that go."""

    def __delete__(self, its: Any) -> None:
        """Do nothing: there is none."""


def _log_prefix(its: Any) -> str:
    return f"{_name(its)},{its.sessionno},{its.hostname}"


def _shown(its: Any) -> str:
    port = getattr(its.server, "_realPortNumber", None)
    return f"<{_name(its)} #{its.sessionno} on {port}>"


def _name(its: Any) -> str:
    """Return what its protocol is called; it has none any more when it is lost."""
    protocol = getattr(its, "protocol", None)
    return type(its if protocol is None else protocol).__name__


def _fileno(its: Any) -> Callable[[], int]:
    """Return what tells its descriptor: -1, when it is lost."""
    socket = getattr(its, "socket", None)
    return _none if socket is None else socket.fileno


def _none() -> int:
    return -1


class LeanMixin:
    """Goes before a connection of Twisted's."""

    logstr = Spared(_log_prefix)
    repstr = Spared(_shown)
    fileno = Spared(_fileno)
