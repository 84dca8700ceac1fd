"""Deliveries: how a registry's messages fare with receivers of several kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.real.case import RealTestCase
from tests.real.differences import NOTHING, Difference
from tests.real.events import EVENTS
from tests.real.images import digest_of
from tests.real.receivers import Message, Receiver, endpoint, notifications, wait_until
from tests.real.registries import Registry
from tests.real.wire import connected

Findings = Mapping[tuple[str, str], str]

_ANSWERS: Final = (302, 307, 304, 410, 500)
_GO_KEYS: Final = frozenset(
    {"name", "url", "timeout", "threshold", "backoff", "ignore"}
)
_OF_EACH_MESSAGE: Final = frozenset({"host", "content-length"})


def compare_findings(go: Findings, ours: Findings) -> Iterator[Difference]:
    """Tell in what two registries' findings differ."""
    for subject, aspect in sorted(go.keys() | ours.keys()):
        texts = [each.get((subject, aspect), NOTHING) for each in (go, ours)]
        if texts[0] != texts[1]:
            yield Difference(subject, aspect, *texts)


class Deliveries:
    """What becomes of a registry's messages.

    Each method returns texts, by what they are about and by the aspect of it.
    """

    def __init__(self, case: RealTestCase, kind: str) -> None:
        """Take who stops what is started here, and the kind of registry."""
        self._case = case
        self._kind = kind

    def told(self, name: str, url: str, **options: Any) -> dict[str, Any]:
        """Return the settings of an endpoint for this kind of registry."""
        settings = endpoint(name, url, **options)
        if self._kind == "go":
            return {key: settings[key] for key in _GO_KEYS if key in settings}
        return {**settings, "envelope": "v1"}

    def find(self) -> Findings:
        """Return all there is to find."""
        return {**self._answers(), **self._killed()}

    def _answers(self) -> Findings:
        """Push, pull, and push, with receivers that answer this and that."""
        receiver = self._case.server(Receiver(self._case.folder())).start()
        other = self._case.server(Receiver(self._case.folder())).start()
        endpoints = [self.told("good", receiver.url("/good"))]
        for status in _ANSWERS:
            orders: dict[str, Any] = {"status": status}
            if status in (302, 307):
                orders["location"] = other.url(f"/{status}")
            url = receiver.url(f"/{status}", **orders)
            endpoints.append(self.told(f"answers {status}", url))
        ignoring = self.told(
            "ignoring", receiver.url("/ignoring"), ignore={"actions": ["pull"]}
        )
        registry = self._registry(notifications(*endpoints, ignoring))
        with connected(registry.port) as wire:
            for content in (b"first", b"second"):
                wire.push_blob("app", digest_of(content), content)
                if content == b"first":
                    wire.pull_blob("app", digest_of(content))
        count = len(receiver.wait_for_events(3, "/good"))
        found = _message(receiver.messages("/good")[0])
        for status in _ANSWERS:
            path, subject = f"/{status}", f"a receiver that answers {status}"
            wait_until(lambda: _is_settled(receiver, path, count))  # noqa: B023
            methods = {message.method for message in other.messages(path)}
            found[subject, "asked elsewhere"] = "+".join(sorted(methods)) or NOTHING
            found[subject, EVENTS] = f"{_different(receiver, path)} of {count}"
        last = digest_of(b"second")
        wait_until(lambda: last in _digests(receiver, "/ignoring"))
        actions = {event["action"] for event in receiver.events("/ignoring")}
        found["ignore.actions: [pull]", EVENTS] = "+".join(sorted(actions))
        return found

    def _killed(self) -> Findings:
        """Push while nobody listens, kill the registry, and push again."""
        receiver = self._case.server(Receiver(self._case.folder()))
        told = notifications(self.told("receiver", receiver.url()))
        registry = self._registry(told, {"relativeurls": True})
        with connected(registry.port) as wire:
            wire.push_blob("app", digest_of(b"earlier"), b"earlier")
        registry.daemon.kill()
        receiver.start()
        registry.start()
        with connected(registry.port) as wire:
            wire.push_blob("app", digest_of(b"later"), b"later")
        wait_until(lambda: digest_of(b"later") in _digests(receiver, "/hook"))
        texts = (b"earlier", b"later")
        names = {digest_of(text): text.decode() for text in texts}
        arrived = [names[digest] for digest in _digests(receiver, "/hook")]
        url: str = receiver.events()[-1]["target"]["url"]
        return {
            ("a registry that is killed", EVENTS): "+".join(arrived),
            ("relativeurls", "target.url"): url.replace(str(registry.port), "<port>"),
        }

    def _registry(
        self, settings: Mapping[str, Any], http: Mapping[str, Any] | None = None
    ) -> Registry:
        return self._case.registry(None, self._kind, http, settings)


def _message(message: Message) -> dict[tuple[str, str], str]:
    """Return what a message looks like."""
    found = {
        ("a message", name): value
        for name, value in message.headers.items()
        if name not in _OF_EACH_MESSAGE
    }
    form = "indented" if b"\n" in message.body else "in one line"
    return {**found, ("a message", "body"): form}


def _is_settled(receiver: Receiver, path: str, count: int) -> bool:
    """Say whether all events have come to a path, or one again and again."""
    different = _different(receiver, path)
    return different == count or len(receiver.messages(path)) > different + 2


def _different(receiver: Receiver, path: str) -> int:
    return len({event["id"] for event in receiver.events(path)})


def _digests(receiver: Receiver, path: str) -> list[str]:
    return [event["target"]["digest"] for event in receiver.events(path)]
