"""Assignment: what a worker has to know before it can begin."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from attrs import asdict, field, frozen

COMMANDS: Final = 0
"""A worker's descriptor for what it is told; its end is the end of who tells it."""

REPORTS: Final = 3
"""A worker's descriptor for what it tells."""

ASSIGNMENT: Final = 4
"""A worker's descriptor for its assignment, the same file for all of them."""

FIRST_SOCKET: Final = 5
"""The first of a worker's descriptors for the sockets that it takes clients from."""


@frozen
class Assignment:
    """What is the same for all workers, and as it was when the registry began.

    Attributes:
        name: The name of the configuration.
        text: The configuration; its file may be another one by now.
        folder: The folder from which relative paths lead.
        reactor: The module of the reactor.
        logs_itself: Whether it logs; if not, the process that minds it does.
        log_file: The file for the application log; empty: the standard error.
        logs_access: Whether the access log goes to the standard output, and not where
            the application log goes.
        sockets: The descriptors of the sockets, by the key that says where they are.
        files: The descriptors of log files that are open, by their paths.
        counts: Whether each counts under its number, in a folder that is theirs alone.
    """

    name: str
    text: str
    folder: str
    reactor: str
    logs_itself: bool = True
    log_file: str = ""
    logs_access: bool = True
    sockets: Mapping[str, int] = field(factory=dict)
    files: Mapping[str, int] = field(factory=dict)
    counts: bool = False

    def write(self) -> int:
        """Put it into a file that nobody else can see; return its descriptor."""
        descriptor = os.memfd_create("assignment")
        data = json.dumps(asdict(self)).encode("ascii")
        while data:
            data = data[os.write(descriptor, data) :]
        return descriptor

    @classmethod
    def read(cls, descriptor: int) -> Assignment:
        """Read one from such a file, wherever others stand in it."""
        pieces: list[bytes] = []
        while piece := os.pread(descriptor, 1 << 16, sum(map(len, pieces))):
            pieces.append(piece)
        found: dict[str, Any] = json.loads(b"".join(pieces))
        return cls(**found)
