"""Mounts: file systems that last as long as a test."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Final
from unittest import SkipTest

from tests.real.case import RealTestCase
from tests.real.commands import CommandFailed, need, run
from tests.real.receivers import wait_until

_SHUTDOWN: Final = 0x8004587D  # EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN
_NOTHING_MORE: Final = struct.pack("I", 2)  # without flushing the file system's log


class OwnDisk:
    """A file system of its own, for as long as a test.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, case: RealTestCase, size: int, kind: str = "ext4") -> None:
        """Mount one.

        Args:
            case: The test.
            size: How many bytes it has; few of them are used in the beginning.
            kind: ``ext4`` or ``xfs``.
        """
        need(f"mkfs.{kind}")
        self._image, self.folder = case.folder() / "image", case.folder()
        with self._image.open("wb") as file:
            file.truncate(size)
        run(f"mkfs.{kind}", "-q", self._image)
        self._mount()
        case.addCleanup(insist, "umount", self.folder)

    def shut_down(self) -> None:
        """Let it forget at once what is not on the disk, as when the power goes."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NOTHING_MORE)
        finally:
            os.close(descriptor)

    def mount_again(self) -> None:
        """Mount it anew, when nobody uses it any more."""
        insist("umount", self.folder)
        self._mount()

    def _mount(self) -> None:
        mount("-o", "loop", self._image, self.folder)


def mount(*arguments: str | Path) -> None:
    """Mount something, where that is allowed.

    Raises:
        SkipTest: It is not.
    """
    need("mount", "umount")
    try:
        run("mount", *arguments)
    except CommandFailed as error:
        if os.environ.get("CI") == "true":
            raise
        raise SkipTest("may not mount") from error


def insist(*argv: str | Path) -> None:
    """Run a command again and again until it succeeds, as while a file is open."""

    def succeeds() -> bool:
        try:
            run(*argv)
        except CommandFailed:
            return False
        return True

    wait_until(succeeds, 10)
