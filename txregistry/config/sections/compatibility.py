"""``compatibility``: older forms, of the Go registry's second line."""

from __future__ import annotations

from attrs import field, frozen

from txregistry.config.fields import VARIABLE, Ignored, Section


@frozen
class Schema1(Section):
    """``compatibility.schema1``."""

    signingkeyfile: Ignored[str] = field(default="", metadata={VARIABLE: "TRUSTKEY"})
    enabled: Ignored[bool] = False
    disablesignaturestore: Ignored[bool] = False


@frozen
class Compatibility(Section):
    """``compatibility``."""

    schema1: Ignored[Schema1] = field(factory=Schema1)
