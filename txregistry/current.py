"""Current: the request that the running code works for. A leaf."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str | None]] = ContextVar(
    "txregistry.request_id", default=None
)
"""Its id; None: it works for none. A coroutine keeps the one that it was started with.

What a ContextVar is for stands and falls with its being one for the whole process.
"""

trace_id: Final[ContextVar[str | None]] = ContextVar(
    "txregistry.trace_id", default=None
)
"""The id of its trace; None: it has none."""
