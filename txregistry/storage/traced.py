"""Traced: a driver around another one, which shows what it does in traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from txregistry.interfaces import (
    Change,
    FileStat,
    IFileWriter,
    IStorageDriver,
    Publish,
    Together,
)
from txregistry.storage.wrapping import (
    WrappingWriter,
    action_of,
    adopt_batches,
    flat,
    unwrapped,
)

_T = TypeVar("_T")

End: TypeAlias = Callable[[BaseException | None], None]
"""Takes what an operation failed with; None: it did not fail."""

Begin: TypeAlias = Callable[[str, Mapping[str, str | int | bool]], End | None]
"""Takes an operation's name and what is told of it; None: nobody wants to know."""

# The Go registry's names.
_PREFIX: Final = "io.cncf.distribution.storage."
_DRIVER: Final = f"{_PREFIX}driver.name"
_PATH: Final = f"{_PREFIX}path"
_LENGTH: Final = f"{_PREFIX}content.length"
_OFFSET: Final = f"{_PREFIX}offset"
_APPEND: Final = f"{_PREFIX}append"
_SOURCE: Final = f"{_PREFIX}source.path"
_DESTINATION: Final = f"{_PREFIX}dest.path"

# Ours: the paths that a batch changes.
_PATHS: Final = "txregistry.storage.paths"


@implementer(IStorageDriver)
class TracedDriver:
    """Does what another driver does. It is an IBatchDriver if the other one is."""

    def __init__(self, driver: IStorageDriver, begin: Begin) -> None:
        """Take the other driver, and what begins a span."""
        self.name = driver.name
        self._driver = driver
        self._begin = begin
        self._batches = adopt_batches(self, driver)

    def get_content(self, path: str) -> Deferred[bytes]:
        """See IStorageDriver."""
        end = self._span("GetContent", {_PATH: path})
        return _ended(end, self._driver.get_content(path))

    def put_content(self, path: str, content: bytes) -> Deferred[None]:
        """See IStorageDriver."""
        end = self._span("PutContent", {_PATH: path, _LENGTH: len(content)})
        return _ended(end, self._driver.put_content(path, content))

    def open_reader(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> Deferred[IBodyProducer]:
        """See IStorageDriver. The span is that of opening."""
        end = self._span("Reader", {_PATH: path, _OFFSET: offset})
        return _ended(end, self._driver.open_reader(path, offset, length))

    def open_writer(self, path: str, append: bool = False) -> Deferred[IFileWriter]:
        """See IStorageDriver. The span is that of opening; the writer has others."""
        end = self._span("Writer", {_PATH: path, _APPEND: append})
        opening = _ended(end, self._driver.open_writer(path, append))
        if end is None:
            return opening

        def begin(action: str, more: Mapping[str, str | int | bool]) -> End | None:
            return self._span(action, {_PATH: path, **more})

        return opening.addCallback(_TracedWriter, begin)

    def stat(self, path: str) -> Deferred[FileStat]:
        """See IStorageDriver."""
        return _ended(self._span("Stat", {_PATH: path}), self._driver.stat(path))

    def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> Deferred[list[str]]:
        """See IStorageDriver."""
        end = self._span("List", {_PATH: path})
        return _ended(end, self._driver.list_children(path, after, limit))

    def list_holders(
        self,
        path: str,
        held: str,
        after: str = "",
        limit: int | None = None,
        deep: bool = False,
    ) -> Deferred[list[str]]:
        """See IStorageDriver."""
        end = self._span("Walk" if deep else "List", {_PATH: path})
        running = self._driver.list_holders(path, held, after, limit, deep)
        return _ended(end, running)

    def move(self, source: str, destination: str) -> Deferred[None]:
        """See IStorageDriver."""
        end = self._span("Move", {_SOURCE: source, _DESTINATION: destination})
        return _ended(end, self._driver.move(source, destination))

    def delete(self, path: str) -> Deferred[None]:
        """See IStorageDriver."""
        return _ended(self._span("Delete", {_PATH: path}), self._driver.delete(path))

    def apply(self, changes: Sequence[Change | Together]) -> Deferred[None]:
        """See IBatchDriver. One span shows them all."""
        assert self._batches is not None
        paths = " ".join(map(_path_of, flat(changes)))
        end = self._span(action_of(changes), {_PATHS: paths})
        return _ended(end, self._batches.apply(unwrapped(changes)))

    def redirect_url(
        self, path: str, method: str, lifetime: float
    ) -> Deferred[str | None]:
        """See IStorageDriver."""
        end = self._span("RedirectURL", {_PATH: path})
        return _ended(end, self._driver.redirect_url(path, method, lifetime))

    def _span(self, action: str, attributes: dict[str, str | int | bool]) -> End | None:
        attributes[_DRIVER] = self.name
        return self._begin(f"{self.name}:{action}", attributes)


@implementer(IFileWriter)
class _TracedWriter(WrappingWriter):
    """Does what another writer does."""

    def __init__(self, writer: IFileWriter, begin: Begin) -> None:
        super().__init__(writer)
        self._begin = begin

    def close(self) -> Deferred[None]:
        """See IFileWriter."""
        return _ended(self._begin("Close", {}), self._writer.close())

    def sync(self) -> Deferred[None]:
        """See IFileWriter."""
        return _ended(self._begin("Sync", {}), self._writer.sync())

    def commit(self, destination: str | None = None) -> Deferred[None]:
        """See IFileWriter."""
        more = {} if destination is None else {_DESTINATION: destination}
        return _ended(self._begin("Commit", more), self._writer.commit(destination))

    def cancel(self) -> Deferred[None]:
        """See IFileWriter."""
        return _ended(self._begin("Cancel", {}), self._writer.cancel())


def _path_of(change: Change) -> str:
    return change.destination if isinstance(change, Publish) else change.path


def _ended(end: End | None, running: Deferred[_T]) -> Deferred[_T]:
    """Have a span ended with what goes on."""
    if end is None:
        return running

    def note(result: _T | Failure) -> _T | Failure:
        end(result.value if isinstance(result, Failure) else None)
        return result

    running.addBoth(note)
    return running
