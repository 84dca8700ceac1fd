"""Mutations: requests that were right, or nearly, and are broken in some way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from attrs import evolve, frozen

_END: Final = b"\r\n\r\n"
_NUMBER: Final = re.compile(rb"[0-9]+")
_WORD: Final = re.compile(rb"[A-Za-z0-9._-]{2,}")

_NUMBERS: Final = (
    b"",
    b"-1",
    b"+1",
    b"0",
    b"00000001",
    b"1e9",
    b"0x10",
    b"1.5",
    b"2147483648",
    b"9223372036854775807",
    b"18446744073709551616",
    b"9" * 40,
    b"9" * 5000,
    b"\xb2",
    b"1 2",
    b"1,1",
    b"NaN",
)

_WORDS: Final = (
    b"..",
    b".",
    b"%2e%2e%2f%2e%2e%2f",
    b"..%2f..%2f..%2f..%2fetc%2fpasswd",
    b"%252e%252e",
    b"%c0%ae%c0%ae",
    b"/etc/passwd",
    b"//",
    b"\\..\\",
    b"%00",
    b"\x00",
    b"%0d%0aX-Injected: 1",
    b"\r\nX-Injected: 1\r\n",
    b"\x1b[31m",
    b"%ff%fe",
    b"\xff\xfe",
    b"\xf0\x9f\x90\xb3",
    b"%F0%9F%90%B3",
    b"{{0}}",
    b"{method}",
    b"%s%n",
    b"*",
    b"_uploads",
    b"_layers",
    b"link",
    b"data",
    b"sha256:" + b"0" * 64,
    b"sha512:" + b"0" * 128,
    b"null",
    b"[]",
    b"x" * 300,
    b"x" * 9000,
)

_HEADERS: Final = (
    b"Content-Length: 5",
    b"Content-Length: 99999",
    b"Content-Length: -5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Connection: upgrade",
    b"Upgrade: h2c",
    b"Host: \xff",
    b"Host: a:b:c",
    b"Range: bytes=0-,-1",
    b"Range: bytes=" + b"0-1," * 2000,
    b"Content-Range: 0-4",
    b"Content-Range: 5-1",
    b"Content-Type: \xff/\xff",
    b"Content-Encoding: gzip",
    b"Accept: " + b"a/b;q=0.1, " * 500,
    b'Accept: text/html;q="' + b"\\" * 500,
    b'If-None-Match: "' + b'x"' * 1000,
    b"If-Match: *",
    b"If-Range: x",
    b"Authorization: Basic \xff",
    b"Cookie: " + b"a=b; " * 500,
    b"Forwarded: for=" + b"," * 500,
    b"X-Forwarded-Host: \xff",
    b": nothing",
    b"no colon",
    b" folded",
    b"X: \x00",
)

_SANE_HEADERS: Final = (
    b"Range: bytes=0-0",
    b"Range: bytes=-5",
    b"Range: bytes=99999999999999999999-",
    b"Content-Range: 0-4",
    b"Content-Range: 3-99999999999999999999",
    b"Content-Range: bytes 0-2/3",
    b"Accept: */*;q=0, application/json",
    b'Accept: application/*;q="0.5"',
    b"If-None-Match: *",
    b'If-Match: "x"',
    b"If-Range: *",
    b"Content-Type: application/vnd.oci.image.index.v1+json",
    b"Content-Type: application/vnd.docker.distribution.manifest.v2+json",
    b"Origin: https://a.test",
    b"Access-Control-Request-Headers: x",
    b"X-Forwarded-Proto: javascript",
    b"X-Forwarded-Host: a,b",
    b'Forwarded: host="a b";proto=http',
    b"Expect: 100-continue",
    b"Accept-Encoding: gzip;q=1, *;q=0",
    b"Connection: keep-alive, x",
)

_CHUNKS: Final = (
    b"",
    b"0\r\n\r\n",
    b"5\r\nabcde\r\n0\r\n\r\n",
    b"5\r\nabcde\r\n",
    b"5\nabcde\n0\n\n",
    b"5;x=y\r\nabcde\r\n0\r\n\r\n",
    b"5;" + b"x" * 5000 + b"\r\nabcde\r\n0\r\n\r\n",
    b"0005\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n",
    b"0\r\n" + b"T: x\r\n" * 500 + b"\r\n",
    b"5\r\nabcdefgh\r\n0\r\n\r\n",
    b"-5\r\nabcde\r\n0\r\n\r\n",
    b"0x5\r\nabcde\r\n0\r\n\r\n",
    b"+5\r\nabcde\r\n0\r\n\r\n",
    b" 5\r\nabcde\r\n0\r\n\r\n",
    b"zz\r\nabcde\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\nabcde\r\n0\r\n\r\n",
    b"f" * 5000 + b"\r\nabcde",
    b"\r\n\r\n\r\n",
)

_METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")

Mutation = Callable[[Random, bytes], bytes]


@frozen
class Attempt:
    """Something that is sent over one connection.

    Attributes:
        pieces: What is sent, piece by piece.
        pause: Seconds between two pieces.
        reset: Whether the connection is then reset at once.
    """

    pieces: Sequence[bytes]
    pause: float = 0.0
    reset: bool = False


def make_attempt(random: Random, samples: Sequence[bytes]) -> Attempt:
    """Break some requests.

    Args:
        random: Decides everything: the same state makes the same attempt.
        samples: Requests to begin with.
    """
    count = random.choice((1, 1, 1, 1, 1, 1, 2, 5, 20))
    content = b"".join(_broken(random, random.choice(samples)) for _ in range(count))
    attempt = Attempt([content])
    way = random.randrange(100)
    if way < 4:
        cut = content[: random.randrange(len(content) + 1)]
        attempt = Attempt([cut], reset=way < 2)
    elif way < 8:
        attempt = evolve(attempt, pieces=_pieces(random, content), pause=0.01)
    return attempt


def _broken(random: Random, request: bytes) -> bytes:
    # What is no HTTP does not come far: half of the requests stay within its rules.
    mutations = random.choice((_ON_THE_WIRE, _WITHIN))
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 2, 3, 8))):
        request = random.choice(mutations)(random, request)
    return request


def _pieces(random: Random, content: bytes) -> list[bytes]:
    cuts = sorted(random.randrange(len(content) + 1) for _ in range(12))
    return [content[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]


def _flip_bits(random: Random, request: bytes) -> bytes:
    changed = bytearray(request)
    for _ in range(random.choice((1, 1, 2, 10))):
        if changed:
            at = random.randrange(min(len(changed), 2000))
            changed[at] ^= 1 << random.randrange(8)
    return bytes(changed)


def _set_byte(random: Random, request: bytes) -> bytes:
    at = random.randrange(min(len(request), 2000) + 1)
    return request[:at] + random.randbytes(1) + request[at + 1 :]


def _insert(random: Random, request: bytes) -> bytes:
    at = random.randrange(min(len(request), 2000) + 1)
    what = random.choice((random.randbytes(random.randrange(20)), *_WORDS))
    return request[:at] + what + request[at:]


def _remove(random: Random, request: bytes) -> bytes:
    at = random.randrange(min(len(request), 2000) + 1)
    return request[:at] + request[at + random.randrange(1, 40) :]


def _repeat(random: Random, request: bytes) -> bytes:
    at = random.randrange(min(len(request), 2000) + 1)
    part = request[at : at + random.randrange(1, 40)]
    return request[:at] + part * random.choice((2, 2, 50)) + request[at:]


def _change_number(random: Random, request: bytes) -> bytes:
    return _replace(random, request, _NUMBER, random.choice(_NUMBERS))


def _change_word(random: Random, request: bytes) -> bytes:
    return _replace(random, request, _WORD, random.choice(_WORDS))


def _change_text(random: Random, request: bytes) -> bytes:
    """Change a word in the target or in a header's value to another printable one."""
    head, end, body = request.partition(_END)
    target, between, rest = head.partition(b" HTTP/1")
    word = random.choice(
        [word for word in _WORDS if word.isascii() and b" " not in word]
    )
    if b"\r" in word or b"\x00" in word or b"\x1b" in word:
        return request
    if random.random() < 0.6:
        method, space, path = target.partition(b" ")
        target = method + space + _replace(random, path, _WORD, word)
    else:
        value = re.compile(rb"(?<=: )[^\r]+")
        rest = _replace(random, rest, value, word[:2000])
    return target + between + rest + end + body


def _change_target_number(random: Random, request: bytes) -> bytes:
    line, crlf, rest = request.partition(b" HTTP/1")
    digits = [each for each in _NUMBERS if each.isalnum()]
    return _replace(random, line, _NUMBER, random.choice(digits)) + crlf + rest


def _add_sane_header(random: Random, request: bytes) -> bytes:
    lines = _lines(request)
    return _join(request, [*lines, random.choice(_SANE_HEADERS)])


def _trade_body(random: Random, request: bytes) -> bytes:
    """Send other bytes, and promise them."""
    body = random.choice((b"", b"{}", b"x" * 70_000, random.randbytes(100)))
    return _with_body(request, body)


def _change_method(random: Random, request: bytes) -> bytes:
    _, space, rest = request.partition(b" ")
    return random.choice(_METHODS) + space + rest


def _add_header(random: Random, request: bytes) -> bytes:
    lines = _lines(request)
    at = random.randrange(1, len(lines) + 1)
    return _join(request, [*lines[:at], random.choice(_HEADERS), *lines[at:]])


def _repeat_header(random: Random, request: bytes) -> bytes:
    lines = _lines(request)
    line = random.choice(lines)
    return _join(request, lines + [line] * random.choice((1, 1, 3, 200)))


def _drop_header(random: Random, request: bytes) -> bytes:
    lines = _lines(request)
    del lines[random.randrange(len(lines))]
    return _join(request, lines)


def _change_body(random: Random, request: bytes) -> bytes:
    """Send another body than was promised: longer, shorter, or none."""
    head, end, body = request.partition(_END)
    body = random.choice((b"", body[:-1], body + b"x", body * 2, b"\xff" * 3000))
    return head + end + body


def _break_json(random: Random, request: bytes) -> bytes:
    """Change a value in the body, and promise the length that it has then."""
    body = request.partition(_END)[2]
    new = random.choice(
        (b"null", b"[]", b"{}", b"-1", b"1e400", b'"\\ud800"', b"[" * 3000, b'"\xff"')
    )
    values = re.compile(rb'(?<=:)("[^"]*"|[0-9]+|\[|\{)')
    return _with_body(request, _replace(random, body, values, new))


def _break_chunks(random: Random, request: bytes) -> bytes:
    lines = [
        line for line in _lines(request) if not line.lower().startswith(b"content-len")
    ]
    head = b"\r\n".join([*lines, b"Transfer-Encoding: chunked"])
    return head + _END + random.choice(_CHUNKS)


def _break_lines(random: Random, request: bytes) -> bytes:
    head, end, body = request.partition(_END)
    new = random.choice((b"\n", b"\r", b"\r\r\n", b"\r\n\x00", b"\r\n ", b"\x0b"))
    return _replace(random, head + end, re.compile(b"\r\n"), new) + body


_WITHIN: Final[tuple[Mutation, ...]] = (
    _change_text,
    _change_text,
    _change_target_number,
    _change_method,
    _add_sane_header,
    _add_sane_header,
    _break_json,
    _trade_body,
)

_ON_THE_WIRE: Final[tuple[Mutation, ...]] = (
    _flip_bits,
    _set_byte,
    _insert,
    _remove,
    _repeat,
    _change_number,
    _change_word,
    _change_word,
    _change_method,
    _add_header,
    _add_header,
    _repeat_header,
    _drop_header,
    _change_body,
    _break_json,
    _break_chunks,
    _break_lines,
)


def _replace(
    random: Random, text: bytes, pattern: re.Pattern[bytes], new: bytes
) -> bytes:
    """Replace one of the places that a pattern has."""
    places = [match.span() for match in pattern.finditer(text[:20_000])]
    if not places:
        return text
    start, end = random.choice(places)
    return text[:start] + new + text[end:]


def _with_body(request: bytes, body: bytes) -> bytes:
    framing = (b"content-length", b"transfer-encoding")
    lines = [line for line in _lines(request) if not line.lower().startswith(framing)]
    head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)])
    return head + _END + body


def _lines(request: bytes) -> list[bytes]:
    return request.partition(_END)[0].split(b"\r\n")


def _join(request: bytes, lines: Sequence[bytes]) -> bytes:
    _, end, body = request.partition(_END)
    return b"\r\n".join(lines) + end + body
