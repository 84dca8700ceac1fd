"""Puts: small files that are written whole. No Twisted, as ``clerk_process`` has it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from txregistry.storage.disk import Disk, persistently, write_all
from txregistry.storage.records import Written


class PutStep:
    """A small file is written whole, over what is there. See Step."""

    writes = True
    is_light = False

    def __init__(self, disk: Disk, path: str, content: bytes) -> None:
        """Take the disk, the driver's path, and the content."""
        self.path = path
        self.descriptors: Sequence[int] = ()
        self._disk = disk
        self._place = disk.place(path)
        self.folder = os.path.dirname(self._place)
        self._content = content
        self._temporary: str | None = None

    def prepare(self) -> None:
        """See Step."""
        descriptor = persistently(self._create)
        self.descriptors = (descriptor,)
        write_all(descriptor, self._content)

    def take_effect(self) -> None:
        """See Step."""
        assert self._temporary is not None
        self._disk.rename(self._temporary, self._place)
        self._temporary = None

    def take_effect_anew(self) -> None:
        """See Step."""
        self._disk.put(self._place, self._content)

    @property
    def entry(self) -> Written:
        """See Step."""
        return Written(self.path, self._content)

    @property
    def leaves(self) -> bool:
        """See Step."""
        return self._temporary is not None

    def close(self) -> None:
        """Give up the open file, which need not be synced, or is."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()

    def end(self) -> None:
        """See Step."""
        self.close()
        if self._temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)

    def _create(self) -> int:
        temporary = self._disk.temporary(self._place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            descriptor = os.open(temporary, flags, 0o666)
        except FileNotFoundError:
            self._disk.add_directory(self.folder)
            descriptor = os.open(temporary, flags, 0o666)
        self._temporary = temporary
        return descriptor
