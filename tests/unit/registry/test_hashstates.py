"""Tests of txregistry.registry.hashstates: hashes between requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.registry.case import StoreCase
from txregistry.oci.digest import Digest
from txregistry.oci.hashing import ResumableHash
from txregistry.registry.hashstates import HashStates
from txregistry.registry.layout import UploadLayout
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver

CONTENT = bytes(range(256)) * 4
PATHS = UploadLayout("/session")
ALGORITHMS = ("sha256", "sha384", "sha512")


NO_STATES: str | None = None if ResumableHash().state() else "needs libcrypto"


class StatelessHash(ResumableHash):
    """A hash whose state cannot be had, as where there is no libcrypto."""

    def state(self) -> bytes | None:
        """Return nothing."""
        return None


class HashStatesTests(StoreCase):
    """The states of a session's hash."""

    skip = NO_STATES

    def setUp(self) -> None:
        """Make a session that has some content."""
        super().setUp()
        self.begin()

    def begin(self) -> None:
        """Make another session."""
        self.faulty = FaultyDriver(MemoryDriver(self.clock))
        self.use(self.faulty)
        self.put(PATHS.data, CONTENT)
        self.states = HashStates(self.driver, PATHS)

    def save(self, length: int, algorithm: str = "sha256") -> None:
        """Keep the state after so many bytes."""
        running = ResumableHash(algorithm)
        running.update(CONTENT[:length])
        self.run_now(self.states.save(running))

    def resume(self, offset: int, algorithm: str | None = None) -> Digest:
        """Return the digest of the session's first bytes."""
        self.faulty.operations.clear()
        running = self.run_now(self.states.resume(offset, algorithm))
        self.assertEqual(offset, running.length)
        return running.digest()

    def was_read(self) -> bool:
        """Say whether content was read again."""
        return any(each.name == "open_reader" for each in self.faulty.operations)

    @given(
        st.sets(st.integers(0, len(CONTENT)), max_size=4),
        st.integers(0, len(CONTENT)),
        st.sampled_from(ALGORITHMS),
    )
    def test_any(self, saved: set[int], offset: int, algorithm: str) -> None:
        """From whatever states there are, the digest is the content's."""
        self.begin()
        for length in saved:
            self.save(length, algorithm)
        expected = Digest.of(CONTENT[:offset], algorithm)
        self.assertEqual(expected, self.resume(offset, algorithm))
        self.assertEqual(offset not in {0, *saved}, self.was_read())

    def test_algorithm(self) -> None:
        """The algorithm that the session was begun for is known by its states."""
        self.assertEqual(Digest.of(CONTENT), self.resume(len(CONTENT)))
        for algorithm in ("sha384", "sha512"):
            self.begin()
            self.save(0, algorithm)
            expected = Digest.of(CONTENT, algorithm)
            self.assertEqual(expected, self.resume(len(CONTENT)))

    def test_unknown_algorithm(self) -> None:
        """States of an algorithm that we do not have are left alone."""
        self.put(PATHS.hash_state("md5", 7), b"")
        self.assertEqual(Digest.of(CONTENT), self.resume(len(CONTENT)))

    def test_stateless(self) -> None:
        """A hash whose state cannot be had is not kept."""
        self.run_now(self.states.save(StatelessHash()))
        self.assertEqual([PATHS.data], self.paths())

    def test_go_file(self) -> None:
        """A state lies where the Go registry looks for it, in its format."""
        self.save(100)
        path = "/session/hashstates/sha256/100"
        state = self.successResultOf(self.driver.get_content(path))
        self.assertEqual((b"sha\x03", 108), (state[:4], len(state)))
        self.assertEqual(100, int.from_bytes(state[-8:], "big"))
