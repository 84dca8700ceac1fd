"""Answers: what goes back to a client. The one place that writes errors out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from txregistry.interfaces import IFileRange, PathError, StorageError, StorageFull
from txregistry.oci.errors import (
    JSON,
    BadRequest,
    BlobUnknown,
    ManifestUnknown,
    NameUnknown,
    RegistryError,
    Several,
    StorageExhausted,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from txregistry.streams import pump
from txregistry.web.answerhead import phrase_of
from txregistry.web.body import BodyLost
from txregistry.web.framing import TLSNotSpoken

_log = Logger()

API_VERSION: Final = ("Docker-Distribution-Api-Version", "registry/2.0")


class NoSuchEndpoint(Unsupported):
    """The path is not one of the API's."""

    status, message = 404, "no such endpoint"


class MethodUnsupported(Unsupported):
    """The endpoint does not take the method."""

    status, message = 405, "the endpoint does not take this method"


# What a request is refused for when it asks for something that is not there.
_ABSENT: Final = (BlobUnknown, ManifestUnknown, NameUnknown, NoSuchEndpoint)

# Of a reason, so many characters are logged.
_LONGEST_REASON: Final = 500


class StoreFailed(Unavailable):
    """The store cannot do its work, as on a read-only file system."""

    message = "the registry's storage does not work"


def send_json(
    request: Any,
    status: int,
    content: JSON,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer with JSON (and a line's end, as the Go registry does)."""
    body = json.dumps(content, separators=(",", ":")).encode() + b"\n"
    send_bytes(
        request, status, body, {"Content-Type": "application/json", **(headers or {})}
    )


def send_bytes(
    request: Any, status: int, body: bytes, headers: Mapping[str, str]
) -> None:
    """Answer with a small body."""
    begin(request, status, {**headers, "Content-Length": str(len(body))})
    request.write(body)


def send_nothing(
    request: Any, status: int, headers: Mapping[str, str] | None = None
) -> None:
    """Answer with no body."""
    begin(request, status, headers or {})
    if status not in (204, 304):
        request.head.set("Content-Length", "0")


async def send_body(
    request: Any, status: int, source: IBodyProducer, headers: Mapping[str, str]
) -> None:
    """Answer with content from the store, as fast as the client takes it.

    Args:
        request: The request, not answered yet.
        status: The HTTP status.
        source: The content; its ``length`` becomes the Content-Length.
        headers: Further headers.
    """
    begin(request, status, {**headers, "Content-Length": str(source.length)})
    if IFileRange.providedBy(source) and request.can_send_files:
        await request.send_file(source)
    else:
        await pump(source, request)


def begin(request: Any, status: int, headers: Mapping[str, str]) -> None:
    """Set an answer's status and headers."""
    request.code = status
    set_header = request.head.set
    for name, value in headers.items():
        set_header(name, value)


def send_failure(request: Any, failure: Failure) -> None:
    """Answer with the error envelope; or cut an answer short that has begun.

    A body that ends early must not look like a whole one (Klein's default would append
    a page to it).
    """
    if failure.check(CancelledError, BodyLost):
        request.cut()
        return
    error = _to_registry_error(failure)
    if error is None:
        method = request.method.decode("latin-1")
        _log.failure(
            "{method} {path} failed",
            failure,
            method=method,
            path=request.text_path,
            request_id=request.id,
            trace_id=_trace_id(request),
        )
        error = RegistryError()
    else:
        log_refusal(request, error, failure.value)
    if request.startedWriting:
        request.cut()
    else:
        send_json(request, error.status, error.to_document(), error.headers)


def log_refusal(request: Any, error: RegistryError, cause: object = None) -> None:
    """Log why a request is refused, in a line.

    Args:
        request: The request.
        error: What the client is told.
        cause: The exception behind it, for faults of the store's; None: there is none.
    """
    errors = error.errors if isinstance(error, Several) else [error]
    reasons = [_reason(each) for each in errors]
    level, text = _level(request, error), "{method} {path} refused: {status} {reason}"
    if isinstance(error, StoreFailed):
        # The disk's fault, with which every request fails: no traceback for each.
        text, reasons = "{method} {path}: {reason}", [str(cause)]
    _log.emit(
        level,
        text,
        method=request.method.decode("latin-1"),
        path=request.text_path or request.uri.partition(b"?")[0].decode("latin-1"),
        status=error.status,
        code=errors[0].code,
        reason="; ".join(reasons)[:_LONGEST_REASON],
        request_id=request.id,
        trace_id=_trace_id(request),
    )


def _level(request: Any, error: RegistryError) -> Any:
    if isinstance(error, StoreFailed):
        return LogLevel.error
    if isinstance(error, Unauthorized) and not _shows_password(request):
        return LogLevel.debug  # a challenge, which tells the client what to show
    if isinstance(error, TLSNotSpoken):
        return LogLevel.debug  # clients try so first
    if isinstance(error, _ABSENT) and request.method in (b"GET", b"HEAD"):
        return LogLevel.debug  # so clients find out what there is
    # 503 is for all, for a while: what brought it about has been logged.
    is_fault = error.status >= 500 and error.status != 503
    return LogLevel.warn if is_fault else LogLevel.info


def _trace_id(request: Any) -> str | None:
    """Return a request's trace: answers are given outside of what the span entered."""
    return None if request.span is None else str(request.span.trace_id)


def _shows_password(request: Any) -> bool:
    return (request.header("authorization") or "").lower().startswith("basic ")


def _reason(error: RegistryError) -> str:
    reason, detail = f"{error.code}, {error.message}", error.detail
    if detail is None:
        return reason
    shown = detail if isinstance(detail, str) else json.dumps(detail)
    return f"{reason}: {shown}"


def raw_answer(error: RegistryError) -> bytes:
    """Return a whole answer for a request that never became one; then close."""
    body = json.dumps(error.to_document(), separators=(",", ":")).encode() + b"\n"
    lines = [
        f"HTTP/1.1 {error.status} {phrase_of(error.status)}",
        "Content-Type: application/json",
        ": ".join(API_VERSION),
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body


def _to_registry_error(failure: Failure) -> RegistryError | None:
    error = failure.value
    if isinstance(error, RegistryError):
        return error
    if isinstance(error, StorageFull):
        return StorageExhausted()
    if isinstance(error, StorageError) and not isinstance(error, PathError):
        return StoreFailed()
    if isinstance(error, MethodNotAllowed):
        methods = sorted({*(error.valid_methods or ()), "OPTIONS"})
        return MethodUnsupported(headers={"Allow": ", ".join(methods)})
    if isinstance(error, HTTPException):
        return NoSuchEndpoint() if error.code == 404 else BadRequest()
    return None
