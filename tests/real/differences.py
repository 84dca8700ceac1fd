"""Differences: what two registries answer otherwise, and what we know of that."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from tests.real.exchange import Answer, Player, Step, shortened

ANSWER: Final = "answer"
"""The aspect that is looked at first: where it differs, no other is."""

BODY: Final = "body"
STORE: Final = "store"

NOTHING: Final = "-"
"""What stands for something that is not there."""

_FOLDER: Final = Path(__file__).parent
_BASE: Final = "docker/registry/v2/"
_BETWEEN: Final = " | "
_LONGEST: Final = 300
_IGNORED: Final = frozenset({"date", "server", "x-content-type-options"})
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@frozen
class Difference:
    """Something that two registries do otherwise.

    Attributes:
        subject: The request, or the place in the store.
        aspect: ``answer`` (the status and the codes of errors), ``body``, ``store``, or
            a header's name in lower case.
        go: What the Go registry does; ``-`` for nothing.
        ours: What ours does.
    """

    subject: str
    aspect: str
    go: str
    ours: str

    def __str__(self) -> str:
        """Return a line about it."""
        return _BETWEEN.join((self.subject, self.aspect, self.go, self.ours))


@frozen
class Case:
    """Differences that are alike, and meant.

    Attributes:
        name: The name of what it belongs to; it stands in ``docs/differences.md``.
        line: A difference's line; in each of its four parts ``*`` stands for any text.
    """

    name: str
    line: str

    def covers(self, difference: Difference) -> bool:
        """Say whether a difference is one of these."""
        subject, aspect, go, ours = self.line.split(_BETWEEN)
        return (
            _matches(aspect, difference.aspect)
            and _matches(go, difference.go)
            and _matches(ours, difference.ours)
            and _matches(subject, difference.subject)
        )


def load_known(what: str = "differences") -> list[Case]:
    """Read the differences that are meant: tables of ``why`` and ``cases`` by name.

    Args:
        what: ``differences`` of answers and stores, or ``events``.
    """
    tables = tomllib.loads((_FOLDER / f"known_{what}.toml").read_text())
    return [Case(name, line) for name in tables for line in tables[name]["cases"]]


def explain(
    differences: Sequence[Difference], cases: Sequence[Case]
) -> tuple[list[Difference], list[Case]]:
    """Find the differences that nobody knows, and the cases that there are none of.

    A difference counts for the first case that covers it.
    """
    unknown = []
    unused = dict.fromkeys(cases)
    for difference in differences:
        for case in cases:
            if case.covers(difference):
                unused.pop(case, None)
                break
        else:
            unknown.append(difference)
    return unknown, list(unused)


def compare_answers(step: Step, go: Answer, ours: Answer) -> Iterator[Difference]:
    """Tell in what the answers to a request differ."""
    pairs: Iterator[tuple[str, str, str]]
    if go.summary() != ours.summary():
        pairs = iter([(ANSWER, go.summary(), ours.summary())])
    else:
        pairs = _compare_rest(go, ours)
    for aspect, theirs, own in pairs:
        if theirs != own:
            said = (shortened(text)[:_LONGEST] for text in (theirs, own))
            yield Difference(str(step), aspect, *said)


def compare_stores(go: Mapping[str, str], ours: Mapping[str, str]) -> list[Difference]:
    """Tell in what two stores differ; see ``store_content``."""
    return [
        Difference(path, STORE, go.get(path, NOTHING), ours.get(path, NOTHING))
        for path in sorted(go.keys() | ours.keys())
        if go.get(path) != ours.get(path)
    ]


def store_content(tree: Path, player: Player) -> dict[str, str]:
    """Say what is in each file of a store, with what is different each time made alike.

    Args:
        tree: The store's root folder.
        player: What played the script, and named the upload sessions.
    """
    files = (path for path in sorted(tree.rglob("*")) if path.is_file())
    content = {}
    for path in files:
        place = player.named(str(path.relative_to(tree)))
        content[shortened(place.removeprefix(_BASE))] = _say_file(path)
    return content


def _compare_rest(go: Answer, ours: Answer) -> Iterator[tuple[str, str, str]]:
    for name in sorted((go.headers.keys() | ours.headers.keys()) - _IGNORED):
        if name != "content-length" or _is_plain(go):
            theirs, own = go.headers.get(name), ours.headers.get(name)
            yield name, theirs or NOTHING, own or NOTHING
    if go.status < 400:
        yield BODY, _say_body(go), _say_body(ours)


def _is_plain(answer: Answer) -> bool:
    """Say whether the length of a body is a matter of its content, not of spelling."""
    return answer.status < 400 and _json(answer) is None


def _json(answer: Answer) -> Any:
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _say_body(answer: Answer) -> str:
    content = _json(answer)
    if content is not None:
        return json.dumps(content, sort_keys=True)
    return f"{len(answer.body)} bytes {hashlib.sha256(answer.body).hexdigest()[:12]}"


def _say_file(path: Path) -> str:
    content = path.read_bytes()
    if path.name == "link":
        return shortened(content.decode())
    if path.name == "startedat" and _TIME.fullmatch(content.decode()):
        return "a time"
    return f"{len(content)} bytes {hashlib.sha256(content).hexdigest()[:12]}"


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.compile(".*".join(parts), re.DOTALL)
