"""Fast path: answers that were given before, given again.

Klein and the routes answer everything, and they alone know how. A route that has
answered with something that will be the same next time says so (``Lasting``): what it
is, and a way to look whether it is still so. From then on the same request gets the
same bytes, straight from the connection's first line of code, as long as

- it is the same: method, target and ``Accept``, in a header block with nothing unusual
  in it (``headerblock``);
- the store says, at each request, that it still holds: links and contents are looked
  at, so that a tag that was moved and a manifest that was deleted are noticed, whoever
  did it;
- whoever asks may: the gate says so without having to wait, because it remembers the
  login, and asks the rules;
- nobody has to be told who would have to be waited for.

If any of this is not so, the request goes its usual way as if there were nothing else,
so that no answer is ever given here that was not given there. What is kept can be lost
at any time. Those who watch requests are told of all of these, some at a time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Final, Protocol

from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import datetimeToString

from txregistry.interfaces import Exchange, Hit, IRequestWatcher
from txregistry.lookups import Lookups
from txregistry.oci.access import Access
from txregistry.oci.events import Activity
from txregistry.web.exchanges import masked
from txregistry.web.gate import Admission, OpenGate
from txregistry.web.headerblock import LONGEST, Asked
from txregistry.web.limits import Limits
from txregistry.web.witness import SilentWitness, Witness

# Larger ones take longer to send than to look up.
LARGEST: Final = 128 * 1024

# What is kept at the most: bytes of answers, answers, and requests as they came.
MOST_BYTES: Final = 32 * 1024 * 1024
MOST_ANSWERS: Final = 8192
MOST_BLOCKS: Final = 4096

# Those who watch are told of all that was answered in so many seconds: much cheaper
# than of each, and soon enough for people. A process that is killed takes it along.
TELL_WITHIN: Final = 0.01

# An answer that the kernel may not take at once; see ``timeoutConnection``.
LONG: Final = 16 * 1024

# What ``Hit(*values)`` does, in half of the time.
_hit: Final[Callable[[Sequence[object]], Hit]] = partial(tuple.__new__, Hit)

# Bytes of a block's hash; no block is as short.
_MARK: Final = 16

_ID: Final = b"x-request-id"
_DATE: Final = b"date"


@frozen
class Lasting:
    """What a route says of an answer that it will give again.

    Attributes:
        holds: Says, quickly, whether it would give the same answer now.
        content: The body.
        activity: What is done by asking; None: nothing that anybody is told of.
    """

    holds: Callable[[], bool]
    content: bytes
    activity: Activity | None = None


class Client(Protocol):
    """A connection, as far as it matters here."""

    transport: Any

    def answered_fast(self, size: int, now: float) -> None:
        """Note that an answer of so many bytes was written now, on the clock."""


@frozen
class _Known:
    """An answer that was given.

    Attributes:
        lasting: What the route said.
        accesses: What whoever asks must be allowed; None: nothing.
        exchange: The request and what came of it.
        pieces: Its bytes, with room for the request's id and for the date between them.
        size: How many bytes it counts among what is kept.
    """

    lasting: Lasting
    accesses: Sequence[Access] | None
    exchange: Exchange
    pieces: tuple[bytes, bytes, bytes]
    size: int


@define(eq=False)
class _Block:
    """A header block that came.

    A login in it is not kept, and then nor is the block as it came: it is known by a
    keyed hash, and the login is taken out of the one that comes.

    Attributes:
        asked: What it says, but for the login.
        login: Where it has the ``Authorization``; None: it has none.
        answered: What came of the request whose answer it got the last time; None: it
            got none. Not that answer, which would be kept for as long as this is.
        exchange: A request with it, and what came of it; that of the answer.
        activity: What each of these requests has done, as long as there are hits.
        hits: Those that nobody has been told of.
    """

    asked: Asked
    login: slice | None = None
    answered: Exchange | None = None
    exchange: Any = None
    activity: Activity | None = None
    hits: list[Hit] = field(factory=list)


class FastPath:
    """Answers that were given before.

    Attributes:
        lookups: How many plain requests were answered, and how many went the usual way.
    """

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits,
        watchers: Sequence[IRequestWatcher],
        new_id: Callable[[], object],
    ) -> None:
        """Prepare; nothing is answered before it is opened.

        Args:
            clock: Gives the time.
            limits: Bounds on clients.
            watchers: Are told of requests.
            new_id: Makes the id of a request that comes without one.
        """
        self.lookups = Lookups()
        self._clock = clock
        self._seconds = clock.seconds
        self._limits = limits
        self._watchers = watchers
        self._new_id = new_id
        self._gate: Admission | None = None
        self._is_open = False
        self._witness: Witness = SilentWitness()
        self._is_failing: Callable[[], bool] = lambda: True
        self._known: dict[tuple[bytes, ...], _Known] = {}
        self._bytes = 0
        self._blocks: dict[bytes, _Block] = {}
        self._key = secrets.token_bytes(32)
        self._untold: list[_Block] = []
        self._date = b""
        self._second = -1

    def open(
        self, gate: Admission, witness: Witness, is_failing: Callable[[], bool]
    ) -> None:
        """Begin to answer.

        Args:
            gate: Decides on requests.
            witness: Tells what requests do.
            is_failing: Says whether every request is refused for now.
        """
        self._gate = gate
        self._is_open = isinstance(gate, OpenGate)
        self._witness = witness
        self._is_failing = is_failing

    def ask(self, client: Client, block: bytes, address: str) -> Asked | None:
        """Answer a request, if that can be done.

        Args:
            client: The connection that it came on.
            block: All that came.
            address: The client's IP address.

        Returns:
            None: it was answered. Else the request, as the usual way is to have it;
            ``UNREAD`` if it is not one of which anything could be kept.
        """
        began = self._seconds()
        found = self._blocks.get(block) or self._find(block)
        if found is None:
            return UNREAD
        asked = found.asked
        known = self._known.get(asked.key)
        if known is None or not self._is_good(known, found, block, address):
            self.lookups.misses += 1
            return asked
        request_id = asked.id or str(self._new_id())
        if int(began) != self._second:
            self._second, self._date = int(began), bytes(datetimeToString(began))
        before, between, after = known.pieces
        answer = b"".join((before, request_id.encode(), between, self._date, after))
        client.transport.write(answer)
        self.lookups.hits += 1
        ended = self._seconds()
        client.answered_fast(len(answer), ended)
        seconds = ended - began if ended > began else 0.0
        self._note(found, known, (request_id, began, seconds, address))
        return None

    def learn(
        self,
        asked: Asked,
        lasting: Lasting,
        accesses: Sequence[Access] | None,
        exchange: Exchange,
        head: Sequence[tuple[bytes, bytes]],
    ) -> None:
        """Keep an answer that the usual way has given.

        Args:
            asked: The request.
            lasting: What the route said of it.
            accesses: What whoever asks must be allowed; None: nothing.
            exchange: The request and what came of it.
            head: The answer's headers.
        """
        pieces = _pieces(head)
        if pieces is None or len(lasting.content) > LARGEST:
            return
        if asked.key[0] == b"GET":
            pieces = (*pieces[:2], pieces[2] + lasting.content)
        self._forget(asked.key)
        while self._known and (
            len(self._known) >= MOST_ANSWERS or self._bytes > MOST_BYTES
        ):
            self._forget(next(iter(self._known)))
        # The body is in the pieces, if it is sent at all.
        lasting = evolve(lasting, content=b"")
        size = sum(map(len, (*asked.key, *pieces)))
        self._known[asked.key] = _Known(lasting, accesses, exchange, pieces, size)
        self._bytes += size

    def tell(self) -> None:
        """Tell those who watch of what has been answered since."""
        untold, self._untold = self._untold, []
        for block in untold:
            hits, block.hits = block.hits, []
            activity, block.activity = block.activity, None
            if activity is not None:
                self._witness.saw(activity, len(hits))
            for watcher in self._watchers:
                watcher.ended_alike(block.exchange, hits)
        for watcher in self._watchers if untold else ():
            watcher.told()

    def _find(self, block: bytes) -> _Block | None:
        """Return a block that is known by its hash, or by nothing yet."""
        limits = self._limits
        if len(block) > min(limits.header_size, LONGEST):
            return None
        mark = blake2b(block, key=self._key, digest_size=_MARK).digest()
        found = self._blocks.get(mark)
        if found is not None:
            return found
        asked = Asked.parse(block, limits.header_count)
        if asked is None:
            return None
        if asked.authorization is None:
            found = _Block(asked)
        else:
            begin = block.index(asked.authorization.encode())
            login = slice(begin, begin + len(asked.authorization))
            found = _Block(evolve(asked, authorization=None), login)
        if asked.id is None:  # else it will not come again
            if len(self._blocks) >= MOST_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block if found.login is None else mark] = found
        return found

    def _is_good(self, known: _Known, block: _Block, came: bytes, address: str) -> bool:
        """Say whether an answer can be given again, and note whom it is for."""
        gate = self._gate
        if gate is None or self._is_failing():
            return False
        user, lasting = None, known.lasting
        if known.accesses is not None and not self._is_open:
            login = None if block.login is None else came[block.login].decode()
            shown = login, block.asked.forwarded_for
            identity = gate.recall(shown, address, known.accesses)
            if identity is None:
                return False
            user = identity.name
        if not lasting.holds():
            return False
        activity = lasting.activity
        if activity is not None and not self._witness.ignores(activity):
            return False
        if block.answered is not known.exchange or block.exchange.user != user:
            if block.hits:
                self.tell()  # of those before, as they were
            block.answered = known.exchange
            block.exchange = evolve(
                known.exchange,
                user=user,
                agent=block.asked.agent,
                referer=_shown(block.asked.referer),
            )
        return True

    def _note(self, block: _Block, known: _Known, values: Sequence[object]) -> None:
        """Note a hit, with the values of a ``Hit``."""
        activity = known.lasting.activity
        if not self._watchers:
            if activity is not None:
                self._witness.saw(activity, 1)
            return
        if not block.hits:
            if not self._untold:
                self._clock.callLater(TELL_WITHIN, self.tell)
            self._untold.append(block)
            block.activity = activity
        block.hits.append(_hit(values))

    def _forget(self, key: tuple[bytes, ...]) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._bytes -= known.size


UNREAD: Final = Asked(())


def _shown(referer: str | None) -> str | None:
    return None if referer is None else masked(referer.encode()).decode()


def _pieces(head: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes, bytes] | None:
    """Cut an answer's header where the request's id and the date stand.

    Returns:
        What comes before, between and after; None: they do not stand there, once each
        and in this order.
    """
    names = [name.lower() for name, _ in head]
    if names.count(_ID) != 1 or names.count(_DATE) != 1:
        return None
    first, second = names.index(_ID), names.index(_DATE)
    if first > second:
        return None
    lines = [b"%b: %b\r\n" % each for each in head]
    before = b"HTTP/1.1 200 OK\r\n" + b"".join(lines[:first]) + head[first][0] + b": "
    between = b"\r\n" + b"".join(lines[first + 1 : second]) + head[second][0] + b": "
    return before, between, b"\r\n" + b"".join(lines[second + 1 :]) + b"\r\n"
