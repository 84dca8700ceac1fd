"""Two processes on one store."""

from __future__ import annotations

import os
import sys

from twisted.internet.utils import getProcessOutput
from twisted.trial.unittest import TestCase

from tests.unit.storage import other_process
from tests.unit.storage.places import new_place
from txregistry.storage.disk import Disk
from txregistry.storage.filesystem import FilesystemDriver
from txregistry.threads import in_threads_of


class ProcessesTests(TestCase):
    """This process and another one write to one file."""

    def setUp(self) -> None:
        """Choose the store."""
        from twisted.internet import reactor

        self.root = new_place(self)
        self.driver = FilesystemDriver(Disk(self.root), reactor, in_threads_of(reactor))

    async def test_busy_and_resumed(self) -> None:
        """The other one is refused while we write, and goes on where we stopped."""
        writer = await self.driver.open_writer("/d/file")
        writer.write(b"one ")
        self.assertEqual("busy", await self.other("/d/file", "two "))
        await writer.close()
        self.assertEqual("4 8", await self.other("/d/file", "two "))
        writer = await self.driver.open_writer("/d/file", append=True)
        writer.write(b"three")
        await writer.commit()
        content = await self.driver.get_content("/d/file")
        self.assertEqual(b"one two three", content)

    async def other(self, path: str, text: str) -> str:
        """Let another process append; return what it prints."""
        output: bytes = await getProcessOutput(
            sys.executable,
            ("-m", other_process.__name__, self.root, path, text),
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            errortoo=True,
        )
        return output.decode("utf-8").strip()
