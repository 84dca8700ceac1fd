"""Tests of txregistry.web.routes.uploads against a model: any requests, any order."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.web.case import chunked, head
from tests.unit.web.routes.upload_case import START, place, session_of
from txregistry.oci.digest import Digest
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer, Wire

PIECES = st.binary(max_size=70)
ALGORITHMS = st.sampled_from(["sha256", "sha384", "sha512"])


class Sessions(RuleBasedStateMachine):
    """Upload sessions of a repository, and what should be in them.

    Attributes:
        contents: What each session has, by its id.
        blobs: What the repository holds, by digest.
    """

    locations = Bundle("locations")

    def __init__(self, registry: MemoryRegistry, faulty: FaultyDriver) -> None:
        """Take a registry and its store, which is emptied."""
        super().__init__()
        self.registry = registry
        self.faulty = faulty
        faulty.inner = MemoryDriver(registry.clock)
        self.contents: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}

    def ask(self, method: str, target: str, body: bytes = b"", **more: str) -> Answer:
        """Send a request; underscores in headers' names stand for hyphens."""
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        wire = self.registry.connect()
        wire.send(head(method, target, {"Content-Length": f"{len(body)}", **headers}))
        wire.send(body)
        return read(wire)

    def send(self, target: str, body: bytes, whole: bool) -> Answer:
        """Send a chunk, as one piece of known length or in an HTTP chunk."""
        if whole:
            return self.ask("PATCH", target, body)
        wire = self.registry.connect()
        wire.send(chunked("PATCH", target, [body] if body else []))
        return read(wire)

    def check_position(self, answer: Answer, session: str) -> None:
        """Check that an answer says where a session stands."""
        last = max(len(self.contents[session]) - 1, 0)
        assert answer.header("range") == f"0-{last}", answer
        assert session_of(place(answer)) == session

    @rule(target=locations, algorithm=st.none() | ALGORITHMS)
    def start(self, algorithm: str | None) -> str:
        """Begin a session."""
        query = "" if algorithm is None else f"?digest-algorithm={algorithm}"
        location = place(self.ask("POST", START + query))
        self.contents[session_of(location)] = b""
        return location

    @rule(target=locations, location=locations, piece=PIECES, whole=st.booleans())
    def append(self, location: str, piece: bytes, whole: bool) -> str:
        """Send a chunk to a location, which may be an old one."""
        session = session_of(location)
        answer = self.send(location, piece, whole)
        if session not in self.contents:
            assert answer.status == 404, answer
            return location
        if answer.status == 202:
            self.contents[session] += piece
        else:
            assert answer.status == 416, answer
        self.check_position(answer, session)
        return place(answer)

    @rule(target=locations, location=locations, piece=PIECES.filter(len))
    def append_at_end(self, location: str, piece: bytes) -> str:
        """Send a chunk that says where it goes: to where the session stands."""
        session = session_of(location)
        first = len(self.contents.get(session, b""))
        content_range = f"{first}-{first + len(piece) - 1}"
        answer = self.ask("PATCH", location, piece, Content_Range=content_range)
        if session not in self.contents:
            assert answer.status == 404, answer
            return location
        assert answer.status == 202, answer
        self.contents[session] += piece
        self.check_position(answer, session)
        return place(answer)

    @rule(location=locations, piece=PIECES, missing=st.integers(1, 9))
    def leave(self, location: str, piece: bytes, missing: int) -> None:
        """Leave before a chunk's end."""
        session = session_of(location)
        length = {"Content-Length": f"{len(piece) + missing}"}
        wire = self.registry.connect()
        wire.send(head("PATCH", location, length) + piece)
        refused = bool(wire.transport.value())
        wire.hang_up()
        if session in self.contents and not refused:
            self.contents[session] += piece

    @rule(target=locations, location=locations)
    def status(self, location: str) -> str:
        """Ask where a session stands."""
        session = session_of(location)
        answer = self.ask("GET", location)
        if session not in self.contents:
            assert answer.status == 404, answer
            return location
        assert answer.status == 204, answer
        self.check_position(answer, session)
        return place(answer)

    @rule(location=locations, last=PIECES, algorithm=ALGORITHMS)
    def commit(self, location: str, last: bytes, algorithm: str) -> None:
        """End a session with the digest of what it should have."""
        session = session_of(location)
        content = self.contents.get(session, b"") + last
        digest = str(Digest.of(content, algorithm))
        answer = self.ask("PUT", f"{location}&digest={digest}", last)
        if session not in self.contents:
            assert answer.status == 404, answer
        elif answer.status == 201:
            self.blobs[digest] = content
            del self.contents[session]
        else:
            assert answer.status == 416, answer
            self.check_position(answer, session)

    @rule(location=locations)
    def commit_wrong(self, location: str) -> None:
        """End a session with a digest that is none of its."""
        session = session_of(location)
        digest = Digest.of(b"another")
        answer = self.ask("PUT", f"{location}&digest={digest}", b"x")
        if session not in self.contents:
            assert answer.status == 404, answer
        elif answer.status == 400:
            del self.contents[session]
        else:
            assert answer.status == 416, answer

    @rule(location=consumes(locations))
    def cancel(self, location: str) -> None:
        """Cancel a session."""
        session = session_of(location)
        answer = self.ask("DELETE", location)
        assert answer.status == (204 if session in self.contents else 404), answer
        self.contents.pop(session, None)

    @precondition(lambda self: self.contents)
    @rule(data=st.data())
    def lose_states(self, data: Any) -> None:
        """Lose the states of a session's hash."""
        session = data.draw(st.sampled_from(sorted(self.contents)))
        upload = f"/docker/registry/v2/repositories/a/b/_uploads/{session}"
        deleting = self.faulty.delete(f"{upload}/hashstates")
        deleting.addErrback(lambda _: None)  # there may be none

    @rule(digest=st.data())
    def pull(self, digest: Any) -> None:
        """Pull a blob that was pushed."""
        if self.blobs:
            wanted = digest.draw(st.sampled_from(sorted(self.blobs)))
            answer = self.ask("GET", f"/v2/a/b/blobs/{wanted}")
            assert (answer.status, answer.body) == (200, self.blobs[wanted])

    @invariant()
    def nothing_open(self) -> None:
        """Between requests no file is open."""
        assert self.faulty.still_open == []


def read(wire: Wire) -> Answer:
    """Read an answer and close the connection."""
    answer = wire.answer()
    wire.hang_up()
    return answer


class ModelTests(SynchronousTestCase):
    """The registry against the model."""

    def test_sessions(self) -> None:
        """Whatever clients do, sessions have what arrived, and blobs are whole."""
        clock = Clock()
        faulty = FaultyDriver(MemoryDriver(clock))
        registry = MemoryRegistry(driver=faulty, clock=clock)

        class Machine(Sessions):
            def __init__(self) -> None:
                super().__init__(registry, faulty)

        run_state_machine_as_test(
            Machine,
            settings=settings(max_examples=40, stateful_step_count=30, deadline=None),
        )
