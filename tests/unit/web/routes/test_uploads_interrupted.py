"""Tests of txregistry.web.routes.uploads: what comes between, and how it goes on."""

from __future__ import annotations

from tests.unit.registry.test_hashstates import NO_STATES
from tests.unit.web.case import head
from tests.unit.web.routes.upload_case import (
    CONTENT,
    DIGEST,
    UploadCase,
    place,
    session_of,
)
from txregistry.oci.digest import Digest
from txregistry.registry.layout import REPOSITORIES
from txregistry.registry.uploads import PATIENCE, STEP
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import on
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Wire


class InterruptedCase(UploadCase):
    """A registry on a driver that knows what was asked of it."""

    def setUp(self) -> None:
        """Make the registry and begin a session."""
        super().setUp()
        self.faulty = FaultyDriver(self.registry.driver)
        self.registry = MemoryRegistry(driver=self.faulty)
        self.location = self.start()

    def begin(self, location: str, part: bytes, length: int = 10) -> Wire:
        """Begin to send a chunk and return the connection."""
        wire = self.registry.connect()
        wire.send(head("PATCH", location, {"Content-Length": str(length)}) + part)
        return wire

    def leave_after(self, part: bytes) -> str:
        """Leave in the middle of a chunk; return where the session goes on."""
        self.begin(self.location, part).hang_up()
        return self.assert_stands(self.location, len(part))

    def state_path(self, offset: int, algorithm: str = "sha256") -> str:
        """Return where the state of a hash lies."""
        session = f"{REPOSITORIES}/a/b/_uploads/{session_of(self.location)}"
        return f"{session}/hashstates/{algorithm}/{offset}"

    def delete_state(self, offset: int) -> None:
        """Delete the state of a hash."""
        self.successResultOf(self.faulty.delete(self.state_path(offset)))

    def finish(self, location: str, digest: Digest = DIGEST) -> None:
        """Send what is missing behind the fourth byte, and see that all is well."""
        self.faulty.operations.clear()
        answer = self.append(location, CONTENT[4:], "4-9")
        self.assertEqual(202, answer.status)
        self.assertEqual(201, self.commit(place(answer), digest).status)
        self.assert_pullable(digest)


class ResumeTests(InterruptedCase):
    """A client that lost its connection comes back."""

    def test_patch(self) -> None:
        """A session goes on where the last byte that arrived left it."""
        self.finish(self.leave_after(CONTENT[:4]))
        self.assertEqual([], self.faulty.still_open)

    def test_put(self) -> None:
        """So it does when the connection was lost in the last request."""
        self.location = place(self.append(self.location, b""))
        wire = self.registry.connect()
        target = f"{self.location}&digest={DIGEST}"
        wire.send(head("PUT", target, {"Content-Length": "10"}) + CONTENT[:4])
        wire.hang_up()
        self.finish(self.assert_stands(self.location, 4))

    def test_small(self) -> None:
        """A small blob in one piece begins anew."""
        wire = self.registry.connect()
        target = f"{self.location}&digest={DIGEST}"
        wire.send(head("PUT", target, {"Content-Length": "10"}) + CONTENT[:4])
        wire.hang_up()
        self.assertEqual(201, self.commit(self.location, DIGEST, CONTENT).status)
        self.assert_pullable()

    def test_chunked(self) -> None:
        """So it does when the body was chunked."""
        wire = self.registry.connect()
        headers = {"Transfer-Encoding": "chunked"}
        wire.send(head("PATCH", self.location, headers) + b"4\r\n0123\r\n5\r\n")
        wire.hang_up()
        self.finish(self.assert_stands(self.location, 4))

    def test_malformed(self) -> None:
        """A broken chunk ends the request with a 400; what was good before it stays."""
        wire = self.registry.connect()
        headers = {"Transfer-Encoding": "chunked"}
        wire.send(head("PATCH", self.location, headers) + b"4\r\n0123\r\nxyz\r\n")
        self.assertEqual(400, wire.answer().status)
        self.finish(self.assert_stands(self.location, 4))

    def test_many_times(self) -> None:
        """A session may be interrupted at each byte."""
        location = self.location
        for count, byte in enumerate(CONTENT, 1):
            self.begin(location, bytes([byte]), 99).hang_up()
            location = self.assert_stands(location, count)
        self.assertEqual(201, self.commit(location).status)
        self.assert_pullable()


class HashTests(InterruptedCase):
    """What was hashed before the connection was lost."""

    skip = NO_STATES

    def test_hash_restored(self) -> None:
        """What was hashed before is not read again."""
        self.finish(self.leave_after(CONTENT[:4]))
        self.assertNotIn("open_reader", self.names_before_pull())

    def test_hash_lost(self) -> None:
        """Without a state of the hash the bytes are read again."""
        location = self.leave_after(CONTENT[:4])
        self.delete_state(4)
        self.finish(location)
        self.assertIn("open_reader", self.names_before_pull())

    def test_hash_behind(self) -> None:
        """With a state from before, only the bytes behind it are read again."""
        location = place(self.append(self.location, CONTENT[:3], "0-2"))
        location = place(self.append(location, CONTENT[3:4], "3-3"))
        self.delete_state(4)
        self.finish(location)
        self.assertIn("open_reader", self.names_before_pull())

    def test_hash_foreign(self) -> None:
        """A state that is none is not used, nor is one of another offset."""
        location = self.leave_after(CONTENT[:4])
        state = self.successResultOf(self.faulty.get_content(self.state_path(4)))
        for name, content in (
            ("4", b"junk"),
            ("3", state),
            ("2", b""),
            ("1" * 25, state),
            ("x", state),
        ):
            path = self.state_path(0)[:-1] + name
            self.successResultOf(self.faulty.put_content(path, content))
        self.finish(location)

    def test_hash_ahead(self) -> None:
        """A state from behind the last byte that is there is not used."""
        location = self.leave_after(CONTENT[:4])
        state = self.successResultOf(self.faulty.get_content(self.state_path(4)))
        self.delete_state(4)
        self.successResultOf(self.faulty.put_content(self.state_path(8), state))
        self.finish(location)

    def test_other_algorithm(self) -> None:
        """A session that was begun for sha512 keeps states of that."""
        self.location = self.start("?digest-algorithm=sha512")
        location = self.leave_after(CONTENT[:4])
        stat = self.faulty.stat(self.state_path(4, "sha512"))
        self.assertFalse(self.successResultOf(stat).is_directory)
        self.finish(location, Digest.of(CONTENT, "sha512"))
        self.assertNotIn("open_reader", self.names_before_pull())

    def names_before_pull(self) -> list[str]:
        """Return what was asked of the driver until the blob was pulled."""
        names = [operation.name for operation in self.faulty.operations]
        return names[: names.index("commit")]


class TwoWritersTests(InterruptedCase):
    """Two requests write to one session."""

    def test_other_ends(self) -> None:
        """The second waits for the first, and is then out of place."""
        one = self.begin(self.location, CONTENT[:4])
        location = self.assert_stands(self.location, 4)
        other = self.begin(location, CONTENT[4:], 6)
        one.send(CONTENT[4:])
        self.assertEqual(202, one.answer().status)
        self.registry.clock.advance(STEP)
        self.assert_elsewhere(other.answer(), 10)
        self.assert_stands(self.location, 10)

    def test_other_leaves(self) -> None:
        """The second goes on if the first leaves without having brought a byte."""
        one = self.begin(self.location, b"")
        other = self.begin(self.location, CONTENT)
        one.hang_up()
        self.registry.clock.advance(STEP)
        answer = other.answer()
        self.assertEqual((202, "0-9"), (answer.status, answer.header("range")))

    def test_other_stays(self) -> None:
        """After two seconds the second is told that somebody else is at work."""
        one = self.begin(self.location, CONTENT[:4])
        location = self.assert_stands(self.location, 4)
        other = self.begin(location, CONTENT[4:], 6)
        self.registry.clock.pump([STEP] * int(PATIENCE / STEP + 1))
        self.assert_refused(other.answer(), 409, "BLOB_UPLOAD_INVALID")
        one.send(CONTENT[4:])
        answer = one.answer()
        self.assertEqual((202, "0-9"), (answer.status, answer.header("range")))

    def test_commit(self) -> None:
        """Nor can a session be ended while somebody writes to it."""
        self.begin(self.location, CONTENT[:4])
        location = self.assert_stands(self.location, 4)
        wire = self.registry.connect()
        wire.send(head("PUT", f"{location}&digest={DIGEST}"))
        self.registry.clock.pump([STEP] * int(PATIENCE / STEP + 1))
        self.assert_refused(wire.answer(), 409, "BLOB_UPLOAD_INVALID")

    def test_waiting_client_leaves(self) -> None:
        """A client that leaves while it waits is waited for no more."""
        self.begin(self.location, b"")
        before = len(self.registry.clock.getDelayedCalls())
        self.begin(self.location, CONTENT).hang_up()
        self.assertEqual(before, len(self.registry.clock.getDelayedCalls()))

    def test_status(self) -> None:
        """While somebody writes, the status says what has arrived."""
        self.begin(self.location, CONTENT[:4])
        self.assert_stands(self.location, 4)

    def test_cancelled(self) -> None:
        """A session that is cancelled under a writer is unknown to it."""
        wire = self.begin(self.location, CONTENT[:4])
        self.assertEqual(204, self.ask("DELETE", self.location).status)
        wire.send(CONTENT[4:])
        self.assert_refused(wire.answer(), 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_gone(self.location)

    def test_cancelled_under_commit(self) -> None:
        """So it is to one who is about to end it."""
        wire = self.registry.connect()
        target = f"{self.location}&digest={DIGEST}"
        wire.send(head("PUT", target, {"Content-Length": "10"}) + CONTENT[:4])
        self.ask("DELETE", self.location)
        wire.send(CONTENT[4:])
        self.assert_refused(wire.answer(), 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_refused(
            self.ask("GET", f"/v2/a/b/blobs/{DIGEST}"), 404, "BLOB_UNKNOWN"
        )

    def test_cancelled_before_commit(self) -> None:
        """So it is when all bytes are there and only their place is not."""
        self.location = place(self.append(self.location, b""))
        self.faulty.hang(on("commit"))
        wire = self.registry.connect()
        target = f"{self.location}&digest={DIGEST}"
        wire.send(head("PUT", target, {"Content-Length": "10"}) + CONTENT)
        self.ask("DELETE", self.location)
        self.faulty.heal()
        self.assert_refused(wire.answer(), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_cancelled_meanwhile(self) -> None:
        """A session that is cancelled while a request waits for it is unknown."""
        one = self.begin(self.location, b"")
        other = self.begin(self.location, CONTENT)
        self.ask("DELETE", self.location)
        self.registry.clock.advance(STEP)
        self.assert_refused(other.answer(), 404, "BLOB_UPLOAD_UNKNOWN")
        one.hang_up()

    def test_behind(self) -> None:
        """One who comes with an older offset is told at once where it stands."""
        self.begin(self.location, CONTENT[:4])
        other = self.begin(self.location, CONTENT)
        self.assert_elsewhere(other.answer(), 4)
