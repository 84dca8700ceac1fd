"""``health``: checks of what the registry depends on."""

from __future__ import annotations

from attrs import field, frozen

from txregistry.config.fields import VARIABLE, Ignored, Section
from txregistry.config.types import Headers, Seconds


@frozen
class StorageCheck(Section):
    """``health.storagedriver``."""

    enabled: Ignored[bool] = False
    interval: Ignored[Seconds] = 10.0
    threshold: Ignored[int] = 0


@frozen
class FileCheck(Section):
    """``health.file[]``."""

    file: Ignored[str] = ""
    interval: Ignored[Seconds] = 10.0
    threshold: Ignored[int] = 0


@frozen
class HTTPCheck(Section):
    """``health.http[]``."""

    uri: Ignored[str] = field(default="", repr=False)
    headers: Ignored[Headers] = field(factory=dict, repr=False)
    statuscode: Ignored[int] = 200
    timeout: Ignored[Seconds] = 0.0
    interval: Ignored[Seconds] = 10.0
    threshold: Ignored[int] = 0


@frozen
class TCPCheck(Section):
    """``health.tcp[]``."""

    addr: Ignored[str] = ""
    timeout: Ignored[Seconds] = 0.0
    interval: Ignored[Seconds] = 10.0
    threshold: Ignored[int] = 0


@frozen
class Health(Section):
    """``health``."""

    storagedriver: Ignored[StorageCheck] = field(factory=StorageCheck)
    file: Ignored[tuple[FileCheck, ...]] = field(
        default=(), metadata={VARIABLE: "FILECHECKERS"}
    )
    http: Ignored[tuple[HTTPCheck, ...]] = field(
        default=(), metadata={VARIABLE: "HTTPCHECKERS"}
    )
    tcp: Ignored[tuple[TCPCheck, ...]] = field(
        default=(), metadata={VARIABLE: "TCPCHECKERS"}
    )
