"""Kept: answers that were given, and header blocks that came, up to so many."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from attrs import define, evolve, field, frozen

from txregistry.interfaces import Exchange, Hit
from txregistry.oci.access import Access
from txregistry.oci.digest import Digest
from txregistry.oci.eventforms import EventForm
from txregistry.oci.events import Activity
from txregistry.web.exchanges import masked
from txregistry.web.headerblock import LONGEST, Asked
from txregistry.web.limits import Limits

# Larger ones take longer to send than to look up.
LARGEST: Final = 128 * 1024

# What is kept at the most: bytes of answers, answers, and requests as they came.
MOST_BYTES: Final = 32 * 1024 * 1024
MOST_ANSWERS: Final = 8192
MOST_BLOCKS: Final = 4096

# Bytes of a block's hash; no block is as short.
_MARK: Final = 16

_ID: Final = "x-request-id"
_DATE: Final = "date"

Pieces: TypeAlias = tuple[bytes, bytes, bytes]
"""An answer's bytes, with room for the request's id and for the date between them."""


@frozen
class Lasting:
    """What a route says of an answer that it will give again.

    Attributes:
        holds: Says, quickly, whether it would give the same answer now.
        content: The body.
        activity: What is done by asking; None: nothing that anybody is told of.
        digest: The body's. One of which it is not is broken, and may be mended where it
            lies: it is not kept. None: nothing says what it should be.
    """

    holds: Callable[[], bool]
    content: bytes
    activity: Activity | None = None
    digest: Digest | None = None


@define(eq=False)
class Known:
    """An answer that was given.

    Attributes:
        lasting: What the route said.
        accesses: What whoever asks must be allowed; None: nothing.
        exchange: The request and what came of it.
        pieces: Its bytes.
        size: How many bytes it counts among what is kept.
        round: That in which it was found to hold the last time; see ``Round``.
    """

    lasting: Lasting
    accesses: Sequence[Access] | None
    exchange: Exchange
    pieces: Pieces
    size: int
    round: int = 0


@define(eq=False)
class Block:
    """A header block that came.

    A login in it is not kept, and then nor is the block as it came: it is known by a
    keyed hash, and the login is taken out of the one that comes.

    Attributes:
        asked: What it says, but for the login.
        login: Where it has the ``Authorization``; None: it has none.
        answered: What came of the request whose answer it got the last time; None: it
            got none. Not that answer, which would be kept for as long as this is.
        exchange: A request with it, and what came of it; that of the answer.
        form: What events of these requests have in common; None: there was none yet.
        form_for: The client's IP address, and whether the connection was encrypted, of
            the request that the form was last right for.
        activity: What each of these requests has done, as long as there are hits.
        hits: Those that nobody has been told of.
    """

    asked: Asked
    login: slice | None = None
    answered: Exchange | None = None
    exchange: Any = None
    form: EventForm | None = None
    form_for: tuple[str, bool] = ("", False)
    activity: Activity | None = None
    hits: list[Hit] = field(factory=list)

    def take(self, known: Known, user: str | None) -> None:
        """Note that its requests get another answer, or are somebody else's."""
        self.answered, self.form = known.exchange, None
        self.exchange = evolve(
            known.exchange,
            user=user,
            agent=self.asked.agent,
            referer=_shown(self.asked.referer),
        )


class Kept:
    """All that is kept; it can be lost at any time.

    Attributes:
        answers: Those that were given, by what they depend on.
        blocks: Those that came, as they came or by their hash.
        size: How many bytes the answers have.
    """

    def __init__(self, limits: Limits) -> None:
        """Keep nothing yet; what goes beyond the limits never is."""
        self.answers: dict[tuple[bytes, ...], Known] = {}
        self.blocks: dict[bytes, Block] = {}
        self.size = 0
        self._limits = limits
        self._key = secrets.token_bytes(32)

    def find(self, block: bytes) -> Block | None:
        """Return a block that is not known as it came; None: it is not plain enough."""
        limits = self._limits
        if len(block) > min(limits.header_size, LONGEST):
            return None
        mark = blake2b(block, key=self._key, digest_size=_MARK).digest()
        found = self.blocks.get(mark)
        if found is not None:
            return found
        asked = Asked.parse(block, limits.header_count)
        if asked is None:
            return None
        if asked.authorization is None:
            found = Block(asked)
        else:
            begin = block.index(asked.authorization.encode())
            login = slice(begin, begin + len(asked.authorization))
            found = Block(evolve(asked, authorization=None), login)
        if asked.id is None:  # else it will not come again
            if len(self.blocks) >= MOST_BLOCKS:
                del self.blocks[next(iter(self.blocks))]
            self.blocks[block if found.login is None else mark] = found
        return found

    def learn(
        self,
        asked: Asked,
        lasting: Lasting,
        accesses: Sequence[Access] | None,
        exchange: Exchange,
        head: Mapping[str, str],
    ) -> None:
        """Keep an answer that the usual way has given.

        Args:
            asked: The request.
            lasting: What the route said of it.
            accesses: What whoever asks must be allowed; None: nothing.
            exchange: The request and what came of it.
            head: The lines of the answer's headers; see AnswerHead.
        """
        pieces = _pieces(head)
        if pieces is None or len(lasting.content) > LARGEST:
            return
        if lasting.digest is not None and not lasting.digest.is_of(lasting.content):
            return
        if asked.key[0] == b"GET":
            pieces = (*pieces[:2], pieces[2] + lasting.content)
        self.forget(asked.key)
        while self.answers and (
            len(self.answers) >= MOST_ANSWERS or self.size > MOST_BYTES
        ):
            self.forget(next(iter(self.answers)))
        # The body is in the pieces, if it is sent at all.
        lasting = evolve(lasting, content=b"")
        size = sum(map(len, (*asked.key, *pieces)))
        self.answers[asked.key] = Known(lasting, accesses, exchange, pieces, size)
        self.size += size

    def forget(self, key: tuple[bytes, ...]) -> None:
        """Keep an answer no longer."""
        known = self.answers.pop(key, None)
        if known is not None:
            self.size -= known.size


def _shown(referer: str | None) -> str | None:
    return None if referer is None else masked(referer)


def _pieces(head: Mapping[str, str]) -> Pieces | None:
    """Cut an answer's header where the request's id and the date stand.

    Returns:
        What comes before, between and after; None: they do not stand there, once each
        and in this order.
    """
    names, lines = list(head), [f"{line}\r\n" for line in head.values()]
    if _ID not in head or _DATE not in head:
        return None
    first, second = names.index(_ID), names.index(_DATE)
    if first > second or "\r\n" in head[_ID] or "\r\n" in head[_DATE]:
        return None
    id_name, date_name = (head[each].partition(" ")[0] + " " for each in (_ID, _DATE))
    pieces = (
        "HTTP/1.1 200 OK\r\n" + "".join(lines[:first]) + id_name,
        "\r\n" + "".join(lines[first + 1 : second]) + date_name,
        "\r\n" + "".join(lines[second + 1 :]) + "\r\n",
    )
    before, between, after = (piece.encode("latin-1") for piece in pieces)
    return before, between, after
