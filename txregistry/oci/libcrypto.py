"""SHA-2 contexts: OpenSSL's running hashes, whose state can be read and set.

OpenSSL's ``SHA256_CTX`` and ``SHA512_CTX`` are public structs and have kept their
layout from 0.9.8 to 3.x (``openssl/sha.h``). The functions on them are deprecated
since 3.0 but exported. A library whose structs look otherwise, or that lacks the
functions, fails a self-test against hashlib and is not used.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final, Protocol

from attrs import define, frozen

# Room behind a context, so that one larger than we think is found out and harmless.
_MARGIN: Final = 256
_CANARY: Final = b"\xa5" * _MARGIN

_TEST_CONTENT: Final = bytes(range(251)) * 2
_TEST_LENGTHS: Final = (0, 1, 55, 63, 64, 65, 111, 112, 127, 128, 129, 300)


class SHA256Context(ctypes.Structure):
    """``SHA256_CTX``.

    Attributes:
        words: The chaining value.
        low: The lower half of the number of bits hashed.
        high: The upper half.
        block: The bytes that do not make a block yet.
        used: How many there are.
        size: Of the digest, in bytes.
    """

    _fields_ = (
        ("words", ctypes.c_uint32 * 8),
        ("low", ctypes.c_uint32),
        ("high", ctypes.c_uint32),
        ("block", ctypes.c_ubyte * 64),
        ("used", ctypes.c_uint),
        ("size", ctypes.c_uint),
        ("margin", ctypes.c_ubyte * _MARGIN),
    )


class SHA512Context(ctypes.Structure):
    """``SHA512_CTX``, which SHA-384 uses too; its members mean what SHA-256's do."""

    _fields_ = (
        ("words", ctypes.c_uint64 * 8),
        ("low", ctypes.c_uint64),
        ("high", ctypes.c_uint64),
        ("block", ctypes.c_ubyte * 128),
        ("used", ctypes.c_uint),
        ("size", ctypes.c_uint),
        ("margin", ctypes.c_ubyte * _MARGIN),
    )


Context = SHA256Context | SHA512Context

_CONTEXTS: Final[dict[str, type[Context]]] = {
    "sha256": SHA256Context,
    "sha384": SHA512Context,
    "sha512": SHA512Context,
}


class Library(Protocol):
    """What ``ctypes.CDLL`` is."""

    def __getitem__(self, name: str) -> Any:
        """Return a function; AttributeError when there is none of the name."""


@frozen
class Functions:
    """What libcrypto offers for one algorithm. The calls release the GIL.

    Attributes:
        init: Takes a context's address.
        update: Takes a context's address, content, and its length in bytes.
        final: Takes room for a digest and a context's address; ends the context.
        context: What the functions work on.
    """

    init: Callable[..., int]
    update: Callable[..., int]
    final: Callable[..., int]
    context: type[Context]


@define
class RunningHash:
    """A hash of one algorithm that libcrypto computes."""

    _functions: Functions
    context: Context

    @classmethod
    def begin(cls, functions: Functions) -> RunningHash:
        """Begin with no content."""
        context = functions.context()
        functions.init(ctypes.addressof(context))
        return cls(functions, context)

    def update(self, content: bytes | bytearray | memoryview) -> None:
        """Hash further bytes; a writable buffer is not copied."""
        address = ctypes.addressof(self.context)
        if isinstance(content, bytes):
            self._functions.update(address, content, len(content))
        elif memoryview(content).readonly or not content:
            self.update(bytes(content))
        else:
            first = ctypes.c_char.from_buffer(content)
            self._functions.update(address, ctypes.byref(first), len(content))

    def set(self, words: Sequence[int], block: bytes, length: int) -> None:
        """Set a fresh hash to where another one stood.

        Args:
            words: Its chaining value, eight words.
            block: Its block; what is behind the bytes in use does not matter.
            length: The bytes it had hashed.
        """
        context = self.context
        context.words[:] = words
        context.block[:] = block
        context.used = length % len(block)
        # A field takes as many of the lower bits as it has room for.
        context.low = 8 * length
        context.high = 8 * length >> 8 * type(context).low.size

    def digest(self) -> bytes:
        """Return the digest of the content so far; more may follow."""
        ended = type(self.context).from_buffer_copy(self.context)
        room = ctypes.create_string_buffer(64)
        self._functions.final(room, ctypes.addressof(ended))
        return room.raw[: self.context.size]


@cache
def functions_for(algorithm: str) -> Functions | None:
    """Find libcrypto's functions for an algorithm; None when there are none to trust.

    The libraries are looked for once in a process.

    Args:
        algorithm: ``sha256``, ``sha384`` or ``sha512``.
    """
    return choose(libraries(), algorithm)


def choose(libraries: Iterable[Library], algorithm: str) -> Functions | None:
    """Take an algorithm's functions from the first library whose are right."""
    for library in libraries:
        functions = _bind(library, algorithm)
        if functions is not None and _is_right(functions, algorithm):
            return functions
    return None


def libraries() -> Iterator[ctypes.CDLL]:
    """Open what may hold libcrypto, the one that Python itself uses first."""
    for name in _library_names():
        try:
            yield ctypes.CDLL(name)
        except OSError:
            continue


def _library_names() -> Iterator[str | None]:
    """Name the files that may hold libcrypto or depend on it.

    A symbol that is looked up in a library is found in what it depends on, too.
    """
    for module in ("_hashlib", "_ssl"):
        try:
            path = getattr(import_module(module), "__file__", None)
        except ImportError:
            continue
        if path is not None:
            yield path
    if sys.platform != "win32":
        yield None  # the program itself, with OpenSSL linked into it
    found = ctypes.util.find_library("crypto")
    if found is not None:
        yield found


def _bind(library: Library, algorithm: str) -> Functions | None:
    """Take an algorithm's functions from a library; None when they are not there."""
    prefix = algorithm.upper()
    try:
        init = library[f"{prefix}_Init"]
        update = library[f"{prefix}_Update"]
        final = library[f"{prefix}_Final"]
    except AttributeError:
        return None
    init.argtypes = [ctypes.c_void_p]
    update.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return Functions(init, update, final, _CONTEXTS[algorithm])


def _is_right(functions: Functions, algorithm: str) -> bool:
    """Tell whether the functions hash as hashlib does, in structs as we know them."""
    return all(
        _is_right_for(functions, algorithm, _TEST_CONTENT[:length])
        for length in _TEST_LENGTHS
    )


def _is_right_for(functions: Functions, algorithm: str, content: bytes) -> bool:
    """Try one content, in two pieces."""
    half = len(content) // 2
    running = RunningHash.begin(functions)
    running.context.margin[:] = _CANARY
    running.update(content[:half])
    running.update(content[half:])
    context = running.context
    block: Any = context.block
    used = len(content) % len(block)
    return (
        (context.low, context.high) == (8 * len(content), 0)
        and context.used == used
        and bytes(block[:used]) == content[len(content) - used :]
        and running.digest() == hashlib.new(algorithm, content).digest()
        and bytes(context.margin) == _CANARY
    )
