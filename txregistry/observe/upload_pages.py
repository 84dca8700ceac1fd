"""Upload pages: the upload sessions that were seen last, on the debug listener."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from txregistry.observe.debug import Content, Page


class UploadPages:
    """The sessions that this process saw last."""

    def __init__(
        self, uploads: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
    ) -> None:
        """Take what returns them as they are now."""
        self._uploads = uploads

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        return [Page("/debug/uploads", self._show, "uploads that have not ended")]

    async def _show(self, _parameters: dict[str, str]) -> Content:
        shown = json.dumps(await self._uploads(), indent=2).encode() + b"\n"
        return Content(shown, "application/json")
