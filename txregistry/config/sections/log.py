"""``log``: what is logged."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from txregistry.config.fields import KEY, VARIABLE, Ignored, Section
from txregistry.config.types import LogLevel, Parameters, Secret


@frozen
class AccessLog(Section):
    """``log.accesslog``.

    Attributes:
        disabled: Whether to log no line for each request.
    """

    disabled: bool = False


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
        accesslog: Lines for requests.
    """

    level: LogLevel = "info"
    accesslog: AccessLog = field(factory=AccessLog)
    formatter: Ignored[Literal["text", "json", "logstash"]] = "text"
    fields: Ignored[Parameters] = field(factory=dict, repr=False)
    hooks: Ignored[tuple[LogHook, ...]] = ()
    reportcaller: Ignored[bool] = False
