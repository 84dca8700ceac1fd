"""Fast path: answers that were given before, given again.

Klein and the routes answer everything, and they alone know how. A route that has
answered with something that will be the same next time says so (``Lasting``): what it
is, and a way to look whether it is still so. From then on the same request gets the
same bytes, straight from the connection's first line of code, as long as

- it is the same: method, target and ``Accept``, in a header block with nothing unusual
  in it (``headerblock``);
- the store says, at each request, that it still holds: links and contents are looked
  at, so that a tag that was moved and a manifest that was deleted are noticed, whoever
  did it; one look is for all who had asked when the reactor began its round;
- whoever asks may: the gate says so without having to wait, because it remembers the
  login, and asks the rules;
- who is to be told of it is told, and waited for: then the answer is held, and with it
  all that comes behind it on its connection.

If any of this is not so, the request goes its usual way as if there were nothing else,
so that no answer is ever given here that was not given there. What is kept can be lost
at any time. Those who watch requests are told of all of these, some at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import datetimeToString

from txregistry.interfaces import Hit, IRequestWatcher
from txregistry.lookups import Lookups
from txregistry.oci.events import Activity
from txregistry.polling import Round
from txregistry.web.gate import Admission, OpenGate
from txregistry.web.headerblock import Asked
from txregistry.web.held import HeldRequest, last
from txregistry.web.kept import Block, Kept, Known, Pieces
from txregistry.web.limits import Limits
from txregistry.web.witness import SilentWitness, Witness

# Those who watch are told of all that was answered in so many seconds: much cheaper
# than of each, and soon enough for people. A process that is killed takes it along.
TELL_WITHIN: Final = 0.01

# An answer that the kernel may not take at once; see ``timeoutConnection``.
LONG: Final = 16 * 1024

# What ``Hit(*values)`` does, in half of the time.
_hit: Final[Callable[[Sequence[object]], Hit]] = partial(tuple.__new__, Hit)

UNREAD: Final = Asked(())


class Client(Protocol):
    """A connection, as far as it matters here.

    Attributes:
        born: The number of the round in which it was made.
    """

    transport: Any
    born: int

    def answered_fast(self, size: int, now: float) -> None:
        """Note that an answer of so many bytes was written now, on the clock."""

    def hold(self, request: HeldRequest) -> None:
        """Let a request stand where those do that run."""

    def keep_for_next(self, request: Any) -> bool:
        """Say, as an answer begins, whether the connection stays open after it."""

    def go_on(self, request: HeldRequest) -> None:
        """Go on behind a request that is answered."""

    def run_held(self, request: HeldRequest) -> None:
        """Run a request the usual way, and what comes behind it."""


class FastPath:
    """Answers that were given before.

    Attributes:
        lookups: How many plain requests were answered, and how many went the usual way.
        kept: What they were answered with, and what they are.
    """

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits,
        watchers: Sequence[IRequestWatcher],
        new_id: Callable[[], object],
        round_: Round | None = None,
    ) -> None:
        """Prepare; nothing is answered before it is opened.

        Args:
            clock: Gives the time.
            limits: Bounds on clients.
            watchers: Are told of requests.
            new_id: Makes the id of a request that comes without one.
            round_: Says which round it is; None: each look is for one request.
        """
        self._round = round_ or Round()
        self.lookups = Lookups()
        self.kept = Kept(limits)
        self._clock = clock
        self._seconds = clock.seconds
        self._watchers = watchers
        self._new_id = new_id
        self._gate: Admission | None = None
        self._is_open = False
        self._witness: Witness = SilentWitness()
        self._is_failing: Callable[[], bool] = lambda: True
        self._untold: list[Block] = []
        self._held: set[HeldRequest] = set()
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
            None: it was answered, or is held and will be. Else the request, as the
            usual way is to have it; ``UNREAD`` if it is not one of which anything
            could be kept.
        """
        began = self._seconds()
        kept = self.kept
        found = kept.blocks.get(block) or kept.find(block)
        if found is None:
            return UNREAD
        asked = found.asked
        known = kept.answers.get(asked.key)
        if known is None or not self._is_good(client, known, found, block, address):
            self.lookups.misses += 1
            return asked
        self.lookups.hits += 1
        request_id = asked.id or str(self._new_id())
        activity = known.lasting.activity
        if activity is not None and not self._witness.ignores(activity):
            held = HeldRequest(
                *(client, found, block, found.exchange, activity, known.pieces),
                *(request_id, began, address, self),
            )
            self._held.add(held)
            client.hold(held)
            self._witness.repeat(held)
            return None
        answer = self._join(known.pieces, request_id, began)
        client.transport.write(answer)
        ended = self._seconds()
        client.answered_fast(len(answer), ended)
        seconds = ended - began if ended > began else 0.0
        self._note(found, activity, (request_id, began, seconds, address))
        return None

    def release(self, request: HeldRequest) -> None:
        """See Keeper."""
        client, block = request.connection, request.block
        answer = self._join(request.pieces, request.id, request.began)
        if not client.keep_for_next(request):
            answer = last(answer)
        client.transport.write(answer)
        now = self._seconds()
        client.answered_fast(len(answer), now)
        if request.has_begun or request.exchange is not block.exchange:
            self._end(request, now)
        else:
            self._end(request)
            self._note(block, request.activity, request.hit(now))
        client.go_on(request)

    def give_up(self, request: HeldRequest) -> None:
        """See Keeper."""
        self._end(request)
        request.connection.run_held(request)

    def leave(self, request: HeldRequest) -> None:
        """See Keeper."""
        self._end(request, self._seconds())

    def tell_all(self) -> None:
        """Tell those who watch of what has been answered since, and of what waits."""
        self.tell()
        for held in self._held:
            if not held.has_begun:
                held.has_begun = True
                for watcher in self._watchers:
                    watcher.began(held.exchange.route, held.exchange.method)

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

    def _is_good(
        self, client: Client, known: Known, block: Block, came: bytes, address: str
    ) -> bool:
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
        number = self._round.number
        if number == 0 or known.round != number or not _is_in(client, came, number):
            if not lasting.holds():
                return False
            known.round = number
        if block.answered is not known.exchange or block.exchange.user != user:
            if block.hits:
                self.tell()  # of those before, as they were
            block.take(known, user)
        return True

    def _join(self, pieces: Pieces, request_id: str, began: float) -> bytes:
        """Return an answer to a request."""
        if int(began) != self._second:
            self._second, self._date = int(began), bytes(datetimeToString(began))
        before, between, after = pieces
        return b"".join((before, request_id.encode(), between, self._date, after))

    def _end(self, held: HeldRequest, now: float | None = None) -> None:
        """Note that a request waits no more; with a time, tell of it."""
        held.is_over = True
        self._held.discard(held)
        if now is not None:
            exchange = held.so_far(now)
            self._witness.saw(held.activity, 1)
            for watcher in self._watchers:
                if not held.has_begun:
                    watcher.began(exchange.route, exchange.method)
                watcher.ended(exchange)

    def _note(
        self, block: Block, activity: Activity | None, values: Sequence[object]
    ) -> None:
        """Note a hit, with the values of a ``Hit``."""
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


def _is_in(client: Client, block: bytes, number: int) -> bool:
    """Say whether a request had come when a round began.

    If it is not all that was read of the socket at one go, it may have come after
    something else; and a connection that was made in the round may have the place of
    one that ended there.
    """
    came = getattr(client.transport, "came", None)
    return came is block and client.born != number
