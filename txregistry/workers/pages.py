"""Pages: what workers are and do, on the debug listener of the one that minds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred

from txregistry.observe.debug import Content, Page, Pages
from txregistry.workers.chief import as_json, content_of
from txregistry.workers.supervising import NoAnswer, Supervisor

_PATIENCE: Final = 5.0  # seconds
_LONGEST_PROFILE: Final = 310.0

# What each process shows of itself.
_ASKED: Final = ("/debug/requests", "/debug/reactor", "/debug/stacks")
_PROFILE: Final = "/debug/profile"

_OURSELVES: Final = "parent"


class WorkerPages:
    """The pages. See Pages."""

    def __init__(self, supervisor: Supervisor, own: Sequence[Pages]) -> None:
        """Take what knows the workers, and pages about this process."""
        self._supervisor = supervisor
        self._own = [page for part in own for page in part.pages()]

    def pages(self) -> Sequence[Page]:
        """See Pages."""
        shown = [Page("/debug/workers", lambda _: self._list(), "the workers")]
        for page in self._own:
            if page.path == _PROFILE:
                title = f"{page.title}, of ?worker=N"
                shown.append(Page(page.path, partial(self._one, page), title))
            elif page.path in _ASKED:
                title = f"{page.title}, of all or of ?worker=N"
                shown.append(Page(page.path, partial(self._all, page), title))
            else:
                shown.append(page)
        return shown

    def _list(self) -> Content:
        found = [
            {
                "worker": worker.number,
                "pid": None if worker.process is None else worker.process.pid,
                "stage": worker.stage.value,
                "since": worker.since,
                "ends": worker.ends,
            }
            for worker in self._supervisor.workers
        ]
        return _json(found)

    async def _one(self, page: Page, parameters: dict[str, str]) -> Content:
        wanted = parameters.get("worker", "")
        if wanted == _OURSELVES:
            return await _content(page, parameters)
        numbers = [str(worker.number) for worker in self._supervisor.workers]
        if wanted not in numbers:
            choice = ", ".join([_OURSELVES, *numbers])
            text = f"say which process, ?worker=N: {choice}\n"
            return Content(text.encode(), status=400)
        patience = _LONGEST_PROFILE if page.path == _PROFILE else _PATIENCE
        try:
            answer = await self._supervisor.ask(
                int(wanted), page.path, parameters, patience
            )
        except NoAnswer as error:
            return Content(f"worker {wanted}: {error}\n".encode(), status=503)
        return content_of(answer)

    async def _all(self, page: Page, parameters: dict[str, str]) -> Content:
        if "worker" in parameters:
            return await self._one(page, parameters)
        names = [_OURSELVES, *(str(each.number) for each in self._supervisor.workers)]
        asking = {
            name: Deferred.fromCoroutine(self._one(page, {"worker": name}))
            for name in names
        }
        return _joined({name: await each for name, each in asking.items()})


async def _content(page: Page, parameters: dict[str, str]) -> Content:
    shown = page.show(parameters)
    return shown if isinstance(shown, Content) else await shown


def _joined(parts: Mapping[str, Content]) -> Content:
    """Join what each process shows: lists to one, objects by name, texts by heading."""
    values = {name: as_json(part) for name, part in parts.items()}
    own = values[_OURSELVES]
    if own is None:
        texts = [f"== {n}\n".encode() + part.body + b"\n" for n, part in parts.items()]
        return Content(b"".join(texts))
    for name, part in parts.items():
        if values[name] is None:
            values[name] = {"problem": part.body.decode().strip()}
    if not isinstance(own, list):
        return _json(values)
    joined: list[Any] = []
    for name, value in values.items():
        items = value if isinstance(value, list) else [value]
        joined += [{"worker": name, **item} for item in items]
    return _json(joined)


def _json(value: object) -> Content:
    return Content(json.dumps(value, indent=2).encode() + b"\n", "application/json")
