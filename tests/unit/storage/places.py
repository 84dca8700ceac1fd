"""Places: where tests of storage have their trees."""

from __future__ import annotations

import os
import shutil
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase


def new_place(case: SynchronousTestCase) -> str:
    """Return a path where nothing is, in a folder that goes when the test ends.

    It is in memory where the system has such a file system: hundreds of tests sync all
    that they write, and that would be most of their time.
    """
    memory = "/dev/shm"
    folder = mkdtemp(
        prefix="txregistry-", dir=memory if os.access(memory, os.W_OK) else None
    )
    case.addCleanup(shutil.rmtree, folder, ignore_errors=True)
    return f"{folder}/place"
