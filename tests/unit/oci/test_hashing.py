"""Tests of txregistry.oci.hashing and libcrypto."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.oci.generated import generated
from txregistry.oci.digest import ALGORITHMS, Digest
from txregistry.oci.errors import DigestInvalid
from txregistry.oci.hashing import ResumableHash
from txregistry.oci.libcrypto import Functions, choose, functions_for, libraries

algorithms = st.sampled_from(sorted(ALGORITHMS))

# SHA-256 of the states, one behind the other, that Go 1.27's crypto/sha256 and sha512
# marshal after 0, 1, … 600 bytes of CONTENT.
CONTENT = bytes((i * 7 + i // 256) % 256 for i in range(600))
STATES_OF_GO = {
    "sha256": "32dcf120f57a1c65232e22f2bc523812677c8645e851b772147d86c5742d89dd",
    "sha384": "9292f3cb99642aaa57e028f2de3762435d5b26561c31cc7e893117d9a78f1f38",
    "sha512": "a9c043ff3d1338397e46acdee68f24fdb01b752d14e7040f31af300799fedef6",
}

# Go's state after 67 bytes of CONTENT.
STATE_OF_GO = bytes.fromhex(
    "736861036c69017d0ec50641de6d1abdce75003d11218e34b3c98da12ff25b8982156de4c0c7ce00"
    + "00" * 60
    + "0000000000000043"
)

# Go's digests after going on with "tail" from the state of an empty hash whose length
# was set to so many bytes: where SHA-256's lower half of the bits runs over, at 4 GiB,
# and far behind.
LONG_OF_GO = {
    ("sha256", 2**29 - 1): (
        "00e3f7831a4ad2cd584d4e9b3fd7f6591f5ab33d340f1c85aafa9e37ea5b4a9f"
    ),
    ("sha256", 2**32 - 1): (
        "c337b03e629c3a87e0436aa184759318d9466cf5f21565210a0c192ed111b8f6"
    ),
    ("sha256", 2**40 + 5): (
        "77ba484731a2fdbbe91dcef6bfb3db174af5be842a23319f77142908b1195d83"
    ),
    ("sha384", 2**32 - 1): (
        "2240c55235902cb77fffd581d22260b7a5ecd0eb4b89d569"
        "742895b43142b4e7ef76d5f35450bc78148518e16ea55cd4"
    ),
    ("sha512", 2**32 - 1): (
        "8ceade0e1ae579b88009e30446bf3df5353574e357e19ae11de33b4ef8721446"
        "f7a47932658d7859b670028a9976681b688262e379285b581db744ada1e43676"
    ),
}


class Odd:
    """A library whose functions are those of another algorithm."""

    def __init__(self, asked: str, given: str) -> None:
        """Take the names' beginning that is asked for, and the one that is given."""
        self._library = next(
            library
            for library in libraries()
            if choose([library], "sha256") is not None
        )
        self._asked, self._given = asked, given

    def __getitem__(self, name: str) -> Any:
        """See Library."""
        return self._library[name.replace(self._asked, self._given)]


def state_of(running: ResumableHash) -> bytes:
    """Return a state that there is."""
    state = running.state()
    assert state is not None
    return state


def nothing(algorithm: str) -> Functions | None:
    """Find no libcrypto."""
    return None


class ResumableHashTests(SynchronousTestCase):
    """Hashes that are put down and taken up again."""

    def test_digest(self) -> None:
        """The digest is that of all the pieces."""
        running = ResumableHash()
        running.update(b"ab")
        running.update(b"c")
        self.assertEqual(Digest.of(b"abc"), running.digest())

    def test_goes_on(self) -> None:
        """Asking for the digest does not end the hash."""
        running = ResumableHash()
        running.update(b"ab")
        running.digest()
        running.update(b"c")
        self.assertEqual(Digest.of(b"abc"), running.digest())

    def test_length(self) -> None:
        """The length is counted, also over a state."""
        running = ResumableHash.restore("sha256", STATE_OF_GO)
        running.update(b"abc")
        self.assertEqual(70, running.length)

    def test_buffers(self) -> None:
        """Any buffer of bytes is hashed, writable or not, whole or a part, or empty."""
        running = ResumableHash()
        buffer = bytearray(b"xabcy")
        running.update(memoryview(buffer)[1:3])
        running.update(memoryview(bytes(buffer))[3:4])
        running.update(bytearray())
        running.update(memoryview(b""))
        self.assertEqual((3, Digest.of(b"abc")), (running.length, running.digest()))

    def test_buffer_released(self) -> None:
        """A buffer may be used for something else once it is hashed."""
        buffer = bytearray(b"abc")
        ResumableHash().update(buffer)
        buffer.extend(b"d")

    def test_unsupported(self) -> None:
        """An algorithm that no digest has is refused."""
        self.assertRaises(DigestInvalid, ResumableHash, "md5")

    @generated
    @given(algorithms, st.binary(max_size=300), st.binary(max_size=300))
    def test_resumed(self, algorithm: str, one: bytes, other: bytes) -> None:
        """A hash that is put down and taken up makes the digest of all."""
        running = ResumableHash(algorithm)
        running.update(one)
        resumed = ResumableHash.restore(algorithm, state_of(running))
        resumed.update(other)
        self.assertEqual(Digest.of(one + other, algorithm), resumed.digest())

    @generated
    @given(algorithms, st.binary(max_size=300))
    def test_same_state(self, algorithm: str, content: bytes) -> None:
        """What is restored has the state it was restored from."""
        running = ResumableHash(algorithm)
        running.update(content)
        state = state_of(running)
        self.assertEqual(state, ResumableHash.restore(algorithm, state).state())


class GoStateTests(SynchronousTestCase):
    """States as the Go registry's files hold them."""

    def test_written(self) -> None:
        """After any number of bytes the state is the one that Go marshals."""
        for algorithm, expected in STATES_OF_GO.items():
            running, states = ResumableHash(algorithm), hashlib.sha256()
            states.update(state_of(running))
            for i in range(len(CONTENT)):
                running.update(CONTENT[i : i + 1])
                states.update(state_of(running))
            self.assertEqual(expected, states.hexdigest(), algorithm)

    def test_read(self) -> None:
        """A state that Go marshalled is gone on from."""
        running = ResumableHash.restore("sha256", STATE_OF_GO)
        self.assertEqual(Digest.of(CONTENT[:67]), running.digest())

    def test_long(self) -> None:
        """Beyond 4 GiB the length goes into the digest as Go counts it."""
        for (algorithm, length), expected in LONG_OF_GO.items():
            state = state_of(ResumableHash(algorithm))[:-8] + length.to_bytes(8, "big")
            running = ResumableHash.restore(algorithm, state)
            running.update(b"tail")
            self.assertEqual(expected, running.digest().encoded)

    def assert_refused(self, algorithm: str, state: bytes) -> None:
        """Assert that something is taken for no state."""
        self.assertRaises(ValueError, ResumableHash.restore, algorithm, state)

    def test_wrong_length(self) -> None:
        """What is shorter or longer than a state is none."""
        self.assert_refused("sha256", STATE_OF_GO[:-1])
        self.assert_refused("sha256", STATE_OF_GO + b"\0")
        self.assert_refused("sha256", b"")

    def test_wrong_magic(self) -> None:
        """A state of another algorithm is none, though it be as long."""
        self.assert_refused("sha512", state_of(ResumableHash("sha384")))

    def test_too_long(self) -> None:
        """A state after more bytes than SHA-256 can count is none."""
        self.assert_refused("sha256", STATE_OF_GO[:-8] + b"\xff" * 8)

    @generated
    @given(algorithms, st.binary(max_size=220) | st.binary(min_size=104, max_size=104))
    def test_any_bytes(self, algorithm: str, state: bytes) -> None:
        """Any bytes are a state that can be gone on from, or a ValueError."""
        for candidate in (state, b"sha\x03" + state):
            try:
                running = ResumableHash.restore(algorithm, candidate)
            except ValueError:
                continue
            running.update(b"abc")
            running.digest()


class FallbackTests(SynchronousTestCase):
    """Hashes where there is no libcrypto to be trusted."""

    def test_digest(self) -> None:
        """The digest is hashlib's."""
        running = ResumableHash(find=nothing)
        running.update(b"abc")
        self.assertEqual((3, Digest.of(b"abc")), (running.length, running.digest()))

    def test_no_state(self) -> None:
        """There is no state."""
        self.assertIsNone(ResumableHash(find=nothing).state())

    def test_no_restoring(self) -> None:
        """A state cannot be gone on from."""

        def restore() -> None:
            ResumableHash.restore("sha256", STATE_OF_GO, find=nothing)

        self.assertRaises(ValueError, restore)


class ChooseTests(SynchronousTestCase):
    """Which library's functions are trusted."""

    def test_found(self) -> None:
        """Here, functions are found for each algorithm."""
        for algorithm in ALGORITHMS:
            self.assertIsNotNone(functions_for(algorithm))

    def test_libraries(self) -> None:
        """Whatever may hold libcrypto is looked at."""
        self.assertTrue(list(libraries()))

    def test_none(self) -> None:
        """Without a library there are no functions."""
        self.assertIsNone(choose([], "sha256"))

    def test_no_such_functions(self) -> None:
        """A library without the functions is passed over."""
        self.assertIsNone(choose([Odd("SHA256", "nothing")], "sha256"))

    def test_wrong_digest(self) -> None:
        """Functions that make another digest are passed over."""
        self.assertIsNone(choose([Odd("SHA512", "SHA384")], "sha512"))

    def test_wrong_struct(self) -> None:
        """Functions on another struct are passed over."""
        self.assertIsNone(choose([Odd("SHA256", "SHA512")], "sha256"))
