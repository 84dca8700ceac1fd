"""Rounds: one fsync of a folder for all who ask for it at the same time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from attrs import define, field


@define(eq=False)
class _Round:
    """One sync, and who waits for it.

    Attributes:
        done: Whether it was made.
        error: What it failed with; None: it did not, or is not made yet.
    """

    done: bool = False
    error: BaseException | None = None


@define(eq=False)
class _Folder:
    """A folder that somebody wants synced.

    Attributes:
        turn: Held while it is synced.
        next: The round that has not begun: it is good for all who ask before it does.
        users: How many want it.
    """

    turn: Lock = field(factory=Lock)
    next: _Round = field(factory=_Round)
    users: int = 0


class Rounds:
    """Syncs folders. Any thread may call it.

    Who asks while a sync of the same folder runs may have changed it since that began.
    So it waits for the next one, with all others who came meanwhile.
    """

    def __init__(self, sync: Callable[[str], None]) -> None:
        """Take what makes the names in a folder durable; it may fail with OSError."""
        self._sync = sync
        self._lock = Lock()
        self._folders: dict[str, _Folder] = {}

    def sync(self, directory: str) -> None:
        """Make the names durable that are in a folder now.

        Raises:
            OSError: It did not work.
        """
        with self._lock:
            folder = self._folders.setdefault(directory, _Folder())
            folder.users += 1
            round_ = folder.next
        try:
            with folder.turn:
                if not round_.done:
                    self._run(folder, round_, directory)
        finally:
            with self._lock:
                folder.users -= 1
                if not folder.users:
                    del self._folders[directory]
        if round_.error is not None:
            raise round_.error

    def _run(self, folder: _Folder, round_: _Round, directory: str) -> None:
        with self._lock:
            folder.next = _Round()
        try:
            self._sync(directory)
        except BaseException as error:  # nobody may take it for made
            round_.error = error
        finally:
            round_.done = True
