"""The memory driver: a tree that is gone when the process ends, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from txregistry.deferreds import deferred
from txregistry.interfaces import (
    FileStat,
    IFileWriter,
    InvalidOffset,
    IQuickLook,
    IStorageDriver,
    IStorageDriverFactory,
    PathBusy,
    PathNotFound,
)
from txregistry.storage.options import refuse_unknown
from txregistry.storage.paths import (
    PathObstructed,
    require_path,
    require_path_or_root,
)
from txregistry.storage.searching import holders_by_asking
from txregistry.storage.segments import ROOT
from txregistry.storage.sources import RangeSource
from txregistry.storage.writers import WriterState

NAME: Final = "inmemory"


@define(eq=False)
class _File:
    """A file. Its content only grows: what replaces it is another file.

    Attributes:
        modified: When it was last written, in seconds since the epoch, UTC.
        content: The bytes.
        busy: Whether a writer has it open.
    """

    modified: float
    content: bytearray = field(factory=bytearray)
    busy: bool = False


@define(eq=False)
class _Directory:
    """A directory; only the root may be empty.

    Attributes:
        modified: When it was made, in seconds since the epoch, UTC.
        children: What is in it, by name.
    """

    modified: float
    children: dict[str, _File | _Directory] = field(factory=dict)


class _Tree:
    """Directories and files; the directories come and go with the files."""

    def __init__(self, clock: IReactorTime) -> None:
        """Take where time is from."""
        self._clock = clock
        self._root = _Directory(clock.seconds())

    def node(self, path: str) -> _File | _Directory:
        """Return what is at a path, or raise PathNotFound."""
        node: _File | _Directory = self._root
        for name in _segments(path):
            if not isinstance(node, _Directory) or name not in node.children:
                raise PathNotFound(path, NAME)
            node = node.children[name]
        return node

    def file(self, path: str) -> _File:
        """Return the file at a path, or raise PathNotFound."""
        node = self.node(path)
        if isinstance(node, _File):
            return node
        raise PathNotFound(path, NAME)

    def file_or_new(self, path: str) -> _File:
        """Return the file at a path; if there is none, put an empty one there."""
        try:
            return self.file(path)
        except PathNotFound:
            file = _File(self._clock.seconds())
            self.put(path, file)
            return file

    def put(self, path: str, file: _File) -> None:
        """Put a file at a path, over what file is there, or raise PathObstructed."""
        # Looks before it makes anything: what fails changes nothing.
        self._require_clear(path)
        *above, name = _segments(path)
        directory = self._root
        for segment in above:
            made = _Directory(self._clock.seconds())
            child = directory.children.setdefault(segment, made)
            assert isinstance(child, _Directory)
            directory = child
        directory.children[name] = file

    def remove(self, path: str) -> None:
        """Remove what is at a path, and the directories that it leaves empty."""
        for directory, name in reversed(list(self._way(path))):
            del directory.children[name]
            if directory.children:
                return

    def _require_clear(self, path: str) -> None:
        node: _File | _Directory = self._root
        for name in _segments(path):
            if isinstance(node, _File):
                raise PathObstructed(path, NAME)
            if name not in node.children:
                return
            node = node.children[name]
        if isinstance(node, _Directory):
            raise PathObstructed(path, NAME)

    def _way(self, path: str) -> Iterator[tuple[_Directory, str]]:
        node: _File | _Directory = self._root
        for name in _segments(path):
            assert isinstance(node, _Directory)
            yield node, name
            node = node.children[name]


@implementer(IStorageDriver, IQuickLook)
class MemoryDriver:
    """Keeps the tree in memory. See IStorageDriver.

    Its Deferreds have fired when they are returned.
    """

    name = NAME

    def __init__(self, clock: IReactorTime) -> None:
        """Take where time and turns of the reactor come from."""
        self._clock = clock
        self._tree = _Tree(clock)

    @deferred
    async def get_content(self, path: str) -> bytes:
        """See IStorageDriver."""
        require_path(path, NAME)
        return bytes(self._tree.file(path).content)

    @deferred
    async def put_content(self, path: str, content: bytes) -> None:
        """See IStorageDriver."""
        require_path(path, NAME)
        self._tree.put(path, _File(self._clock.seconds(), bytearray(content)))

    @deferred
    async def open_reader(
        self, path: str, offset: int = 0, length: int | None = None
    ) -> IBodyProducer:
        """See IStorageDriver."""
        require_path(path, NAME)
        content = self._tree.file(path).content
        size = len(content)
        if not 0 <= offset <= size:
            raise InvalidOffset(path, NAME, offset)
        end = size if length is None else min(size, offset + max(length, 0))

        def read(position: int, size: int) -> bytes:
            return bytes(content[position : position + size])

        return RangeSource(self._clock, offset, end - offset, read, lambda: None)

    @deferred
    async def open_writer(self, path: str, append: bool = False) -> IFileWriter:
        """See IStorageDriver."""
        require_path(path, NAME)
        replaced = self._tree.file(path) if append else self._tree.file_or_new(path)
        if replaced.busy:
            raise PathBusy(path, NAME)
        in_place = append or not replaced.content
        written = replaced if in_place else _File(self._clock.seconds())
        return MemoryWriter(self._tree, self._clock, path, written, replaced)

    @deferred
    async def stat(self, path: str) -> FileStat:
        """See IStorageDriver."""
        require_path_or_root(path, NAME)
        node = self._tree.node(path)
        if isinstance(node, _Directory):
            return FileStat(path, True, 0, node.modified)
        return FileStat(path, False, len(node.content), node.modified)

    @deferred
    async def list_children(
        self, path: str, after: str = "", limit: int | None = None
    ) -> list[str]:
        """See IStorageDriver."""
        require_path_or_root(path, NAME)
        node = self._tree.node(path)
        if not isinstance(node, _Directory):
            raise PathNotFound(path, NAME)
        names = [name for name in node.children if name > after]
        return sorted(names) if limit is None else nsmallest(limit, names)

    @deferred
    async def list_holders(
        self,
        path: str,
        held: str,
        after: str = "",
        limit: int | None = None,
        deep: bool = False,
    ) -> list[str]:
        """See IStorageDriver."""
        return await holders_by_asking(
            self, self._clock, path, held, after, limit, deep
        )

    @deferred
    async def move(self, source: str, destination: str) -> None:
        """See IStorageDriver."""
        require_path(source, NAME)
        require_path(destination, NAME)
        file = self._tree.file(source)
        if source != destination:
            self._tree.put(destination, file)
            self._tree.remove(source)

    @deferred
    async def delete(self, path: str) -> None:
        """See IStorageDriver."""
        require_path(path, NAME)
        self._tree.node(path)
        self._tree.remove(path)

    def same(self, path: str, content: bytes) -> Callable[[], bool]:
        """See IQuickLook."""

        def is_same() -> bool:
            file = self._found(path)
            return file is not None and bytes(file.content).strip() == content

        return is_same

    def there(self, path: str, size: int) -> Callable[[], bool]:
        """See IQuickLook."""

        def is_there() -> bool:
            file = self._found(path)
            return file is not None and len(file.content) == size

        return is_there

    def still(
        self, paths: Sequence[str], holds: Callable[[], bool]
    ) -> Callable[[], bool]:
        """See IQuickLook."""
        return holds

    def absent(self, path: str) -> bool:
        """See IQuickLook."""
        try:
            self._tree.node(path)
        except PathNotFound:
            return True
        return False

    def _found(self, path: str) -> _File | None:
        try:
            return self._tree.file(path)
        except PathNotFound:
            return None

    @deferred
    async def redirect_url(self, path: str, method: str, lifetime: float) -> str | None:
        """See IStorageDriver. There is none."""
        require_path(path, NAME)
        return None


@implementer(IFileWriter)
class MemoryWriter(WriterState):
    """A file being written. See IFileWriter. It never pauses a producer."""

    def __init__(
        self,
        tree: _Tree,
        clock: IReactorTime,
        path: str,
        written: _File,
        replaced: _File,
    ) -> None:
        """Take what is written, and the file at the path; they may be one."""
        super().__init__(path, NAME)
        self._tree = tree
        self._clock = clock
        self._path = path
        self._written = written
        self._replaced = replaced
        written.busy = replaced.busy = True

    @property
    def size(self) -> int:
        """See IFileWriter."""
        return len(self._written.content)

    def write(self, data: bytes) -> None:
        """See IFileWriter."""
        self._require_usable()
        self._written.content += data
        self._written.modified = self._clock.seconds()

    @deferred
    async def close(self) -> None:
        """See IFileWriter. Harmless after the end.

        Fails with ``PathNotFound`` if somebody else has removed the file.
        """
        if self._end():
            self._release()
            self._settle_in()

    @deferred
    async def sync(self) -> None:
        """See IFileWriter. Nothing here is more durable than it is."""
        self._require_usable()

    @deferred
    async def commit(self, destination: str | None = None) -> None:
        """See IFileWriter.

        Fails with ``PathNotFound`` if somebody else has removed the file.
        """
        self._require_usable()
        if destination is not None:
            require_path(destination, NAME)
        self._end()
        self._release()
        if destination is None or destination == self._path:
            self._settle_in()
        else:
            self._settle_elsewhere(destination)

    @deferred
    async def cancel(self) -> None:
        """See IFileWriter. Harmless after the end; what it was to replace stays."""
        if self._end():
            self._release()
            if self._is_in_place():
                self._tree.remove(self._path)

    def _release(self) -> None:
        self._written.busy = self._replaced.busy = False

    def _settle_in(self) -> None:
        if self._written is not self._replaced:
            self._tree.put(self._path, self._written)
        elif not self._is_in_place():
            raise PathNotFound(self._path, NAME)

    def _settle_elsewhere(self, destination: str) -> None:
        in_place = self._written is self._replaced
        if in_place and not self._is_in_place():
            raise PathNotFound(self._path, NAME)
        self._tree.put(destination, self._written)
        if in_place:
            self._tree.remove(self._path)

    def _is_in_place(self) -> bool:
        try:
            return self._tree.file(self._path) is self._written
        except PathNotFound:
            return False


@implementer(IStorageDriverFactory)
class MemoryFactory:
    """Makes memory drivers, each with a tree of its own. There are no options."""

    def make_driver(self, reactor: Any, options: Mapping[str, Any]) -> MemoryDriver:
        """See IStorageDriverFactory."""
        refuse_unknown(options, ())
        return MemoryDriver(reactor)


factory: Final = MemoryFactory()


def _segments(path: str) -> list[str]:
    return [] if path == ROOT else path[1:].split("/")
