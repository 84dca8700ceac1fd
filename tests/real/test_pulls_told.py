"""Tests of pulls that are told of while they are answered fast.

Requests go over several connections, on some of them many before the first answer has
come. Each answer that came has its event, and no other has.
"""

from __future__ import annotations

import re
import socket
from collections import Counter
from typing import Any, Final

from attrs import frozen

from tests.real.case import RealTestCase
from tests.real.daemons import free_port
from tests.real.images import make_image, make_layer, push_image
from tests.real.receivers import Event, Receiver, endpoint, notifications, wait_until
from tests.real.wire import MANIFEST, connected

NAME: Final = "some/name"
_CONNECTIONS: Final = 4
_ROUNDS: Final = 12
_ANSWER: Final = re.compile(
    rb"HTTP/1\.1 (\d+) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n", re.DOTALL
)


@frozen
class Pull:
    """A request and its answer, or the event of one.

    Attributes:
        id: What the answer calls it.
        client: The client's address and port.
        method: The method.
        last: The tag or digest that was asked for.
        digest: What came.
    """

    id: str
    client: str
    method: str
    last: str
    digest: str


class Client:
    """A connection on which requests are sent ahead of the answers."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, number = self._socket.getsockname()
        self.name = f"{host}:{number}"
        self._asked: list[tuple[str, str]] = []
        self._came = b""

    def ask(self, method: str, kind: str, last: str) -> None:
        """Send a request."""
        lines = [
            f"{method} /v2/{NAME}/{kind}/{last} HTTP/1.1",
            "Host: registry.test",
            f"User-Agent: client {self.name}",
            f"Accept: {MANIFEST}",
        ]
        self._asked.append((method, last))
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def answers(self) -> list[Pull]:
        """Return the answers to all that was asked; fewer if the registry hangs up."""
        asked, self._asked = self._asked, []
        found = []
        for method, last in asked:
            headers = self._answer(method)
            if headers is None:
                break
            identifier, digest = (
                headers["x-request-id"],
                headers["docker-content-digest"],
            )
            found.append(Pull(identifier, self.name, method, last, digest))
        return found

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _answer(self, method: str) -> dict[str, str] | None:
        while (matched := _ANSWER.match(self._came)) is None:
            if not self._receive():
                return None
        assert matched[1] == b"200", self._came
        lines = matched[2].decode().splitlines()
        headers = {
            name.lower(): value
            for name, _, value in (each.partition(": ") for each in lines)
        }
        length = 0 if method == "HEAD" else int(headers["content-length"])
        while len(self._came) < matched.end() + length:
            if not self._receive():
                return None
        self._came = self._came[matched.end() + length :]
        return headers

    def _receive(self) -> bool:
        try:
            came = self._socket.recv(1 << 16)
        except ConnectionError:
            return False
        self._came += came
        return bool(came)


class PullsToldTests(RealTestCase):
    """A registry that has answered before, and a receiver that wants pulls."""

    def setUp(self) -> None:
        """Start both, and push two images."""
        self.receiver = self.server(Receiver(self.folder()))
        told = endpoint("receiver", self.receiver.url(), batch=50)
        self.monitor = free_port()
        debug = {"addr": f"127.0.0.1:{self.monitor}", "prometheus": {"enabled": True}}
        self.under_test = self.registry(
            None, "txregistry", {"debug": debug}, notifications(told)
        )
        self.images = [make_image([make_layer({name: b"x"})]) for name in "ab"]
        for image in self.images:
            self.push(image)
        self.last = [
            ("manifests", "latest"),
            ("manifests", self.images[0].digest),
            ("blobs", self.images[0].config_digest),
        ]

    def push(self, image: Any) -> None:
        """Push an image, and have the tag point to it."""
        with connected(self.under_test.port) as wire:
            push_image(wire, NAME, "latest", image)

    def clients(self) -> list[Client]:
        """Connect some clients."""
        clients = [Client(self.under_test.port) for _ in range(_CONNECTIONS)]
        for client in clients:
            self.addCleanup(client.close)
        return clients

    def asked(self, number: int) -> list[tuple[str, str, str]]:
        """Return the requests of a round: methods, kinds, and what is asked for."""
        tag, manifest, _ = self.last
        heads = [("HEAD", *each) for each in self.last[number % 2 :]]
        return [("GET", *tag), *heads, ("GET", *manifest), ("GET", *tag)]

    def pulls(self) -> list[Pull]:
        """Return what the receiver was told of pulls, each event once."""
        events = {each["id"]: each for each in self.receiver.events()}
        return [_pull(each) for each in events.values() if each["action"] == "pull"]

    def test_each(self) -> None:
        """Each pull is told once, as it was, while the tag moves."""
        self.receiver.start()
        hasty, patient = self.clients(), self.clients()
        answered: list[Pull] = []
        for number in range(_ROUNDS):
            for asked in self.asked(number):
                for client in hasty + patient:
                    client.ask(*asked)
                for client in patient:
                    answered += client.answers()
            self.push(self.images[number % 2])
            for client in hasty:
                answered += client.answers()
        wait_until(lambda: len(self.pulls()) >= len(answered))
        self.assertEqual(Counter(answered), Counter(self.pulls()))
        by_tag = {each.digest for each in answered if each.last == "latest"}
        self.assertEqual({image.digest for image in self.images}, by_tag)
        self.assertGreater(_hits(self.monitor), 2 * _ROUNDS * _CONNECTIONS)
        for event in self.receiver.events():
            if event["action"] == "pull":
                self.check(event)

    def check(self, event: Event) -> None:
        """Check what the events of all clients here have in common."""
        target, request = event["target"], event["request"]
        kind = "manifests" if target["mediaType"] == MANIFEST else "blobs"
        path = f"/v2/{NAME}/{kind}/{target['digest']}"
        self.assertEqual(f"http://registry.test{path}", target["url"])
        self.assertEqual(target["size"], target["length"])
        self.assertEqual(NAME, target["repository"])
        self.assertEqual("registry.test", request["host"])
        self.assertEqual(f"client {request['addr']}", request["useragent"])
        self.assertEqual({}, event["actor"])

    def test_killed(self) -> None:
        """Who got an answer has its event, although the registry was killed then."""
        clients = self.clients()
        answered: list[Pull] = []
        for number in range(3):
            for client in clients:
                for asked in self.asked(number):
                    client.ask(*asked)
            if number < 2:
                for client in clients:
                    answered += client.answers()
        answered += clients[0].answers()
        self.under_test.daemon.kill()
        for client in clients[1:]:
            answered += client.answers()
        self.receiver.start()
        self.under_test.start()
        wait_until(lambda: set(answered) <= set(self.pulls()))
        self.assertEqual(len(answered), len(set(answered)))


def _pull(event: Event) -> Pull:
    target, request = event["target"], event["request"]
    last = target.get("tag", target["digest"])
    return Pull(
        request["id"], request["addr"], request["method"], last, target["digest"]
    )


def _hits(port: int) -> int:
    """Return how often a registry has given an answer again."""
    with connected(port) as wire:
        page = wire.ask("GET", "/metrics", expect=200).body.decode()
    hits = re.search(r'lookups_total\{cache="content",outcome="hit"\} (\d+)', page)
    return 0 if hits is None else int(hits[1])
