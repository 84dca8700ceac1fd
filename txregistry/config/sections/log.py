"""``log``: what is logged."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from attrs import field, frozen

from txregistry.config.fields import (
    KEY,
    VARIABLE,
    Ignored,
    Instead,
    Section,
    Status,
    must,
)
from txregistry.config.types import FileName, LogLevel, Parameters, Secret

_ALERTS: Final = Instead("alert on the metrics (docs/operations.md)")
_MEBIBYTE: Final = 1024 * 1024


@frozen
class AccessLog(Section):
    """``log.accesslog``.

    Attributes:
        disabled: Whether to log no line for each request.
        format: What a line looks like; None: as ``log.formatter`` has it.
        file: Where it goes; empty: the standard output.
    """

    disabled: bool = False
    format: Literal["combined", "json"] | None = None
    file: FileName = ""


@frozen
class Rotate(Section):
    """``log.rotate``: when files with logs are put aside.

    Attributes:
        size: When they have so many bytes; 0: never.
        keep: So many of each are kept.
    """

    size: int = field(
        default=100 * _MEBIBYTE,
        validator=must(lambda n: n == 0 or n >= 4096, "must be 0, or 4096 or more"),
    )
    keep: int = field(
        default=10, validator=must(lambda n: 0 <= n <= 1000, "must be from 0 to 1000")
    )


@frozen
class Smtp(Section):
    """``log.hooks[].options.smtp``."""

    addr: Ignored[str] = ""
    username: Ignored[str] = ""
    password: Ignored[Secret] = field(factory=Secret)
    insecure: Ignored[bool] = False


@frozen
class MailOptions(Section):
    """``log.hooks[].options``."""

    smtp: Ignored[Smtp] = field(factory=Smtp)
    sender: Ignored[str] = field(default="", metadata={KEY: "from"})
    to: Ignored[tuple[str, ...]] = ()


@frozen
class LogHook(Section):
    """``log.hooks[]``."""

    disabled: Ignored[bool] = False
    type: Ignored[str] = ""
    levels: Ignored[tuple[str, ...]] = ()
    options: Ignored[MailOptions] = field(
        factory=MailOptions, metadata={VARIABLE: "MAILOPTIONS"}
    )


@frozen
class Log(Section):
    """``log``.

    Attributes:
        level: The least severe level that is logged.
        formatter: What a line looks like.
        fields: What each line has besides.
        reportcaller: Whether a line says which line of the code logged it.
        file: Where the application log goes; empty: the standard error.
        rotate: When files are put aside.
        accesslog: Lines for requests.
    """

    level: LogLevel = "info"
    formatter: Literal["text", "json", "logstash"] = "text"
    fields: Parameters = field(factory=dict, repr=False)
    reportcaller: bool = False
    file: FileName = ""
    rotate: Rotate = field(factory=Rotate)
    accesslog: AccessLog = field(factory=AccessLog)
    hooks: Annotated[tuple[LogHook, ...], Status.IGNORED, _ALERTS] = ()
