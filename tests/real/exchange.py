"""Exchange: a request of a script as its very bytes, and what a server answered."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from attrs import evolve, frozen

HOST: Final = "registry.test:5000"
"""What all requests name as the server, so that URLs in answers are alike."""

_PATIENCE: Final = 30.0
_PLACEHOLDER: Final = re.compile(r"<([a-z0-9_-]+)(?:\.(first|path|id|state))?>")
_LONG: Final = re.compile("([^/?&=:]{6})[^/?&=:]{50,}")
_LONGEST_LINE: Final = 110
_UUID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATE: Final = re.compile("_state=([A-Za-z0-9_%-]+)")


@frozen
class Step:
    """One request of a script.

    Attributes:
        method: The method.
        target: As it stands in the request line, but for placeholders: ``<u>`` is the
            path and query of the Location that an earlier answer gave and that was
            kept under ``u``, ``<u.first>`` of the first that was kept under it;
            ``<u.path>``, ``<u.id>`` and ``<u.state>`` are parts of ``<u>``.
        headers: Beside Host and the body's length; given here, they replace those.
        body: The body; None: none, and no Content-Length; pieces are sent as chunks.
        version: The protocol's version.
        note: What is particular about the request, if its first line does not show it.
        keep: Under what name the answer's Location is kept.
        hostless: Whether it names no host.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | tuple[bytes, ...] | None = None
    version: str = "HTTP/1.1"
    note: str = ""
    keep: str = ""
    hostless: bool = False

    def __str__(self) -> str:
        """Return a line that tells the request from others."""
        note = f" [{self.note}]" if self.note else ""
        line = shortened(f"{self.method} {self.target}")
        if len(line) > _LONGEST_LINE:
            line = line[:_LONGEST_LINE] + "…"
        return line + note

    def to_bytes(self, locations: Mapping[str, str]) -> bytes:
        """Return the request as it is sent.

        Args:
            locations: What was kept from earlier answers.
        """
        target = _PLACEHOLDER.sub(
            lambda match: _fill(locations, match[1], match[2]), self.target
        )
        given = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {target} {self.version}"]
        if "host" not in given and not self.hostless:
            lines.append(f"Host: {HOST}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        body = b""
        if isinstance(self.body, tuple):
            lines.append("Transfer-Encoding: chunked")
            chunks = [b"%x\r\n%b\r\n" % (len(each), each) for each in self.body]
            body = b"".join(chunks) + b"0\r\n\r\n"
        elif self.body is not None:
            body = self.body
            if "content-length" not in given:
                lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@frozen
class Answer:
    """What a server answered.

    Attributes:
        status: The status; 0: it closed the connection without an answer.
        headers: By their names in lower case; of several lines with one name, all.
        body: All of it that came.
        cut: Whether less came than was promised.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False

    def error_codes(self) -> list[str]:
        """Return the codes in the error envelope; none where there is none."""
        try:
            content = json.loads(self.body)
            return [str(error["code"]) for error in content["errors"]]
        except (ValueError, KeyError, TypeError):
            return []

    def summary(self) -> str:
        """Return the status, the codes of errors, and whether the body was cut off."""
        codes: list[str] = []
        if self.status >= 400:
            codes = self.error_codes() or (["text"] if self.body else [])
        return " ".join([str(self.status), *codes, *(["cut"] if self.cut else [])])


class Player:
    """Plays a script to a server at a port of 127.0.0.1, over one kept connection.

    Attributes:
        sessions: The names that the upload sessions were kept under, by their ids.
    """

    def __init__(self, port: int) -> None:
        """Take the port."""
        self.sessions: dict[str, str] = {}
        self._port = port
        self._locations: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def play(self, steps: Sequence[Step]) -> list[Answer]:
        """Send all requests, one after the other, and return the answers.

        What is different in each run stands in them under the names that the script
        gave: upload sessions and their signed states.
        """
        return [self._normal(self._ask(step)) for step in steps]

    def encode(self, step: Step) -> bytes:
        """Return a request as it would be sent now."""
        return step.to_bytes(self._locations)

    def _ask(self, step: Step) -> Answer:
        request = self.encode(step)
        fresh = self._socket is None
        answer = self._exchange(step.method, request)
        if answer.status == 0 and not fresh:  # it may have been closed for idleness
            answer = self._exchange(step.method, request)
        location = answer.headers.get("location", "")
        if step.keep and location:
            kept = re.sub("^https?://[^/]*", "", location)
            self._locations[step.keep] = kept
            self._locations.setdefault(f"{step.keep}.first", kept)
            self._name(_part(kept, "id"), step.keep)
        return answer

    def _name(self, session: str, keep: str) -> None:
        """Name an upload session; the second one kept under ``u`` is ``u 2``."""
        if session not in self.sessions and _UUID.fullmatch(session):
            self._counts[keep] += 1
            count = self._counts[keep]
            self.sessions[session] = keep if count == 1 else f"{keep} {count}"

    def _exchange(self, method: str, request: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(
                ("127.0.0.1", self._port), _PATIENCE
            )
        with suppress(OSError):  # an answer may have come before the server closed
            self._socket.sendall(request)
        response = http.client.HTTPResponse(self._socket, method=method)
        cut = False
        try:
            response.begin()
            body = response.read()
        except http.client.IncompleteRead as error:
            body, cut = error.partial, True
        except (OSError, http.client.HTTPException):
            self.close()
            return Answer(0, {}, b"")
        if cut or response.will_close:
            self.close()
        headers: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return Answer(response.status, headers, body, cut)

    def _normal(self, answer: Answer) -> Answer:
        headers = {
            name: self.named(_STATE.sub(_read_state, value))
            for name, value in answer.headers.items()
        }
        return evolve(answer, headers=headers)

    def named(self, text: str) -> str:
        """Return a text in which upload sessions have their names for their ids."""
        return _UUID.sub(lambda match: f"<{self.sessions.get(match[0], '?')}>", text)


def shortened(text: str) -> str:
    """Return a text in which digests and the like are cut."""
    return _LONG.sub(r"\1…", text)


def _fill(locations: Mapping[str, str], name: str, part: str | None) -> str:
    """Return what a placeholder stands for; a path to nowhere if it never came."""
    if part in (None, "first"):
        return locations.get(f"{name}.first" if part else name, "/lost")
    return _part(locations.get(name, "/lost"), part or "")


def _part(location: str, part: str) -> str:
    path, _, query = location.partition("?")
    parts = {"path": path, "id": path.rpartition("/")[2]}
    return parts.get(part, query.removeprefix("_state="))


def _read_state(match: re.Match[str]) -> str:
    """Say what a signed state holds, for it is another one each time."""
    signed = base64.urlsafe_b64decode(match[1].replace("%3D", "="))
    state: dict[str, Any] = json.loads(signed[32:])
    return f"_state=({state['Name']} {state['UUID']} {state['Offset']})"
