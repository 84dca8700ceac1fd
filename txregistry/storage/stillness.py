"""Stillness: files that were looked at, and to which nothing has happened since.

To look at a file takes the kernel a walk along its path, 2 us, and an answer that is
given again takes two such looks at each request, a third of what it costs. The kernel
also notes what happens (inotify): whether it has noted anything at all is one question,
0.4 us, for all files together, and asked at each request. It notes a change before
whoever made it hears that it is made. So nothing is taken for still that has changed.
Only what is written by a mapping (mmap), or asynchronously, is not noted before whoever
wrote it closes the file; neither we nor other registries write so.

This is good for what cannot change unseen:

- files of file systems of which the kernel tells all: others may be changed by other
  machines, or, as Btrfs, lose a folder with all that is in it without a word;
- with all folders above them, which might be renamed, and without symbolic links;
- as long as nothing is mounted or unmounted, which the kernel tells as well.

Whatever is not so, or cannot be watched, is looked at each time.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from select import POLLIN, POLLPRI, poll
from stat import S_ISDIR, S_ISLNK
from struct import Struct
from typing import Any, Final
from weakref import ref

from txregistry.storage.file_systems import tells_of_file, tells_of_folder

# After so many looks at the same it is worth while to have it watched, which costs some
# 20 of them; each time that something has happened, or that it cannot be watched, twice
# as many, up to the second.
_OFTEN: Final = 24
_MOST_OFTEN: Final = 4096

# From so many looks on it is seen now and then which of them are gone.
_MANY: Final = 64

# So many files and folders are watched at the most; each takes the kernel about 1 KiB.
MOST: Final = 8192

# Nor more than one in so many of those that a user's processes may have watched: others
# need some, too, and other processes of ours. Many kernels allow 8192 in all.
_SHARE: Final = 8
_ALLOWED: Final = "/proc/sys/fs/inotify/max_user_watches"

# From Linux's <sys/inotify.h>.
_MODIFY: Final = 0x2
_ATTRIB: Final = 0x4  # and how many links there are, as when it is replaced or removed
_CLOSE_WRITE: Final = 0x8
_MOVED_FROM: Final = 0x40
_DELETE_SELF: Final = 0x400
_MOVE_SELF: Final = 0x800
_Q_OVERFLOW: Final = 0x4000
_IGNORED: Final = 0x8000
_DONT_FOLLOW: Final = 0x2000000
_MASK_ADD: Final = 0x20000000  # else one look would have less noted for another
_SELF: Final = _ATTRIB | _DELETE_SELF | _MOVE_SELF | _DONT_FOLLOW | _MASK_ADD
_FOLDER: Final = _SELF | _MOVED_FROM
_FILE: Final = _SELF | _MODIFY | _CLOSE_WRITE

# Watch, what happened, cookie, length of a name: then it happened to what is in there.
_EVENT: Final = Struct("iIII")
_EVENTS: Final = 64 * 1024  # bytes that are read at a time
_MOUNTS: Final = "/proc/self/mountinfo"


class Stillness:
    """Has the kernel note what happens to files. Not for two threads."""

    def __init__(self, place: Callable[[str], bytes], most: int = MOST) -> None:
        """Watch nothing yet.

        Args:
            place: Returns the absolute path at which a driver's path lies.
            most: So many files and folders are watched at the most, if the kernel
                allows some times as many.
        """
        self._place = place
        self._most = self._room = most
        self._looks: dict[int, set[ref[StillLook]]] = {}
        self._watched: set[ref[StillLook]] = set()  # whoever may be in them
        self._names: set[bytes] = set()  # of all folders and files on the way to any
        self._tells: dict[tuple[int, bool], bool] = {}
        self._notes = self._mounts = -1
        self._poll = poll()

    def look(self, paths: Sequence[str], holds: Callable[[], bool]) -> StillLook:
        """Return what says the same as a look at files, and often faster.

        Args:
            paths: The files' paths in the driver.
            holds: Looks; it says nothing but what these files, as they are, decide.
        """
        return StillLook(self, paths, holds)

    def watch(self, look: StillLook) -> Callable[[int], Sequence[object]] | None:
        """Have a look hear of whatever happens to its files from now on.

        Returns:
            Says, when called with 0, whether anything has happened, to whatever file:
            ``hear`` takes that; None: its files cannot be watched.
        """
        try:
            if self._notes < 0:
                self._open()
            elif len(self._looks) >= self._room:
                self.close()
                self._open()
            places = [self._place(path) for path in look.paths]
            if not all(self._is_good(place, is_last=True) for place in places):
                return None  # as on most file systems; so it is seen soon
            _add(look, self._watched)
            for place in places:
                self._names.update(place.split(b"/"))
                for each, is_last in _along(place):
                    if not self._add(each, is_last, look):
                        return None
        except OSError:  # more than there may be; or there is none of it any more
            return None
        return self._poll.poll

    def hear(self, happened: Sequence[object]) -> None:
        """Tell looks of what has happened.

        Args:
            happened: What said that something has.
        """
        if happened != [(self._notes, POLLIN)] or not self._read():
            # What cannot be told is told to all. They go on to be watched: to end that
            # takes the kernel more than 10 ms, and where containers come and go there
            # is something mounted again and again.
            self._tells.clear()
            self._unsettle_all()

    def close(self) -> None:
        """Watch nothing any more, until there is something to watch."""
        self._unsettle_all()
        self._looks.clear()
        self._names.clear()
        self._tells.clear()
        for descriptor in (self._notes, self._mounts):
            if descriptor >= 0:
                os.close(descriptor)
        self._notes = self._mounts = -1
        self._poll = poll()

    def _unsettle_all(self) -> None:
        _unsettle(self._watched)
        self._watched.clear()

    def _open(self) -> None:
        """Begin to hear.

        Raises:
            OSError: That cannot be done.
        """
        with open(_ALLOWED, "rb") as file:
            self._room = min(self._most, int(file.read()) // _SHARE)
        mounts = os.open(_MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            how = os.O_NONBLOCK | os.O_CLOEXEC
            self._notes = _checked(_library().inotify_init1(how))
        except BaseException:
            os.close(mounts)
            raise
        self._mounts = mounts
        self._poll.register(self._mounts, POLLPRI)
        self._poll.register(self._notes, POLLIN)
        self._poll.poll(0)  # what was mounted before

    def _add(self, place: bytes, is_last: bool, look: StillLook) -> bool:
        """Watch a file, or a folder above it; say whether that is good for anything."""
        what = _FILE if is_last else _FOLDER
        watch = _checked(_library().inotify_add_watch(self._notes, place, what))
        _add(look, self._looks.setdefault(watch, set()))
        # Only now, so that nothing is changed unseen behind this.
        return self._is_good(place, is_last)

    def _is_good(self, place: bytes, is_last: bool) -> bool:
        """Say whether the kernel tells of whatever happens to a file, or a folder."""
        status = os.lstat(place)
        if S_ISLNK(status.st_mode) or S_ISDIR(status.st_mode) is is_last:
            return False
        key = status.st_dev, is_last
        if key not in self._tells:
            self._tells[key] = (tells_of_file if is_last else tells_of_folder)(place)
        return self._tells[key]

    def _read(self) -> bool:
        """Tell looks of what is noted; say whether that was all."""
        looks = self._looks
        with suppress(BlockingIOError):
            while True:
                came, begin = os.read(self._notes, _EVENTS), 0
                while begin < len(came):
                    watch, what, _, size = _EVENT.unpack_from(came, begin)
                    begin += _EVENT.size + size
                    if what & _Q_OVERFLOW:
                        return False
                    if not size:
                        _unsettle(looks.get(watch, ()))
                    elif what & _MOVED_FROM:
                        name = came[begin - size : begin].rstrip(b"\0")
                        if name in self._names:  # else it is some other, as most are
                            self._moved(name, looks.get(watch, ()))
                    if what & _IGNORED:  # it is gone, and its number may be another's
                        looks.pop(watch, None)
        return True

    def _moved(self, name: bytes, looks: Iterable[ref[StillLook]]) -> None:
        """Tell those looks that go by a name, which is no more in a folder.

        It may be that of a folder with something mounted on it, which hides it, so that
        it cannot be watched. It can be renamed where nothing is: in another namespace.
        """
        for each in looks:
            look = each()
            paths = () if look is None else look.paths
            if any(name in self._place(path).split(b"/") for path in paths):
                _unsettle([each])


class StillLook:
    """A look at files that is taken again and again.

    Attributes:
        paths: The files' paths in the driver.
    """

    __slots__ = (
        "__weakref__",
        "_happened",
        "_holds",
        "_often",
        "_stillness",
        "_times",
        "paths",
    )

    def __init__(
        self, stillness: Stillness, paths: Sequence[str], holds: Callable[[], bool]
    ) -> None:
        """See ``Stillness.look``."""
        self.paths = paths
        self._stillness = stillness
        self._holds = holds
        self._times, self._often = 0, _OFTEN
        self._happened: Callable[[int], Sequence[object]] | None = None

    @property
    def is_still(self) -> bool:
        """Whether it would not look now, unless something is heard of."""
        return self._happened is not None

    def holds(self) -> bool:
        """Look, if nothing says that what was found is still so."""
        if self._happened is not None:
            happened = self._happened(0)
            if not happened:
                return True
            self._stillness.hear(happened)
            if self._happened is not None:
                return True
        self._times += 1
        if self._times < self._often:
            return self._holds()
        self._times, self._often = 0, min(2 * self._often, _MOST_OFTEN)
        # What happens while it looks is heard of when it is asked the next time.
        heard = self._stillness.watch(self)
        if not self._holds():
            return False
        self._happened = heard
        return True

    def unsettle(self) -> None:
        """Hear that something may have happened to a file."""
        self._happened = None


def _add(look: StillLook, looks: set[ref[StillLook]]) -> None:
    """Add a look; see now and then which of those that are there are gone."""
    looks.add(ref(look))
    if len(looks) >= _MANY and len(looks).bit_count() == 1:
        looks -= {each for each in looks if each() is None}


def _unsettle(looks: Iterable[ref[StillLook]]) -> None:
    for each in looks:
        look = each()
        if look is not None:
            look.unsettle()


def _along(place: bytes) -> Iterator[tuple[bytes, bool]]:
    """Return the folders on the way to a file, and it, each with whether it is it."""
    yield b"/", False
    end = 0
    while (end := place.find(b"/", end + 1)) > 0:
        yield place[:end], False
    yield place, True


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


@cache
def _library() -> Any:
    return ctypes.CDLL(None, use_errno=True)
