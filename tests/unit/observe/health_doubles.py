"""Doubles: checks that find what a test says."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from txregistry.observe.checks import CheckFailed
from txregistry.threads import to_the_end


class Asked:
    """A check whose answers a test gives.

    Attributes:
        name: What it is called.
        calls: How often it was made.
        reason: Why it fails; None: it does not.
        error: What else it fails with; None: nothing.
        waiting: What it waits for; None: it answers at once.
        is_stubborn: Whether it goes on when it is given up, as work in a thread does.
    """

    def __init__(self, name: str = "store", reason: str | None = None) -> None:
        """Take its name, and why it fails."""
        self.name = name
        self.calls = 0
        self.reason = reason
        self.error: Exception | None = None
        self.waiting: Deferred[None] | None = None
        self.is_stubborn = False

    async def run(self) -> None:
        """See Check."""
        self.calls += 1
        if self.waiting is not None:
            await (to_the_end(self.waiting) if self.is_stubborn else self.waiting)
        if self.error is not None:
            raise self.error
        if self.reason is not None:
            raise CheckFailed(self.reason)
