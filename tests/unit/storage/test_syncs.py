"""Syncs: files and folders made durable, several at a time."""

from __future__ import annotations

import errno
import os
import select
from typing import Any

from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock

from tests.unit.storage.disks import WatchedDisk
from tests.unit.storage.test_disk import DiskCase
from txregistry.storage import syncs
from txregistry.storage.disk import Disk
from txregistry.storage.syncs import KernelSyncs, Ring, ThreadSyncs, syncs_of


class OneReader:
    """As much of a reactor as waits for one descriptor.

    Attributes:
        readers: Who waits.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self.readers: list[Any] = []

    def addReader(self, reader: object) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.readers.append(reader)

    def removeReader(self, reader: object) -> None:  # noqa: N802 - Twisted's
        """See IReactorFDSet."""
        self.readers.remove(reader)

    def run(self) -> None:
        """Wait until nobody waits any more, at the most some seconds each time."""
        while self.readers:
            reader = self.readers[0]
            if not select.select([reader], [], [], 30)[0]:
                raise AssertionError("nothing happens")
            reader.doRead()


class FailingRing:
    """A ring whose syncs fail.

    Attributes:
        eventfd: Readable.
        at_once: Whether they fail as they are handed over.
        code: What with.
    """

    def __init__(self, code: int, at_once: bool) -> None:
        """Take how."""
        self.eventfd = os.eventfd(1)
        self.code = code
        self.at_once = at_once
        self._tokens: list[int] = []

    def submit(self, _descriptor: int, token: int) -> None:
        """Fail now, or later."""
        if self.at_once:
            raise OSError(self.code, os.strerror(self.code))
        self._tokens.append(token)

    def ended(self) -> list[tuple[int, int]]:
        """Fail."""
        tokens, self._tokens = self._tokens, []
        return [(token, self.code) for token in tokens]


def close(sync: KernelSyncs) -> None:
    """Give up what syncs have open, which a process has for as long as it lives."""
    if isinstance(sync._ring, Ring):
        os.close(sync._ring.eventfd)


class SyncsCase(DiskCase):
    """A file in a folder."""

    def setUp(self) -> None:
        """Make it."""
        super().setUp()
        Disk(self.root).put(f"{self.root}/a/b", b"content")
        self.folder = f"{self.root}/a"
        self.file = os.open(f"{self.folder}/b", os.O_RDONLY)
        self.addCleanup(os.close, self.file)
        self.reactor = OneReader()
        self.otherwise: list[tuple[object, object]] = []

    def kernel(self) -> KernelSyncs:
        """Return syncs by the kernel."""
        sync = KernelSyncs(self.reactor, self.note)
        self.addCleanup(close, sync)
        return sync

    def note(self, *what: object) -> Deferred[None]:
        """Take down what is to be synced otherwise."""
        self.otherwise.append((what[0], what[1]))
        return succeed(None)


class KernelTests(SyncsCase):
    """The kernel makes them."""

    def test_together(self) -> None:
        """What is given at a time has ended when all of it has."""
        sync = self.kernel()
        running = [
            sync((self.file, self.file), (self.folder, self.root)),
            sync((), (self.folder,)),
            sync((self.file,), ()),
        ]
        self.assertEqual([sync], self.reactor.readers)
        for each in running:
            self.assertNoResult(each)
        self.reactor.run()
        for each in running:
            self.assertIsNone(self.successResultOf(each))
        self.assertEqual([], self.otherwise)

    def test_again(self) -> None:
        """It listens whenever there is something to hear."""
        sync = self.kernel()
        for _ in range(3):
            running = sync((self.file,), (self.folder,))
            self.reactor.run()
            self.successResultOf(running)

    def test_nothing(self) -> None:
        """Nothing to do is done at once, and so are folders that are gone."""
        sync = self.kernel()
        for folders in ((), (f"{self.root}/gone",)):
            self.successResultOf(sync((), folders))
        self.assertEqual([], self.reactor.readers)

    def test_no_folder(self) -> None:
        """What is no folder fails, when the others have ended."""
        running = self.kernel()((self.file,), (f"{self.folder}/b",))
        self.assertNoResult(running)
        self.reactor.run()
        failure = self.failureResultOf(running, OSError)
        self.assertEqual(errno.ENOTDIR, failure.value.errno)

    def test_bad_descriptor(self) -> None:
        """What the kernel does not take fails."""
        running = self.kernel()((1_000_000,), ())
        failure = self.failureResultOf(running, OSError)
        self.assertEqual(errno.EBADF, failure.value.errno)

    def test_failures(self) -> None:
        """An error of a file is one; a folder that cannot be synced need not be."""
        for at_once in (False, True):
            for code, files, folders, fails in (
                (errno.EIO, (self.file,), (), True),
                (errno.EIO, (), (self.folder,), True),
                (errno.EINVAL, (self.file,), (), True),
                (errno.EINVAL, (), (self.folder,), False),
            ):
                sync = self.kernel()
                ring = FailingRing(code, at_once)
                self.addCleanup(os.close, ring.eventfd)
                sync._ring = ring  # type: ignore[assignment]
                running = sync(files, folders)
                self.reactor.run()
                if fails:
                    failure = self.failureResultOf(running, OSError)
                    self.assertEqual(code, failure.value.errno)
                else:
                    self.successResultOf(running)

    def test_too_many(self) -> None:
        """Of more than the kernel takes at a time the others are made otherwise."""
        self.patch(syncs, "MOST", 2)
        sync = self.kernel()
        first = sync((self.file, self.file), ())
        self.successResultOf(sync((self.file,), (self.folder,)))
        self.assertEqual([((self.file,), (self.folder,))], self.otherwise)
        self.reactor.run()
        self.successResultOf(first)

    def test_no_ring(self) -> None:
        """Where the kernel has no AIO, all are made otherwise."""
        self.patch(syncs, "_CALLS", {})
        self.assertRaises(OSError, Ring)
        sync = self.kernel()
        self.successResultOf(sync((self.file,), ()))
        self.successResultOf(sync((), (self.folder,)))
        self.assertEqual(2, len(self.otherwise))
        self.assertEqual(-1, sync.fileno())

    def test_refused(self) -> None:
        """So they are where the kernel does not let us have it."""
        self.patch(syncs, "MOST", 1 << 20)  # more than the system has
        self.successResultOf(self.kernel()((self.file,), ()))
        self.assertEqual(1, len(self.otherwise))


class ThreadTests(SyncsCase):
    """A thread makes them."""

    def test_in_order(self) -> None:
        """One by one, files first."""
        disk = WatchedDisk(self.root)
        sync = ThreadSyncs(disk, execute)
        self.successResultOf(sync((self.file,), (self.folder, self.root)))
        expected = ["sync file /a/b", "sync names /a", "sync names /"]
        self.assertEqual(expected, disk.steps)

    def test_choice(self) -> None:
        """The kernel makes them only for a reactor that waits for descriptors."""
        sync = ThreadSyncs(Disk(self.root), execute)
        self.assertIs(sync, syncs_of(Clock(), sync))
        reactor = EPollReactor.__new__(EPollReactor)
        self.assertIsInstance(syncs_of(reactor, sync), KernelSyncs)
