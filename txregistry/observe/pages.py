"""Pages: what the process is, how it is set up, and what it is doing."""

from __future__ import annotations

import json
import platform
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from txregistry.observe.debug import Content, Page

_LIBRARIES: Final = ("Twisted", "klein", "treq", "cryptography", "prometheus-client")
_JSON: Final = "application/json"


class ProcessPages:
    """Versions, settings, requests, the reactor and the stacks of all threads."""

    def __init__(
        self,
        version: str,
        settings: Callable[[], Mapping[str, Any]],
        requests: Callable[[], Sequence[Mapping[str, Any]]],
        reactor: Any,
    ) -> None:
        """Prepare.

        Args:
            version: The registry's.
            settings: Returns the settings that count, with secrets masked.
            requests: Returns what is known of the requests that run.
            reactor: Gives time and threads.
        """
        self._version = version
        self._settings = settings
        self._requests = requests
        self._reactor = reactor

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        return [
            Page("/debug/versions", self._show_versions, "versions"),
            Page("/debug/settings", self._show_settings, "settings, secrets masked"),
            Page("/debug/requests", self._show_requests, "requests that run now"),
            Page("/debug/reactor", self._show_reactor, "reactor and threads"),
            Page("/debug/stacks", self._show_stacks, "what each thread is doing"),
        ]

    def _show_versions(self, _parameters: dict[str, str]) -> Content:
        found = {"txregistry": self._version, "Python": platform.python_version()}
        for library in _LIBRARIES:
            try:
                found[library] = version(library)
            except PackageNotFoundError:  # as in a bundle without metadata
                found[library] = "unknown"
        return _json(found)

    def _show_settings(self, _parameters: dict[str, str]) -> Content:
        return _json(self._settings())

    def _show_requests(self, _parameters: dict[str, str]) -> Content:
        return _json(self._requests())

    def _show_reactor(self, _parameters: dict[str, str]) -> Content:
        reactor, pool = self._reactor, self._reactor.getThreadPool()
        calls = reactor.getDelayedCalls()
        return _json(
            {
                "reactor": type(reactor).__name__,
                "delayed_calls": len(calls),
                "readers": len(reactor.getReaders()),
                "writers": len(reactor.getWriters()),
                "threads": {
                    "most": pool.max,
                    "working": len(pool.working),
                    "idle": len(pool.waiters),
                },
            }
        )

    def _show_stacks(self, _parameters: dict[str, str]) -> Content:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        lines: list[str] = []
        for number, frame in sys._current_frames().items():
            lines.append(f"{names.get(number, '?')} ({number})\n")
            lines += traceback.format_stack(frame)
            lines.append("\n")
        return Content("".join(lines).encode())


def _json(value: object) -> Content:
    return Content(json.dumps(value, indent=2).encode() + b"\n", _JSON)
