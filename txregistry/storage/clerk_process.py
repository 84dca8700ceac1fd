"""The clerk's process: ``python -m txregistry.storage.clerk_process FOLDER``.

A registry starts it; it is no command for people. On descriptor 0 it has a socket, and
at each message makes small files, durably, and says what became of them. It ends when
the registry does.

It has an interpreter for itself: making a file takes a dozen system calls, and a thread
of the registry's own would wait for its interpreter after each. For the same reason it
imports little.
"""

from __future__ import annotations

import errno
import marshal
import select
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from txregistry.storage.disk import Disk
from txregistry.storage.journal_files import JournalFiles, NoJournal
from txregistry.storage.records import Written
from txregistry.storage.works import CannotWrite, Files, Outcomes, make_together

CHANNEL: Final = 0

# So many bytes a message may have: less than a socket of this kind takes at once.
MOST: Final = 128 * 1024

READY: Final = marshal.dumps("ready")


class Unheard(Exception):
    """The registry has ended: nobody would hear what became of changes."""


def serve(channel: socket.socket, files: JournalFiles, disk: Disk) -> None:
    """Make what the messages ask for, until there is nobody who asks.

    Args:
        channel: Keeps messages apart (``SOCK_SEQPACKET``), and blocks.
        files: The journal's files; closed at a message without files, and in the end.
        disk: The folder.
    """
    buffer = bytearray(MOST)
    hanging_up = select.poll()
    hanging_up.register(channel, 0)

    def require_heard() -> None:
        # Who was told that it had failed may have changed the same since, by way of
        # the registry's next process.
        if hanging_up.poll(0):
            raise Unheard

    try:
        channel.send(READY)
        while length := channel.recv_into(buffer):
            reply = answer(memoryview(buffer)[:length], files, disk, require_heard)
            if reply:
                channel.send(reply)
    finally:
        files.close()


def ask(works: Sequence[Sequence[Written]]) -> bytes:
    """Return a message: small files of several works; none: nothing is to come."""
    return marshal.dumps(
        [[(each.path, each.content) for each in work] for work in works]
    )


def answer(
    message: bytes | memoryview,
    files: JournalFiles,
    disk: Disk,
    require_heard: Callable[[], None] = lambda: None,
) -> bytes:
    """Do what a message asks for; return what is to be said of it, if anything.

    Args:
        message: The message.
        files: The journal's files.
        disk: The folder.
        require_heard: Raises Unheard if nobody waits for an answer any more.

    Raises:
        Unheard: So it is, and nothing was made.
    """
    asked = marshal.loads(message)
    if not asked:
        files.close()
        return b""
    works = [Files(disk, [Written(*each) for each in work]) for work in asked]
    try:
        outcomes = make_together(files, works, require_heard)
    finally:
        for work in works:
            work.end()
    return marshal.dumps([each and _told(each) for each in outcomes])


def answered(message: bytes) -> Outcomes:
    """Return what became of works; the other way round of what the process says."""
    return [_exception(*each) if each else None for each in marshal.loads(message)]


def _told(error: BaseException) -> tuple[str, str, int, str]:
    if isinstance(error, NoJournal):
        return "none", "", int(error.lasts), str(error)
    if isinstance(error, CannotWrite):
        return "file", error.path, *_of(error.error)
    if isinstance(error, OSError):
        return "all", "", *_of(error)
    raise error


def _of(error: OSError) -> tuple[int, str]:
    return error.errno or errno.EIO, error.strerror or str(error)


def _exception(kind: str, path: str, number: int, text: str) -> Exception:
    if kind == "none":
        return NoJournal(text, bool(number))
    error = OSError(number, text)
    return CannotWrite(path, error) if kind == "file" else error


def main() -> None:
    """Serve the registry that has started this."""
    disk = Disk(sys.argv[1])
    channel = socket.socket(fileno=CHANNEL)
    with suppress(ConnectionError, Unheard):  # it is gone
        serve(channel, JournalFiles(disk), disk)


if __name__ == "__main__":
    main()
