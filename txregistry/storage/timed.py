"""Timed: a driver around another one, which says how long everything took."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from txregistry.interfaces import (
    FileStat,
    IFileWriter,
    IStorageDriver,
    PathNotFound,
)

_T = TypeVar("_T")

Done = Callable[[str, float, bool], None]
"""Takes what was done in the Go registry's words, seconds, and whether it failed."""


@implementer(IStorageDriver)
class TimedDriver:
    """Does what another driver does."""

    def __init__(self, driver: IStorageDriver, clock: IReactorTime, done: Done) -> None:
        """Take the other driver, time, and what is told."""
        self.name = driver.name
        self._driver = driver
        self._clock = clock
        self._done = done

    def get_content(self, path: str) -> Deferred[bytes]:
        """See IStorageDriver."""
        return self._timed("GetContent", self._driver.get_content, path)

    def put_content(self, path: str, content: bytes) -> Deferred[None]:
        """See IStorageDriver."""
        return self._timed("PutContent", self._driver.put_content, path, content)

    def open_reader(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> Deferred[IBodyProducer]:
        """See IStorageDriver. The time is that of opening."""
        return self._timed("Reader", self._driver.open_reader, path, offset, length)

    def open_writer(self, path: str, append: bool = False) -> Deferred[IFileWriter]:
        """See IStorageDriver. The time is that of opening."""
        return self._timed("Writer", self._driver.open_writer, path, append)

    def stat(self, path: str) -> Deferred[FileStat]:
        """See IStorageDriver."""
        return self._timed("Stat", self._driver.stat, path)

    def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> Deferred[list[str]]:
        """See IStorageDriver."""
        return self._timed("List", self._driver.list_children, path, after, limit)

    def move(self, source: str, destination: str) -> Deferred[None]:
        """See IStorageDriver."""
        return self._timed("Move", self._driver.move, source, destination)

    def delete(self, path: str) -> Deferred[None]:
        """See IStorageDriver."""
        return self._timed("Delete", self._driver.delete, path)

    def redirect_url(
        self, path: str, method: str, lifetime: float
    ) -> Deferred[str | None]:
        """See IStorageDriver."""
        call = self._driver.redirect_url
        return self._timed("RedirectURL", call, path, method, lifetime)

    def _timed(
        self, action: str, call: Callable[..., Deferred[_T]], *arguments: object
    ) -> Deferred[_T]:
        seconds = self._clock.seconds
        began = seconds()
        running = call(*arguments)
        if running.called and type(running.result) not in (Failure, Deferred):
            # It is done already, as reading a small file is: that is most of it all.
            self._done(action, max(seconds() - began, 0.0), False)
            return running

        def end(result: _T | Failure) -> _T | Failure:
            failed = isinstance(result, Failure) and not result.check(PathNotFound)
            self._done(action, max(seconds() - began, 0.0), failed)
            return result

        running.addBoth(end)
        return running
