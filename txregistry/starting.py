"""Starting: what a process does before there is anything to serve."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import what a program is made of meanwhile, and look for no garbage.

    Modules make hardly any, but so much else that all of it would be looked through
    again and again: a sixth of the time that they take.
    """
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()
