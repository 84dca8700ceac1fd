"""Syncs: files and folders made durable, several at a time.

To the kernel an fsync is a commit of the file system's journal, most of which is
waiting. So those that may be made at the same time are handed over together, by Linux's
AIO (``io_submit(2)``, since 4.18), share a commit with one another and with those of
other requests, and no thread waits for them: an eventfd tells the reactor. Where there
is no AIO, a thread makes them one by one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.storage.disk import CANNOT_SYNC, Disk
from txregistry.threads import InThread

# So many may run at a time; more than that go to threads.
MOST: Final = 512

# io_setup, io_submit and io_getevents, of each machine that is known.
_CALLS: Final = {"x86_64": (206, 209, 208), "aarch64": (0, 2, 4)}

_FSYNC: Final = 2  # IOCB_CMD_FSYNC
_BY_EVENTFD: Final = 1  # IOCB_FLAG_RESFD


class Syncs(Protocol):
    """Makes files and folders durable."""

    def __call__(
        self, files: Sequence[int], folders: Sequence[str], /
    ) -> Deferred[None]:
        """Begin.

        Args:
            files: Descriptors of open files, which stay open until it has ended.
            folders: Those whose names are to be durable; one that is gone has none.

        Returns:
            Fires when all of it has been tried; fails with OSError if any did not
            work. Never cancelled.
        """


class ThreadSyncs:
    """Syncs that a thread makes one by one. See Syncs."""

    def __init__(self, disk: Disk, in_thread: InThread) -> None:
        """Take what makes them, and threads."""
        self._disk = disk
        self._in_thread = in_thread

    def __call__(
        self, files: Sequence[int], folders: Sequence[str], /
    ) -> Deferred[None]:
        """See Syncs."""
        return self._in_thread(partial(self._sync, files, folders))

    def _sync(self, files: Sequence[int], folders: Sequence[str]) -> None:
        for descriptor in files:
            self._disk.sync_file(descriptor)
        for folder in folders:
            self._disk.sync_directory(folder)


class _Control(ctypes.Structure):
    """``struct iocb``."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("rw_flags", ctypes.c_int32),
        ("opcode", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("descriptor", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("eventfd", ctypes.c_uint32),
    )


class _Event(ctypes.Structure):
    """``struct io_event``."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("control", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("result2", ctypes.c_int64),
    )


class Ring:
    """The kernel's AIO context, as far as it is about fsync.

    Attributes:
        eventfd: Readable when some have ended.
    """

    def __init__(self) -> None:
        """Make it.

        Raises:
            OSError: There is none to be had.
        """
        machine = platform.machine()
        if sys.platform != "linux" or machine not in _CALLS:
            raise OSError(errno.ENOSYS, "no AIO is known here")
        setup, self._submit, self._get_events = _CALLS[machine]
        # PyDLL keeps the interpreter's lock: none of these calls waits.
        self._call = ctypes.PyDLL(None, use_errno=True).syscall
        self._call.restype = ctypes.c_long
        self._context = ctypes.c_ulong(0)
        self._events = (_Event * MOST)()
        self._checked(setup, ctypes.c_long(MOST), ctypes.byref(self._context))
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def submit(self, descriptor: int, token: int) -> None:
        """Begin an fsync.

        Args:
            descriptor: An open file or folder, which may be closed afterwards.
            token: What ``ended`` says of it.

        Raises:
            OSError: It has not begun.
        """
        control = _Control(
            data=token,
            opcode=_FSYNC,
            descriptor=descriptor,
            flags=_BY_EVENTFD,
            eventfd=self.eventfd,
        )
        controls = (ctypes.c_void_p * 1)(ctypes.addressof(control))
        self._checked(self._submit, self._context, ctypes.c_long(1), controls)

    def ended(self) -> list[tuple[int, int]]:
        """Return the tokens of those that have ended, each with an errno, or 0."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.eventfd)
        least, most = ctypes.c_long(0), ctypes.c_long(MOST)
        call = self._get_events
        number = self._checked(call, self._context, least, most, self._events, None)
        events: Any = self._events
        return [(each.data, -each.result) for each in events[:number]]

    def _checked(self, number: int, *arguments: object) -> int:
        result = int(self._call(ctypes.c_long(number), *arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result


@define(eq=False)
class _Job:
    """What was asked for at a time.

    Attributes:
        ended: Fires at its end.
        left: How many have not ended.
        error: What the first one failed with that did.
    """

    ended: Deferred[None]
    left: int = 0
    error: OSError | None = None

    def note(self, code: int) -> None:
        """Note that one has ended, with an errno, or 0."""
        self.left -= 1
        if code and self.error is None:
            self.error = OSError(code, os.strerror(code))


@implementer(IReadDescriptor)
class KernelSyncs:
    """Syncs that the kernel makes together. See Syncs.

    It listens to the reactor while any run. Those that the kernel does not take are
    made otherwise.
    """

    def __init__(self, reactor: Any, otherwise: Syncs) -> None:
        """Take what tells of descriptors, and how else it is done."""
        self._reactor = reactor
        self._otherwise = otherwise
        self._ring: Ring | None = None
        self._is_none = False
        self._running: dict[int, tuple[_Job, bool]] = {}
        self._last = 0

    def __call__(
        self, files: Sequence[int], folders: Sequence[str], /
    ) -> Deferred[None]:
        """See Syncs."""
        ring = self._open()
        if ring is None or len(self._running) + len(files) + len(folders) > MOST:
            return self._otherwise(files, folders)
        were_none = not self._running
        job = _Job(Deferred())
        for descriptor in files:
            self._submit(ring, job, descriptor, False)
        for folder in folders:
            self._submit_folder(ring, job, folder)
        if job.left == 0:
            _end(job)
        elif were_none:
            self._reactor.addReader(self)
        return job.ended

    def doRead(self) -> None:
        """See IReadDescriptor."""
        assert self._ring is not None
        jobs = []
        for token, code in self._ring.ended():
            job, is_folder = self._running.pop(token)
            job.note(0 if is_folder and code in CANNOT_SYNC else code)
            if job.left == 0:
                jobs.append(job)
        if not self._running:
            self._reactor.removeReader(self)
        for job in jobs:
            _end(job)

    def fileno(self) -> int:
        """See IFileDescriptor."""
        return -1 if self._ring is None else self._ring.eventfd

    def connectionLost(self, reason: Failure) -> None:
        """See IFileDescriptor."""

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's
        """See ILoggingContext."""
        return "syncs"

    def _open(self) -> Ring | None:
        if self._ring is None and not self._is_none:
            try:
                self._ring = Ring()
            except OSError:
                self._is_none = True
        return self._ring

    def _submit_folder(self, ring: Ring, job: _Job, folder: str) -> None:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return
        except OSError as error:
            job.error = job.error or error
            return
        try:
            self._submit(ring, job, descriptor, True)
        finally:
            os.close(descriptor)

    def _submit(self, ring: Ring, job: _Job, descriptor: int, is_folder: bool) -> None:
        self._last += 1
        try:
            ring.submit(descriptor, self._last)
        except OSError as error:
            if not (is_folder and error.errno in CANNOT_SYNC):
                job.error = job.error or error
            return
        self._running[self._last] = job, is_folder
        job.left += 1


def syncs_of(reactor: Any, otherwise: Syncs) -> Syncs:
    """Return syncs for a reactor: by the kernel if it is one that waits for files.

    Args:
        reactor: Any, also one of a test.
        otherwise: How else it is done.
    """
    if isinstance(reactor, PosixReactorBase):
        return KernelSyncs(reactor, otherwise)
    return otherwise


def _end(job: _Job) -> None:
    if job.error is None:
        job.ended.callback(None)
    else:
        job.ended.errback(job.error)
