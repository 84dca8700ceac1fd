"""What the clerk's process makes of what it is told."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import AbstractContextManager

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage.disks import SharedDisk, open_below, remove
from tests.unit.storage.places import new_place
from txregistry.storage.clerk_process import (
    MOST,
    READY,
    Unheard,
    answered,
    ask,
    serve,
)
from txregistry.storage.disk import Disk
from txregistry.storage.journal_files import FOLDER, JournalFiles, NoJournal
from txregistry.storage.records import BLOCK, Written, unpack
from txregistry.storage.works import CannotWrite, Outcomes

SIZE = 8 * BLOCK


class ServeTests(SynchronousTestCase):
    """What it says, and what is there then."""

    def setUp(self) -> None:
        """Have a folder, and both ends of its socket."""
        self.root = new_place(self)
        self.possible = True
        self.disk = Disk(self.root)
        kind = socket.SOCK_SEQPACKET
        self.ours, self.its = socket.socketpair(socket.AF_UNIX, kind)
        self.addCleanup(self.ours.close)
        self.addCleanup(self.its.close)

    def serve(self, *messages: bytes) -> list[Outcomes]:
        """Let it answer messages until there are none; return the answers."""
        for message in messages:
            self.ours.send(message)
        self.ours.shutdown(socket.SHUT_WR)
        files = JournalFiles(self.disk, SIZE, lambda _: self.possible, lambda _: None)
        serve(self.its, files, self.disk)
        self.assertEqual([], open_below(self.root))
        self.its.close()
        self.assertEqual(READY, self.ours.recv(MOST))
        answers = []
        while message := self.ours.recv(MOST):
            answers.append(answered(message))
        return answers

    def content(self, path: str) -> bytes:
        """Return what a file holds."""
        with open(self.root + path, "rb") as file:
            return file.read()

    def test_files(self) -> None:
        """Files are made, and were written down before."""
        first = [Written("/a/data", b"1"), Written("/a/link", b"2")]
        messages = ask([first, [Written("/b", b"3")]]), ask([[Written("/b", b"4")]])
        self.assertEqual([[None, None], [None]], self.serve(*messages))
        found = [self.content(path) for path in ("/a/data", "/a/link", "/b")]
        self.assertEqual([b"1", b"2", b"4"], found)
        _, entries = unpack(self.content(f"/{FOLDER}/0"))
        self.assertEqual([*first, Written("/b", b"3"), Written("/b", b"4")], entries)
        self.assertEqual(["data", "link"], sorted(os.listdir(f"{self.root}/a")))

    def test_rest(self) -> None:
        """Without files it only closes the journal."""
        answers = self.serve(ask([]), ask([[Written("/b", b"")]]), ask([]))
        self.assertEqual([[None]], answers)

    def test_in_the_way(self) -> None:
        """What cannot be made is named, and hinders nothing else."""
        os.makedirs(f"{self.root}/a/b")
        with open(f"{self.root}/file", "wb"):
            pass
        works = [
            [Written("/before", b""), Written("/a/b", b"")],
            [Written("/x", b""), Written("/file/below", b"")],
            [Written("/good", b"1")],
        ]
        ((in_the_way, below, good),) = self.serve(ask(works))
        self.assertIsNone(good)
        self.assertEqual(b"1", self.content("/good"))
        for failed, path, code in (
            (in_the_way, "/a/b", errno.EISDIR),
            (below, "/file/below", errno.ENOTDIR),
        ):
            assert isinstance(failed, CannotWrite)
            self.assertEqual((path, code), (failed.path, failed.error.errno))
        # What cannot even be prepared is not made at all, and leaves nothing.
        expected = ["a", "before", "file", "good", FOLDER]
        self.assertEqual(expected, sorted(os.listdir(self.root)))
        self.assertEqual(["b"], os.listdir(f"{self.root}/a"))

    def test_removed_meanwhile(self) -> None:
        """A folder that somebody removes at the last moment is made again."""
        self.disk = SharedDisk(self.root, remove(f"{self.root}/a"), 1)
        self.assertEqual([[None]], self.serve(ask([[Written("/a/b", b"1")]])))
        self.assertEqual(b"1", self.content("/a/b"))

    def test_no_journal(self) -> None:
        """Where there can be no journal it says so, and makes nothing."""
        self.possible = False
        ((failed,),) = self.serve(ask([[Written("/a", b"")]]))
        assert isinstance(failed, NoJournal)
        self.assertTrue(failed.lasts)
        self.assertEqual([], os.listdir(self.root))

    def test_cannot_write_down(self) -> None:
        """What cannot be written down is not made."""

        def fdatasync(_descriptor: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        self.patch(os, "fdatasync", fdatasync)
        works = [[Written("/a", b"")], [Written("/b", b"")]]
        ((first, second),) = self.serve(ask(works))
        for failed in (first, second):
            assert isinstance(failed, OSError)
            self.assertEqual(errno.EIO, failed.errno)
        self.assertEqual([FOLDER], os.listdir(self.root))

    def test_nobody_waits(self) -> None:
        """What its registry, dead before its turn came, wanted is not made any more."""
        turn = JournalFiles.turn

        def late(files: JournalFiles) -> AbstractContextManager[None]:
            self.ours.close()
            return turn(files)

        self.ours.send(ask([[Written("/a", b"1")]]))
        files = JournalFiles(self.disk, SIZE, lambda _: True, lambda _: None)
        self.patch(JournalFiles, "turn", late)
        self.assertRaises(Unheard, serve, self.its, files, self.disk)
        self.assertEqual([FOLDER], os.listdir(self.root))
        self.assertEqual((0, []), unpack(self.content(f"/{FOLDER}/0")))
        self.assertEqual([], open_below(self.root))

    def test_own_fault(self) -> None:
        """What is no problem of the disk ends it, so that somebody hears of it."""

        def rename(_disk: Disk, _source: str, _destination: str) -> None:
            raise ValueError("a bug")

        self.patch(Disk, "rename", rename)
        self.assertRaises(ValueError, self.serve, ask([[Written("/a", b"")]]))
        self.assertEqual([], open_below(self.root))
