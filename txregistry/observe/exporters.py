"""Exporters: where the environment wants traces to go. Needs no OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

OTLP: Final = "otlp"
CONSOLE: Final = "console"

_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
)
_PROTOCOLS: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
)
_PROTOCOL: Final = "http/protobuf"


class UnusableVariable(Exception):
    """An environment variable says what cannot be done.

    Attributes:
        variable: Its name.
        problem: What is wrong with it, for the person who set it.
    """

    def __init__(self, variable: str, problem: str) -> None:
        """Name the variable and the problem."""
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


@frozen
class Asked:
    """What the environment asks for.

    Attributes:
        variable: The variable by which it asks.
        exporters: ``OTLP``, ``CONSOLE``, or both.
    """

    variable: str
    exporters: Sequence[str]


def asked(environ: Mapping[str, str]) -> Asked | None:
    """Return what the environment asks for; None: there are to be no traces.

    Args:
        environ: The environment; a variable that is empty is not set.

    Raises:
        UnusableVariable: It asks for what there is not.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    found = _named(environ) or _implied(environ)
    if found is not None and OTLP in found.exporters:
        _require_protocol(environ)
    return found if found is None or found.exporters else None


def _named(environ: Mapping[str, str]) -> Asked | None:
    names = [name.strip().lower() for name in environ.get(_EXPORTER, "").split(",")]
    names = [name for name in dict.fromkeys(names) if name]
    for name in names:
        if name not in (OTLP, CONSOLE, "none"):
            raise UnusableVariable(_EXPORTER, f"{name} is none of otlp, console, none")
    if not names:
        return None
    return Asked(_EXPORTER, [] if "none" in names else names)


def _implied(environ: Mapping[str, str]) -> Asked | None:
    for variable in _ENDPOINTS:
        if environ.get(variable, "").strip():
            return Asked(variable, [OTLP])
    return None


def _require_protocol(environ: Mapping[str, str]) -> None:
    for variable in _PROTOCOLS:
        protocol = environ.get(variable, "").strip().lower()
        if protocol and protocol != _PROTOCOL:
            problem = f"{protocol} is not spoken, only {_PROTOCOL}"
            raise UnusableVariable(variable, problem)
        if protocol:
            return
