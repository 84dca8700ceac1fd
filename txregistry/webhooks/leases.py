"""Leases: of all processes on one ledger, one delivers to an endpoint."""

from __future__ import annotations

import fcntl
import os
from hashlib import sha256
from typing import Protocol


class Lease(Protocol):
    """The right to deliver."""

    def acquire(self) -> bool:
        """Take it, or keep it; say whether that could be done. Never waits."""

    def release(self) -> None:
        """Give it back, if it is held."""


class OwnLease:
    """For a ledger that no other process has."""

    def acquire(self) -> bool:
        """See Lease."""
        return True

    def release(self) -> None:
        """See Lease."""


class FileLease:
    """A locked file: when its process ends, however that is, the system unlocks it."""

    def __init__(self, ledger: str, endpoint: str) -> None:
        """Name it.

        Args:
            ledger: The ledger's path; the file lies beside it.
            endpoint: The endpoint's name.
        """
        name = sha256(endpoint.encode()).hexdigest()[:16]
        self._path = f"{ledger}-{name}.lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """See Lease."""
        if self._descriptor is not None:
            return True
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """See Lease."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
