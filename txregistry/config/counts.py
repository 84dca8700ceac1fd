"""Counts: how many of something there are to be, or as many as fit the machine."""

from __future__ import annotations

import os
import re
from typing import Final

from attrs import frozen

_MOST: Final = 1024
_NUMBER: Final = re.compile("[1-9][0-9]{0,3}")


@frozen
class WorkerCount:
    """How many processes serve.

    Attributes:
        given: So many; None: one for each processor that we may use.
    """

    given: int | None = 1

    @classmethod
    def parse(cls, text: str) -> WorkerCount:
        """Read a number, or ``auto``.

        Raises:
            ValueError: It is neither, or far too many.
        """
        if text == "auto":
            return cls(None)
        if _NUMBER.fullmatch(text) is None or int(text) > _MOST:
            raise ValueError(f'must be a number from 1 to {_MOST}, or "auto"')
        return cls(int(text))

    @property
    def number(self) -> int:
        """How many that is on this machine."""
        return self.given or len(os.sched_getaffinity(0))

    @property
    def plain(self) -> int | str:
        """What is to be written for it in a configuration."""
        return self.given or "auto"
