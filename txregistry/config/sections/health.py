"""``health``: checks of what the registry depends on."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from txregistry.config.addresses import Address
from txregistry.config.fields import VARIABLE, Section, must
from txregistry.config.sections.weburls import check_web_url
from txregistry.config.types import FileName, OutgoingHeaders, Seconds, WebURL

INTERVAL: Final = 10.0  # seconds
TIMEOUT: Final = 5.0  # seconds
STORAGE_TIMEOUT: Final = 10.0  # seconds: a disk may be busy with what clients push

_NOT_NEGATIVE: Final = must(lambda value: value >= 0, "must not be negative")
_INTERVAL: Final = must(lambda t: t == 0 or t >= 0.01, "must be 10ms or more")
_STATUS: Final = must(
    lambda n: n == 0 or 100 <= n <= 599, "must be a status such as 200"
)


@frozen
class StorageCheck(Section):
    """``health.storagedriver``: whether the store works.

    Attributes:
        enabled: Whether it is checked.
        interval: Seconds between two times; 0: the default.
        timeout: Seconds that it has to answer; 0: the default.
        threshold: How many failures in a row count; 0: one.
        write: Whether something is written, unless the registry is read-only.
    """

    enabled: bool = False
    interval: Seconds = field(default=INTERVAL, validator=_INTERVAL)
    timeout: Seconds = field(default=STORAGE_TIMEOUT, validator=_NOT_NEGATIVE)
    threshold: int = field(default=0, validator=_NOT_NEGATIVE)
    write: bool = True


@frozen
class FileCheck(Section):
    """``health.file[]``: a file that takes the registry out of service.

    Attributes:
        file: Its path.
        interval: Seconds between two times; 0: the default.
        threshold: How many failures in a row count; 0: one.
    """

    file: FileName = ""
    interval: Seconds = field(default=INTERVAL, validator=_INTERVAL)
    threshold: int = field(default=0, validator=_NOT_NEGATIVE)


@frozen
class HTTPCheck(Section):
    """``health.http[]``: an HTTP server that must be there.

    Attributes:
        uri: What it is asked for.
        headers: What goes with the request.
        statuscode: The status that it must answer with; 0: the default.
        timeout: Seconds that it has to answer; 0: the default.
        interval: Seconds between two times; 0: the default.
        threshold: How many failures in a row count; 0: one.
    """

    uri: WebURL = field(default="", repr=False, validator=check_web_url)
    headers: OutgoingHeaders = field(factory=dict, repr=False)
    statuscode: int = field(default=200, validator=_STATUS)
    timeout: Seconds = field(default=TIMEOUT, validator=_NOT_NEGATIVE)
    interval: Seconds = field(default=INTERVAL, validator=_INTERVAL)
    threshold: int = field(default=0, validator=_NOT_NEGATIVE)


@frozen
class TCPCheck(Section):
    """``health.tcp[]``: something that must take connections.

    Attributes:
        addr: Where; without a host: this machine.
        timeout: Seconds that it has to answer; 0: the default.
        interval: Seconds between two times; 0: the default.
        threshold: How many failures in a row count; 0: one.
    """

    addr: Address | None = None
    timeout: Seconds = field(default=TIMEOUT, validator=_NOT_NEGATIVE)
    interval: Seconds = field(default=INTERVAL, validator=_INTERVAL)
    threshold: int = field(default=0, validator=_NOT_NEGATIVE)


@frozen
class Health(Section):
    """``health``.

    Attributes:
        storagedriver: The check of the store.
        file: Checks of files.
        http: Checks of HTTP servers.
        tcp: Checks of what takes connections.
    """

    storagedriver: StorageCheck = field(factory=StorageCheck)
    file: tuple[FileCheck, ...] = field(default=(), metadata={VARIABLE: "FILECHECKERS"})
    http: tuple[HTTPCheck, ...] = field(default=(), metadata={VARIABLE: "HTTPCHECKERS"})
    tcp: tuple[TCPCheck, ...] = field(default=(), metadata={VARIABLE: "TCPCHECKERS"})
