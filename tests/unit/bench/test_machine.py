"""What is done with the machine before it is measured on."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench import machine

MIB = 1024 * 1024


class MemoryTests(SynchronousTestCase):
    """Memory that nobody uses is used once."""

    def test_used(self) -> None:
        """A process uses all but what is left to others, and ends well."""
        ended: list[Any] = []
        run = subprocess.run

        def keep(argv: Sequence[str], check: bool) -> None:
            ended.append((int(argv[-1]), run(argv, check=check).returncode))

        self.patch(subprocess, "run", keep)
        self.patch(machine, "_free", lambda: machine._LEFT + 8 * MIB)
        machine.use_memory()
        self.assertEqual([(8 * MIB, 0)], ended)

    def test_little(self) -> None:
        """Where little is free it is left alone."""
        self.patch(subprocess, "run", lambda *_, **__: self.fail("was run"))
        self.patch(machine, "_free", lambda: machine._LEFT)
        machine.use_memory()

    def test_free(self) -> None:
        """The kernel says how much is free."""
        self.assertGreater(machine._free(), MIB)
