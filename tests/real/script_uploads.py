"""Script, chapter on uploads: sessions in every order, forged, broken, whole."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Final

from attrs import define, evolve

from tests.real.exchange import Step
from tests.real.images import digest_of
from tests.real.script_blobs import OCTETS

_START: Final = "/v2/uploads/blobs/uploads/"
_EMPTY: Final = digest_of(b"")
_MISSING: Final = digest_of(b"what nobody pushes")

_RANGES: Final = (
    "0-4",
    "5-9",
    "0-5",
    "0-3",
    "1-5",
    "4-0",
    "0-",
    "-4",
    "0",
    "x-y",
    "",
    "0-4/5",
    "bytes 0-4/5",
    "bytes=0-4",
    "bytes 0-4/*",
    "bytes */5",
    "+0-4",
    "0 - 4",
    "0-4,5-9",
    "00-04",
    "0-99999999999999999999",
    "99999999999999999999-99999999999999999999",
)

_TYPES: Final = (
    None,
    "",
    "application/octet-stream",
    "application/octet-stream; charset=x",
    "APPLICATION/OCTET-STREAM",
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "nonsense",
)

_QUERIES: Final = (
    "",
    "?_state=",
    "?_state=x",
    "?_state=%00",
    "?_state=%ff",
    "?_state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "?_state=" + "A" * 6000,
    "?_state=<other.state>",
    "?_state=<elsewhere.state>",
    "?_state=<forged.state>x",
    "?x=1",
)

_IDS: Final = (
    "00000000-0000-4000-8000-000000000000",
    "x",
    "x-y_z.=",
    "a/b",
    "..",
    "%2e%2e",
    "data",
    "UPPER",
    "0" * 300,
    "\xe9",
    "a b",
)


def uploads() -> Iterator[Step]:
    """Push blobs, rightly and wrongly."""
    yield from _orders()
    yield from _ranges()
    yield from _content_types()
    yield from _forged()
    yield from _whole()
    yield from _digests()
    yield from _chunked()


@define
class _Session:
    """An upload session, and what a registry should have of it."""

    keep: str
    content: bytes = b""

    def begin(self) -> Step:
        """Open it."""
        return Step("POST", _START, body=b"", keep=self.keep)

    def patch(self) -> Step:
        """Go on."""
        self.content += b"abc"
        return Step("PATCH", f"<{self.keep}>", OCTETS, b"abc", keep=self.keep)

    def stale(self) -> Step:
        """Go on from where it stood at the beginning."""
        if not self.content:
            self.content += b"def"
        return Step("PATCH", f"<{self.keep}.first>", OCTETS, b"def")

    def status(self) -> Step:
        """Ask where it stands."""
        return Step("GET", f"<{self.keep}>", keep=self.keep)

    def ask(self) -> Step:
        """Ask where it stands, without the state."""
        return Step("HEAD", f"<{self.keep}.path>")

    def commit(self) -> Step:
        """End it."""
        target = f"<{self.keep}>&digest={digest_of(self.content)}"
        return Step("PUT", target, OCTETS, b"")

    def commit_rest(self) -> Step:
        """End it with a last piece."""
        target = f"<{self.keep}>&digest={digest_of(self.content + b'ghi')}"
        return Step("PUT", target, OCTETS, b"ghi")

    def mismatch(self) -> Step:
        """End it with a digest that is not its content's."""
        return Step("PUT", f"<{self.keep}>&digest={_MISSING}", OCTETS, b"")

    def no_digest(self) -> Step:
        """End it without a digest."""
        return Step("PUT", f"<{self.keep}>", OCTETS, b"")

    def cancel(self) -> Step:
        """Give it up."""
        return Step("DELETE", f"<{self.keep}>")


_OPERATIONS: Final = (
    _Session.patch,
    _Session.stale,
    _Session.status,
    _Session.ask,
    _Session.commit,
    _Session.commit_rest,
    _Session.mismatch,
    _Session.no_digest,
    _Session.cancel,
)
_FURTHER: Final = (
    (_Session.patch, _Session.patch, _Session.stale, _Session.status, _Session.commit),
    (_Session.patch, _Session.status, _Session.patch, _Session.commit_rest),
    (_Session.patch, _Session.stale, _Session.patch, _Session.commit_rest),
    (_Session.patch, _Session.no_digest, _Session.commit, _Session.commit),
    (_Session.patch, _Session.mismatch, _Session.patch, _Session.commit),
    (_Session.patch, _Session.cancel, _Session.cancel, _Session.status),
    (_Session.status, _Session.status, _Session.patch, _Session.ask, _Session.commit),
)


def _orders() -> Iterator[Step]:
    pairs = itertools.product(_OPERATIONS, repeat=2)
    for order in (*pairs, *_FURTHER):
        words = "-".join(operation.__name__ for operation in order)
        session = _Session(f"order-{words}")
        yield session.begin()
        before = "begin"
        for operation in order:
            step = operation(session)
            yield evolve(step, note=f"{operation.__name__} after {before}")
            before += f", {operation.__name__}"


def _begin(keep: str, name: str = "uploads") -> Step:
    return Step("POST", f"/v2/{name}/blobs/uploads/", body=b"", keep=keep)


def _ranges() -> Iterator[Step]:
    for number, value in enumerate(_RANGES):
        keep = f"r{number}"
        headers = (*OCTETS, ("Content-Range", value))
        yield _begin(keep)
        for turn in ("first", "second"):
            note = f"{turn} chunk, Content-Range {value}"
            yield Step("PATCH", f"<{keep}>", headers, b"abcde", note=note, keep=keep)
            yield Step("GET", f"<{keep}>", note=f"after {note}", keep=keep)
    for value in ("0-4", "5-9", "x"):
        keep = f"rp-{value}"
        headers = (*OCTETS, ("Content-Range", value))
        yield _begin(keep)
        target = f"<{keep}>&digest={digest_of(b'abcde')}"
        note = f"last chunk, Content-Range {value}"
        yield Step("PUT", target, headers, b"abcde", note=note)
    keep = "rc"
    yield _begin(keep)
    headers = (*OCTETS, ("Content-Range", "0-9"))
    note = "chunks, Content-Range 0-9"
    yield Step("PATCH", f"<{keep}>", headers, (b"abcde", b"fg"), note=note, keep=keep)
    yield Step("GET", f"<{keep}>", note=f"after {note}", keep=keep)


def _content_types() -> Iterator[Step]:
    for number, (method, value) in enumerate(
        itertools.product(("PATCH", "PUT", "POST"), _TYPES)
    ):
        keep = f"t{number}"
        headers = () if value is None else (("Content-Type", value),)
        note = f"Content-Type {value}"
        if method == "POST":
            yield Step("POST", _START, headers, b"a=b", note=note, keep=keep)
            continue
        yield _begin(keep)
        digest = f"&digest={digest_of(b'a=b')}" if method == "PUT" else ""
        yield Step(method, f"<{keep}>{digest}", headers, b"a=b", note=note)


def _forged() -> Iterator[Step]:
    yield _begin("other")
    yield _begin("elsewhere", "uploads/elsewhere")
    yield _begin("forged")
    for query, method in itertools.product(
        _QUERIES, ("PATCH", "PUT", "GET", "HEAD", "DELETE")
    ):
        joint = "&" if "?" in query else "?"
        digest = f"{joint}digest={digest_of(b'')}" if method == "PUT" else ""
        body = b"" if method in ("PATCH", "PUT") else None
        yield Step(method, f"<forged.path>{query}{digest}", OCTETS, body)
    path = "/v2/uploads/elsewhere/blobs/uploads/<forged.id>?_state=<forged.state>"
    for method in ("PATCH", "GET", "DELETE"):
        yield Step(method, path, OCTETS, b"", note="in another repository")
    for session_id, method in itertools.product(
        _IDS, ("GET", "PATCH", "PUT", "DELETE", "POST")
    ):
        target = f"{_START}{session_id}?_state=<forged.state>"
        yield Step(
            method, target, OCTETS, None if method == "GET" else b"", keep="lost"
        )


def _whole() -> Iterator[Step]:
    small, large = b"in one request", b"0123456789" * 20_000
    for number, (content, digest) in enumerate(
        (
            (small, digest_of(small)),
            (small, digest_of(small)),
            (b"", _EMPTY),
            (large, digest_of(large)),
            (small, _MISSING),
            (small, "sha256:abc"),
            (small, "latest"),
            (small, ""),
            (small, f"sha512:{hashlib.sha512(small).hexdigest()}"),
        )
    ):
        keep = f"w{number}"
        target = f"{_START}?digest={digest}"
        yield Step("POST", target, OCTETS, content, note="single POST", keep=keep)
        yield Step("HEAD", f"/v2/uploads/blobs/{digest}", note="after a single POST")
    for algorithm in ("sha256", "sha512", "sha384", "md5", ""):
        target = f"{_START}?digest-algorithm={algorithm}"
        yield Step("POST", target, body=b"", keep=f"wa-{algorithm}")


def _digests() -> Iterator[Step]:
    content = b"a blob by many digests"
    for number, digest in enumerate(
        (
            digest_of(content),
            digest_of(content).replace(":", "%3A"),
            digest_of(content).upper(),
            f"sha512:{hashlib.sha512(content).hexdigest()}",
            f"sha384:{hashlib.sha384(content).hexdigest()}",
            f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}",
            "sha256:abc",
            "latest",
            "",
            "%00",
            "%ff",
            _MISSING,
            f"{digest_of(content)}&digest={_MISSING}",
        )
    ):
        keep = f"d{number}"
        yield _begin(keep, "uploads/digests")
        yield Step("PATCH", f"<{keep}>", OCTETS, content, keep=keep)
        target = f"<{keep}>&digest={digest}"
        yield Step("PUT", target, OCTETS, b"", note="by digest", keep=keep)
        yield Step("GET", f"<{keep}.path>", note="after a PUT")
        if ":" in digest and "&" not in digest:
            yield Step("GET", f"/v2/uploads/digests/blobs/{digest}", note="as pushed")


def _chunked() -> Iterator[Step]:
    pieces = (b"a", b"bc" * 5000, b"d" * 70_000)
    content = b"".join(pieces)
    yield _begin("c0")
    yield Step("PATCH", "<c0>", OCTETS, pieces, note="chunks", keep="c0")
    yield Step("PUT", f"<c0>&digest={digest_of(content)}", OCTETS, (), note="no chunks")
    yield _begin("c1")
    target = f"<c1>&digest={digest_of(content)}"
    yield Step("PUT", target, OCTETS, pieces, note="chunks, content there")
    yield _begin("c2")
    note = "chunks, HTTP/1.0"
    yield Step("PATCH", "<c2>", OCTETS, (b"abc",), version="HTTP/1.0", note=note)
    yield _begin("c3")
    expect = (*OCTETS, ("Expect", "100-continue"))
    yield Step("PATCH", "<c3>", expect, b"abc", note="Expect", keep="c3")
    yield Step("PATCH", "<c3>", OCTETS, b"", note="no bytes", keep="c3")
    yield Step("PATCH", "<c3>", OCTETS, note="no length", keep="c3")
    yield Step("PUT", f"<c3>&digest={digest_of(b'abc')}", note="no length", keep="c3")
