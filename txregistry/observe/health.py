"""Health: whether the registry can do its work, and where that is to be seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.observe.checks import Check
from txregistry.observe.debug import Content, Page
from txregistry.observe.polling import Poller, Schedule

_log = Logger()


@frozen
class ScheduledCheck:
    """A check that is to be made again and again.

    Attributes:
        check: The check.
        schedule: When it is made.
    """

    check: Check
    schedule: Schedule


class Stage(Enum):
    """How far the registry is; the value says what keeps it from being ready."""

    STARTING = "starting: the store is not open yet"
    SERVING = ""
    DRAINING = "draining: no further requests are wanted"


class Health:
    """What the checks have found.

    Attributes:
        stage: How far the registry is.
        changed: Is called when other checks fail than before.
    """

    def __init__(self, checks: Sequence[ScheduledCheck], clock: IReactorTime) -> None:
        """Take the checks, whose names differ, and what gives time."""
        self.stage = Stage.STARTING
        self.changed: Callable[[], object] = lambda: None
        self._failures: dict[str, str] = {}
        self._pollers = [
            Poller(each.check, each.schedule, clock, self._hear) for each in checks
        ]

    @property
    def failures(self) -> Mapping[str, str]:
        """The names of the checks that fail, and why they do."""
        return dict(sorted(self._failures.items()))

    def is_failing(self) -> bool:
        """Say whether a check fails. Fast, for every request asks."""
        return bool(self._failures)

    def start(self) -> None:
        """Note that the store is open, and begin to check; not after ``stop``."""
        if self.stage is Stage.DRAINING:
            return
        self.stage = Stage.SERVING
        for poller in self._pollers:
            poller.start()

    def stop(self) -> None:
        """Note that the registry drains, and check no more; what fails stays so."""
        self.stage = Stage.DRAINING
        for poller in self._pollers:
            poller.stop()

    def take(self, failures: Mapping[str, str]) -> None:
        """Believe what another process has found."""
        self._failures = dict(failures)

    def _hear(self, name: str, reason: str | None) -> None:
        before = self._failures.keys() | set()
        self._note(name, reason)
        if before != self._failures.keys():
            self.changed()

    def _note(self, name: str, reason: str | None) -> None:
        if reason is not None:
            if name not in self._failures:
                _log.error(
                    "health check {name} fails: {reason}", name=name, reason=reason
                )
            self._failures[name] = reason
        elif self._failures.pop(name, None) is not None:
            _log.info("health check {name} is good again", name=name)


class HealthPages:
    """The pages for load balancers and supervisors. See Pages."""

    def __init__(
        self, health: Health, problems: Callable[[], list[str]] = list
    ) -> None:
        """Take what they show, and what returns what else keeps it from serving."""
        self._health = health
        self._problems = problems

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        return [
            Page("/debug/health", lambda _: self._report(), "checks that fail, JSON"),
            Page("/livez", lambda _: Content(b"ok\n"), "200: it is alive"),
            Page("/readyz", lambda _: self._readiness(), "200: it can serve"),
        ]

    def _report(self) -> Content:
        failures = self._health.failures
        body = json.dumps(failures, separators=(",", ":")).encode()
        return Content(body, "application/json", 503 if failures else 200)

    def _readiness(self) -> Content:
        failures = self._health.failures.items()
        lines = [f"{name}: {reason}" for name, reason in failures]
        if self._health.stage is not Stage.SERVING:
            lines.insert(0, self._health.stage.value)
        lines += self._problems()
        if not lines:
            return Content(b"ok\n")
        return Content("".join(f"{line}\n" for line in lines).encode(), status=503)
