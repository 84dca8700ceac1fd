"""Heralds: how a registry says what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.logger import Logger

if TYPE_CHECKING:
    from txregistry.workers.chief import Chief

_log = Logger()

_REACHED_AS_LOCALHOST: Final = ("127.0.0.1", "0.0.0.0", "::", "::1")


class Herald(Protocol):
    """Says what becomes of a registry."""

    def started(self, shown: Sequence[str], addresses: Sequence[Any]) -> None:
        """Say that it serves.

        Args:
            shown: Where, as people read it.
            addresses: Where, as Twisted has it.
        """

    def failed(self, error: Exception) -> None:
        """Say that it cannot begin, and why."""

    def note(self, text: str) -> None:
        """Say what it does next."""


class LogHerald:
    """Says it to the log. See Herald."""

    def __init__(
        self, greeting: str, facts: Mapping[str, object] | None = None
    ) -> None:
        """Prepare.

        Args:
            greeting: What is logged when clients can come; ``{address}`` is where to,
                and ``facts`` are in it by their names.
            facts: What there is to know about the registry, for the log.
        """
        self._greeting = greeting
        self._facts = facts or {}

    def started(self, shown: Sequence[str], addresses: Sequence[Any]) -> None:
        """See Herald."""
        _log.info(self._greeting, address=", ".join(shown), **self._facts)
        for address in addresses:
            if getattr(address, "host", None) in _REACHED_AS_LOCALHOST:
                port = address.port
                _log.info("push to it: docker push localhost:{port}/NAME", port=port)
                break

    def failed(self, error: Exception) -> None:
        """See Herald."""
        _log.error("cannot start: {error}", error=error)

    def note(self, text: str) -> None:
        """See Herald."""
        _log.info(text)


class WorkerHerald:
    """Says it to the process that minds us, which tells all of it once. See Herald."""

    def __init__(self, chief: Chief) -> None:
        """Take that process."""
        self._chief = chief

    def started(self, shown: Sequence[str], addresses: Sequence[Any]) -> None:
        """See Herald."""
        self._chief.report_ready()

    def failed(self, error: Exception) -> None:
        """See Herald."""
        self._chief.report_failure(str(error))

    def note(self, text: str) -> None:
        """See Herald."""
        _log.debug(text)
