"""The journal's files: where changes are written down before they are made.

They lie in the folder ``~journal`` beside what drivers keep, which has no path::

    ~journal/users    locked, shared, by each process that changes anything
    ~journal/turn     locked by the one whose turn it is to; holds the state
    ~journal/0, 1     the records of the even and of the odd generations

Who changes something waits for its turn, appends a record to the file of the present
generation, makes that durable, and makes the change; so records are in the order of the
changes, whichever process made them. From time to time a new generation begins in the
other file, the whole file system is synced, and then the records of the old one are
dropped: that is a checkpoint.

The state is not durable. It counts while some process has the journal open; the first
one after that makes again what the files say, which is a comparison with what is there
unless the machine crashed, and begins with empty ones.

Everything here blocks and fails with OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from operator import itemgetter
from threading import Lock
from typing import Final

from attrs import astuple, evolve, frozen

from txregistry.storage.disk import NO_ROOM, Disk, read_all
from txregistry.storage.file_systems import keeps_order, sync_file_system
from txregistry.storage.flocks import is_taken, take
from txregistry.storage.records import BLOCK, Entry, pack, unpack
from txregistry.storage.redoing import Outcome

FOLDER: Final = "~journal"

# A file is as long as this from the beginning, so that to append to it changes nothing
# but its content; only if a checkpoint takes long it becomes longer.
SIZE: Final = 8 * 1024 * 1024

_STATE: Final = struct.Struct("<QQQQQ")

# As many times as long a file may become, while no checkpoint works.
_LONGEST: Final = 16


class NoJournal(Exception):
    """There is none, and there cannot be one now.

    Attributes:
        lasts: Whether there will be none in a moment, either.
    """

    def __init__(self, problem: str, lasts: bool = False) -> None:
        """Say why."""
        super().__init__(problem)
        self.lasts = lasts


@frozen
class _State:
    """Where the journal stands.

    Attributes:
        generation: The present one.
        end: Where its next record is to be.
        old: The generation before it, which is not synced yet; 0: it is.
        begun: One more than where the record is whose changes are being made; 0: none
            are. If whoever made them died, the next one in turn goes on.
        failed: 1: what was made may not be on the disk though it looks so, because a
            sync has failed since; 0: it is as it looks.
    """

    generation: int
    end: int = 0
    old: int = 0
    begun: int = 0
    failed: int = 0


class JournalFiles:
    """The journal of a folder, as one process has it open. Any thread may call it."""

    def __init__(
        self,
        disk: Disk,
        size: int = SIZE,
        can_be: Callable[[str], bool] | None = None,
        sync: Callable[[int], None] | None = None,
    ) -> None:
        """Prepare; nothing is touched.

        Args:
            disk: The folder.
            size: How long a file is from the beginning, in bytes.
            can_be: Says whether a folder is where a journal can be; None:
                ``keeps_order``.
            sync: Makes durable what is on the file system of a descriptor; None:
                ``sync_file_system``.
        """
        self._can_be = can_be or keeps_order
        self._sync_all = sync or sync_file_system
        self._disk = disk
        self._size = size
        self._folder = f"{disk.root}/{FOLDER}"
        self._lock = Lock()
        self._users = -1
        self._turn = -1
        self._known: _State | None = None  # while it is our turn
        self._logs: dict[int, int] = {}

    def recover(self) -> int:
        """Make again what was made before a crash, if there is a journal.

        Returns:
            How many things had to be changed.
        """
        with self._lock:
            if not os.path.isdir(self._folder):
                return 0
            try:
                return self._open()
            finally:
                self._close()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have it for oneself, inside the ``with``.

        Raises:
            NoJournal: There is none, and it cannot be made.
            OSError: It cannot be used, or another process keeps it for itself.
        """
        with self._lock:
            self._require_open()
            take(self._turn, fcntl.LOCK_EX)
            try:
                self._known = self._state
                self._require_logs()
                self._go_on(self._known)
                yield
                if self._known.begun:
                    self._state = evolve(self._known, begun=0)
            finally:
                self._known = None
                fcntl.flock(self._turn, fcntl.LOCK_UN)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write down durably what is about to be made, in a turn."""
        state = self._state
        if state.end >= self._size and not state.old:
            state = evolve(
                state, generation=state.generation + 1, end=0, old=state.generation
            )
        if state.end >= self._size * _LONGEST:
            raise OSError(errno.ENOSPC, "the journal is full")
        record = pack(state.generation, state.end, entries)
        log = self._logs[state.generation % 2]
        try:
            _write_at(log, record, state.end)
            os.fdatasync(log)
        except OSError:
            with suppress(OSError):  # so that nobody makes again what was not made
                _write_at(log, bytes(BLOCK), state.end)
            raise
        # What was not written is written over; what is made from here on must not be.
        end = state.end + len(record)
        self._state = evolve(state, end=end, begun=state.end + 1)

    @property
    def are_open(self) -> bool:
        """Whether this process has them open."""
        return self._users >= 0

    def checkpoint(self, anyway: bool = False) -> bool:
        """Make durable what was made so far, and drop its records.

        Args:
            anyway: Also if this process has them not open: another one has made
                something for it.

        Returns:
            Whether nothing was made meanwhile; then the files are closed.

        Raises:
            OSError: It did not work, and what was made may not be there any more
                after a crash. The records are kept.
        """
        with self._lock:
            if self._users < 0 and not anyway:
                return True
        with self.turn():
            if self._state.failed:
                self._redo(self._users, anew=True)
            state = self._state
            if not state.old and state.end:
                state = _State(state.generation + 1, old=state.generation)
                self._state = state
            descriptor = os.dup(self._users)
        try:
            if state.old:
                self._sync(descriptor)
                self._drop(state.old)
        finally:
            os.close(descriptor)
        with self._lock:
            if self._users >= 0 and self._state == _State(state.generation):
                self._close()
                return True
            return False

    def close(self) -> None:
        """Close the files. What they hold is kept."""
        with self._lock:
            self._close()

    def _sync(self, descriptor: int) -> None:
        try:
            self._sync_all(descriptor)
        except OSError:
            # What could not be written counts as written for the system now.
            with self.turn():
                self._state = evolve(self._state, failed=1)
                self._redo(descriptor, anew=True)

    def _drop(self, generation: int) -> None:
        with self.turn():
            state = self._state
            if state.old == generation:
                self._empty(generation % 2)
                self._state = evolve(state, old=0)

    def _require_open(self) -> None:
        if self._users >= 0:
            with suppress(FileNotFoundError):
                here = os.stat(f"{self._folder}/turn")
                if os.path.samestat(here, os.fstat(self._turn)):
                    return
            # The folder is another one now, and what this one says is to be there.
            with suppress(OSError):
                self._sync_all(self._users)
            self._close()
        self._make()
        try:
            self._open()
        except BaseException:
            self._close()
            raise

    def _make(self) -> None:
        try:
            self._disk.make_directory(self._disk.root)
            if not self._can_be(self._disk.root):
                raise NoJournal("not on this file system", lasts=True)
            with suppress(FileExistsError):
                os.mkdir(self._folder)
        except OSError as error:
            raise NoJournal(str(error)) from error

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            self._users = os.open(f"{self._folder}/users", flags, 0o666)
            self._turn = os.open(f"{self._folder}/turn", flags, 0o666)
        except OSError as error:
            if error.errno in NO_ROOM:  # so nobody has it open
                raise NoJournal(str(error)) from error
            raise
        redone = 0
        if is_taken(self._users, fcntl.LOCK_EX):
            # Else others use it, and nothing was lost.
            redone = self._redo(self._users, self._has_failed())
        take(self._users, fcntl.LOCK_SH)
        return redone

    def _go_on(self, state: _State) -> None:
        """Make what somebody has written down who died before he made it."""
        if state.begun:
            log = self._logs[state.generation % 2]
            record = os.pread(log, state.end - state.begun + 1, state.begun - 1)
            _, entries = unpack(record, state.begun - 1)
            Outcome(entries).bring_about(self._disk)
            self._state = evolve(state, begun=0)

    def _has_failed(self) -> bool:
        content = os.pread(self._turn, _STATE.size, 0)
        return len(content) == _STATE.size and bool(_STATE.unpack(content)[-1])

    def _redo(self, descriptor: int, anew: bool = False) -> int:
        """Make again what the files say, durably; begin with empty ones."""
        found = [(*self._read(number), number) for number in (0, 1)]
        found.sort(key=itemgetter(0))
        entries = list(chain.from_iterable(entries for _, entries, _ in found))
        redone = 0
        if entries:
            try:
                redone = Outcome(entries).bring_about(self._disk, anew)
                self._sync_all(descriptor)
            except OSError:
                self._state = _State(1, failed=1) if not anew else self._state
                raise
            for _, _, number in found:  # never the newer one first
                self._empty(number)
        # Nothing that is left in the files can be taken for one of these generations.
        self._state = _State(int.from_bytes(os.urandom(7), "little") * 2 + 2)
        return redone

    def _read(self, number: int) -> tuple[int, list[Entry]]:
        try:
            descriptor = os.open(self._place(number), os.O_RDONLY)
        except FileNotFoundError:
            return 0, []
        try:
            if not any(os.pread(descriptor, BLOCK, 0)):
                return 0, []
            return unpack(read_all(descriptor, os.fstat(descriptor).st_size))
        finally:
            os.close(descriptor)

    def _empty(self, number: int) -> None:
        """Drop what a file holds, which may have become too long."""
        with suppress(FileNotFoundError), self._opened(number) as log:
            _write_at(log, bytes(BLOCK), 0)
            if os.fstat(log).st_size > self._size:
                os.ftruncate(log, self._size)
            os.fdatasync(log)

    def _require_logs(self) -> None:
        """Have both files open, and as long as they are to be.

        Raises:
            NoJournal: There is no room for one, and no process has a record: the first
                one is written when both are there.
        """
        for number in (0, 1):
            if number not in self._logs:
                try:
                    self._logs[number] = self._made(number)
                except OSError as error:
                    state = self._state
                    if error.errno in NO_ROOM and not (state.end or state.old):
                        raise NoJournal(str(error)) from error
                    raise

    def _made(self, number: int) -> int:
        with self._opened(number, os.O_CREAT) as log:
            if os.fstat(log).st_size < self._size:
                try:
                    _write_at(log, bytes(self._size), 0)
                    os.fsync(log)
                    self._disk.sync(self._folder)
                except OSError:
                    os.ftruncate(log, 0)
                    raise
            return os.dup(log)

    @contextmanager
    def _opened(self, number: int, flags: int = 0) -> Iterator[int]:
        flags |= os.O_RDWR | os.O_CLOEXEC
        log = os.open(self._place(number), flags, 0o666)
        try:
            yield log
        finally:
            os.close(log)

    def _place(self, number: int) -> str:
        return f"{self._folder}/{number}"

    @property
    def _state(self) -> _State:
        if self._known is not None:
            return self._known
        content = os.pread(self._turn, _STATE.size, 0)
        if len(content) != _STATE.size:
            raise OSError(errno.EIO, "somebody has changed the journal")
        return _State(*_STATE.unpack(content))

    @_state.setter
    def _state(self, state: _State) -> None:
        _write_at(self._turn, _STATE.pack(*astuple(state)), 0)
        if self._known is not None:
            self._known = state

    def _close(self) -> None:
        for descriptor in (self._users, self._turn, *self._logs.values()):
            if descriptor >= 0:
                os.close(descriptor)
        self._users = self._turn = -1
        self._logs.clear()


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    written = os.pwrite(descriptor, content, offset)
    while written < len(content):
        more = os.pwrite(descriptor, content[written:], offset + written)
        written += more
