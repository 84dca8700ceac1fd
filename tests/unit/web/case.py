"""The case under tests that ask a whole registry over a wire."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer, Wire


class RegistryCase(SynchronousTestCase):
    """A registry in memory, and short ways to ask it.

    Attributes:
        registry: The registry; a test that wants another one replaces it.
    """

    def setUp(self) -> None:
        """Make the registry."""
        self.registry = MemoryRegistry()

    def ask(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request on a connection of its own; see Wire."""
        answer = self.registry.request(method, target, headers, body)
        self.assertEqual(
            "registry/2.0", answer.header("docker-distribution-api-version")
        )
        return answer

    def ask_chunked(
        self,
        method: str,
        target: str,
        pieces: Iterable[bytes],
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request with a chunked body on a connection of its own."""
        wire = self.registry.connect()
        wire.send(chunked(method, target, pieces, headers))
        return wire.answer()

    def assert_refused(self, answer: Answer, status: int, code: str) -> dict[str, Any]:
        """Check that an answer is an error envelope; return its first error."""
        self.assertEqual(status, answer.status, answer.body)
        self.assertEqual("application/json", answer.header("content-type"))
        content = json.loads(answer.body)
        self.assertEqual({"errors"}, content.keys())
        for error in content["errors"]:
            self.assertLessEqual({"code", "message"}, error.keys())
            self.assertLessEqual(error.keys(), {"code", "message", "detail"})
            self.assertIsInstance(error["message"], str)
        first: dict[str, Any] = content["errors"][0]
        self.assertEqual(code, first["code"])
        return first

    def refused(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, str]:
        """Send a request that is refused; return status and code."""
        answer = self.ask(method, target, headers, body)
        return answer.status, self.assert_refused(answer, answer.status, code(answer))[
            "code"
        ]


def code(answer: Answer) -> str:
    """Return the code of an answer's first error."""
    return str(json.loads(answer.body)["errors"][0]["code"])


def head(method: str, target: str, headers: dict[str, str] | None = None) -> bytes:
    """Return a request's header block as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", "Host: registry.test"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def chunked(
    method: str,
    target: str,
    pieces: Iterable[bytes],
    headers: dict[str, str] | None = None,
) -> bytes:
    """Return a request with a chunked body as it goes over the wire."""
    all_headers = {"Transfer-Encoding": "chunked", **(headers or {})}
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return head(method, target, all_headers) + b"".join(chunks) + b"0\r\n\r\n"


def read_all(wire: Wire, has_body: bool = True) -> list[Answer]:
    """Read all answers that a site has written."""
    answers = []
    while wire.transport.value():
        answers.append(wire.answer(has_body))
    return answers
