"""Sessions: the uploads that have begun and not ended, in all repositories."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from attrs import define, frozen
from twisted.internet.interfaces import IReactorTime

from txregistry.interfaces import IStorageDriver, PathNotFound
from txregistry.registry.layout import (
    REPOSITORIES,
    STARTED_AT,
    UPLOADS,
    UploadLayout,
)
from txregistry.turns import Turns

MOST: Final = 200  # sessions that are remembered
ABANDONED: Final = 3600.0  # seconds after which nobody is believed to come back
STEP: Final = 1000  # repositories, and sessions in one, that are looked at in one go

_T = TypeVar("_T")


class Session(NamedTuple):
    """An upload session.

    Attributes:
        repository: The repository's name.
        session_id: Its id in it.
    """

    repository: str
    session_id: str


class Sessions:
    """The sessions that this process has had to do with, the latest of them.

    Others may have gone on with them, or ended them: the store knows.
    """

    def __init__(self, most: int = MOST) -> None:
        """Begin with none; take how many to remember."""
        self._most = most
        self._touched: OrderedDict[Session, None] = OrderedDict()
        self._began: OrderedDict[Session, float] = OrderedDict()
        self._ended: OrderedDict[Session, None] = OrderedDict()

    def began(self, session: Session, at: float) -> None:
        """Note that a session has begun, of which the store knows nothing yet."""
        self._keep(self._touched, session, None)
        self._keep(self._began, session, at)
        self._ended.pop(session, None)

    def touched(self, session: Session) -> None:
        """Note that a session goes on."""
        self._keep(self._touched, session, None)
        self._began.pop(session, None)

    def ended(self, session: Session) -> None:
        """Note that a session is no more."""
        self.forget(session)
        self._keep(self._ended, session, None)

    def forget(self, session: Session) -> None:
        """Do not remember a session any more."""
        self._touched.pop(session, None)
        self._began.pop(session, None)

    def began_at(self, session: Session) -> float | None:
        """Return when a session began here of which there is no more than that."""
        return self._began.get(session)

    def has_ended(self, session: Session) -> bool:
        """Say whether a session has ended here lately."""
        return session in self._ended

    def latest(self) -> list[Session]:
        """Return those that have not ended as far as is known, the latest first."""
        return list(reversed(self._touched))

    def _keep(self, kept: OrderedDict[Session, _T], session: Session, what: _T) -> None:
        kept[session] = what
        kept.move_to_end(session)
        if len(kept) > self._most:
            kept.popitem(last=False)


@frozen
class SessionState:
    """Where a session stands.

    Attributes:
        session: The session.
        offset: How many bytes the registry has.
        age: Seconds since it began; None: not known.
        idle: Seconds since something was written.
    """

    session: Session
    offset: int
    age: float | None
    idle: float


async def look_at_latest(
    sessions: Sessions, driver: IStorageDriver, clock: IReactorTime
) -> list[SessionState]:
    """Return where those sessions stand that this process saw last, the latest first.

    Raises:
        StorageError: The store does not say.
    """
    found = []
    for session in sessions.latest():
        now = clock.seconds()
        state = await _look_at(session, driver, now)
        began_at = sessions.began_at(session)
        if state is None and began_at is not None:
            state = SessionState(session, 0, now - began_at, now - began_at)
        if state is None:
            sessions.forget(session)
        else:
            found.append(state)
    return found


async def _look_at(
    session: Session, driver: IStorageDriver, now: float
) -> SessionState | None:
    folder = f"{REPOSITORIES}/{session.repository}/{UPLOADS}/{session.session_id}"
    paths = UploadLayout(folder)
    try:
        status = await driver.stat(paths.data)
    except PathNotFound:
        return None
    age = None
    try:
        content = await driver.get_content(paths.started_at)
        started_at = datetime.fromisoformat(content.decode("ascii"))
        age = now - started_at.replace(tzinfo=started_at.tzinfo or UTC).timestamp()
    except (PathNotFound, ValueError):
        pass
    return SessionState(session, status.size, age, now - status.modified)


@define
class Count:
    """How many sessions there are.

    Attributes:
        active: Those to which something was written in the last hour.
        abandoned: The others.
    """

    active: int = 0
    abandoned: int = 0


class Census:
    """Counts the sessions in the store, whoever has begun them.

    It goes from repository to repository, and takes as many steps as there are
    thousands of them: so a step costs about the same in every store.

    Attributes:
        count: What was counted last; None: it was not through all of them yet.
    """

    def __init__(self, driver: IStorageDriver, clock: IReactorTime) -> None:
        """Take the store, and time."""
        self.count: Count | None = None
        self._driver = driver
        self._clock = clock
        self._running = Count()
        self._after = ""

    async def step(self) -> None:
        """Count on.

        Raises:
            StorageError: The store does not say.
        """
        names = await self._repositories()
        turns = Turns(self._clock)
        for name in names:
            await turns.yield_if_due()
            await self._look_into(f"{REPOSITORIES}/{name}/{UPLOADS}", turns)
            self._after = name
        if len(names) < STEP:
            self.count, self._running, self._after = self._running, Count(), ""

    async def _repositories(self) -> list[str]:
        try:
            return await self._driver.list_holders(
                REPOSITORIES, UPLOADS, self._after, STEP, deep=True
            )
        except PathNotFound:
            return []

    async def _look_into(self, folder: str, turns: Turns) -> None:
        try:
            found = await self._driver.list_holders(folder, STARTED_AT, "", STEP)
        except PathNotFound:
            return
        for session_id in found:
            await turns.yield_if_due()
            await self._count(UploadLayout(f"{folder}/{session_id}"))

    async def _count(self, paths: UploadLayout) -> None:
        try:
            status = await self._driver.stat(paths.data)
        except PathNotFound:  # it has ended meanwhile
            return
        if self._clock.seconds() - status.modified < ABANDONED:
            self._running.active += 1
        else:
            self._running.abandoned += 1
