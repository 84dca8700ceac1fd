"""Transfer: the rest of a body on its way from a socket to a sink, moved by threads.

One thread receives into buffers that are used again and again, finds the content there,
moves it together if it comes in chunks, and has the sink write it from there. If there
are several buffers, a second thread shows the content to the sink's watchers (a hash)
meanwhile; if there is one, the same thread does. Receiving, hashing and writing all
release the GIL.

Nothing here touches Twisted: a transfer knows a socket, or what is like one, a framing
and a sink.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Final, Protocol

from txregistry.streams import IThreadSink, Piece
from txregistry.web.decoding import Framing

# What a buffer holds, in bytes: little enough for the cache that processors share, and
# enough that one thread seldom hands it to the other, for which both pay.
BUFFER_SIZE: Final = 1024 * 1024

# For so long (milliseconds) more is waited for when little has come: a fast client's
# next bytes come sooner, and are written along.
_MOMENT: Final = 1


class Receiver(Protocol):
    """What a transfer receives from: a socket that does not block, or what is like one.

    One that has ``step`` wants room for so many bytes whenever it is to receive some.
    """

    def fileno(self) -> int:
        """Return the descriptor to wait for."""

    def recv_into(self, room: memoryview, /) -> int:
        """Receive what is there; 0: nothing will come any more.

        Raises:
            BlockingIOError: Nothing is there now.
            OSError: The connection is broken.
        """

    def close(self) -> None:
        """Give it up."""


class Transfer:
    """A body that threads take in, from where it is to its end.

    What it has received when it ends is with the sink, seen by the watchers, and noted
    in the framing: whoever goes on begins behind it.

    Attributes:
        received: Bytes of content so far. Any thread may look.
        rest: What arrived behind the body's end.
        lost: Whether the client has gone, or has sent nothing for too long.
        error: What the sink or a watcher failed with; None: nothing.
    """

    def __init__(
        self,
        receiver: Receiver,
        framing: Framing,
        sink: IThreadSink,
        patience: float,
        buffers: Sequence[bytearray],
    ) -> None:
        """Prepare.

        Args:
            receiver: Where from; nobody else receives there. It is closed in the end.
            framing: That of the body, at the byte that is received next.
            sink: Where the content goes.
            patience: Seconds without a byte after which the client is given up.
            buffers: Where to receive. Several: two threads work.

        Raises:
            OSError: There are no more descriptors.
        """
        self.received = 0
        self.rest = b""
        self.lost = False
        self.error: Exception | None = None
        self.buffers = buffers
        self._receiver = receiver
        self._step: int = getattr(receiver, "step", 1)
        self._framing = framing
        self._sink = sink
        self._patience = patience
        self._stopped = False
        self._closed = False
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(receiver, select.POLLIN)
        self._poll.register(self._alarm, select.POLLIN)

    def run(self) -> None:
        """Move the body, until its end or what keeps it from that. Blocks."""
        try:
            watching = _watch(self._sink.watchers, self.buffers)
            try:
                self._move(watching)
            finally:
                watching.end()
        except Exception as error:  # whatever it is, it is the body's consumer's
            self.error = error

    def stop(self) -> None:
        """Have it end soon, where it is. Not for two threads, nor one beside close."""
        if not self._closed:
            self._stopped = True
            os.eventfd_write(self._alarm, 1)

    def close(self) -> None:
        """Give up the descriptors, when ``run`` has ended or will not be called."""
        self._closed = True
        self._receiver.close()
        os.close(self._alarm)

    def _move(self, watching: _Watching) -> None:
        framing = self._framing
        while not (framing.complete or framing.malformed):
            buffer = watching.take_buffer()
            size = self._receive(buffer)
            if not size:
                return
            pieces = framing.scan(buffer, size)
            if framing.complete:
                self.rest = bytes(memoryview(buffer)[framing.end : size])
            if len(pieces) > 1:
                pieces = [_together(buffer, pieces)]
            if pieces:
                self.received += len(pieces[0])
                self._sink.write_pieces(pieces)
            watching.show(buffer, pieces)

    def _receive(self, buffer: bytearray) -> int:
        """Receive what is there, and wait when that is nothing; 0: that was the last.

        As much as fits is taken at once, so that few and large pieces are written.
        """
        wanted = self._framing.wanted
        view = memoryview(buffer)
        step, last = self._step, len(buffer) - self._step
        enough = len(buffer) if wanted is None else min(wanted, len(buffer))
        size = 0
        while size < enough and size <= last and not self._stopped:
            try:
                room = view[size : max(enough, size + step)]
                got = self._receiver.recv_into(room)
            except BlockingIOError:
                if size and size >= enough // 2:
                    break
                if not self._poll.poll(_MOMENT if size else 1000 * self._patience):
                    self.lost = not size
                    break
                continue
            except OSError:
                got = 0
            if not got:
                self.lost = True
                break
            size += got
        return size


def _together(buffer: bytearray, pieces: Sequence[memoryview]) -> memoryview:
    """Move pieces of a buffer to its beginning; return them as one.

    Each piece costs a call to write and one to hash, and who is called waits for the
    interpreter's lock: that is dearer than to move some kilobytes in the cache.
    """
    view, end = memoryview(buffer), 0
    for piece in pieces:
        begin, end = end, end + len(piece)
        view[begin:end] = piece
    return view[:end]


class _Watching(Protocol):
    """What shows pieces to watchers, and has the buffers that can be used."""

    def take_buffer(self) -> bytearray:
        """Return a buffer that nobody uses; waits for one."""

    def show(self, buffer: bytearray, pieces: Sequence[Piece]) -> None:
        """Show pieces, which lie in a buffer."""

    def end(self) -> None:
        """Wait until all have been shown."""


def _watch(
    watchers: Sequence[Callable[[Piece], object]], buffers: Sequence[bytearray]
) -> _Watching:
    if len(buffers) > 1:
        return _Beside(watchers, buffers)
    return _Between(watchers, buffers[0])


class _Between:
    """Shows pieces in the thread that receives them. See _Watching."""

    def __init__(
        self, watchers: Sequence[Callable[[Piece], object]], buffer: bytearray
    ) -> None:
        self._watchers = watchers
        self._buffer = buffer

    def take_buffer(self) -> bytearray:
        return self._buffer

    def show(self, buffer: bytearray, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            for watch in self._watchers:
                watch(piece)

    def end(self) -> None:
        pass


class _Beside:
    """Shows pieces in a thread of its own. See _Watching."""

    def __init__(
        self,
        watchers: Sequence[Callable[[Piece], object]],
        buffers: Sequence[bytearray],
    ) -> None:
        self._watchers = watchers
        self._free: SimpleQueue[bytearray] = SimpleQueue()
        self._shown: SimpleQueue[tuple[bytearray, Sequence[Piece]] | None]
        self._shown = SimpleQueue()
        self._error: Exception | None = None
        for buffer in buffers:
            self._free.put(buffer)
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def take_buffer(self) -> bytearray:
        return self._free.get()

    def show(self, buffer: bytearray, pieces: Sequence[Piece]) -> None:
        self._shown.put((buffer, pieces))
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        self._shown.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (shown := self._shown.get()) is not None:
            buffer, pieces = shown
            if self._error is None:
                try:
                    self._show(pieces)
                except Exception as error:  # which the other thread raises
                    self._error = error
            self._free.put(buffer)

    def _show(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            for watch in self._watchers:
                watch(piece)
