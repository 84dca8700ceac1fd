"""Pulse: whether a worker's process takes what it is told."""

from __future__ import annotations

from typing import Final

from attrs import define

# For so many messages that a process has not taken one may still wait.
_FULL: Final = 100


@define
class Pulse:
    """How far a worker's process is with what it was told.

    Counts looks, and no seconds: the clock may be set, and while the machine sleeps
    nobody can answer.

    Attributes:
        sent: How many messages it was sent.
        taken: How many of them it says that it has taken.
        looks: How often it was looked at since it last said so.
        is_behind: Whether it has not been told how things are by now.
        is_lost: Whether it is to be killed.
    """

    sent: int = 0
    taken: int = 0
    looks: int = 0
    is_behind: bool = False
    is_lost: bool = False

    @property
    def is_full(self) -> bool:
        """Whether so much waits for it that nobody should ask it for more."""
        return self.sent - self.taken >= _FULL

    def note_taken(self, count: int) -> None:
        """Note what it says."""
        self.taken, self.looks = count, 0
