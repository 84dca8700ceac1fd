"""``reporting``: services for errors, of the Go registry's second line."""

from __future__ import annotations

from attrs import field, frozen

from txregistry.config.fields import Ignored, Section
from txregistry.config.types import Secret


@frozen
class Bugsnag(Section):
    """``reporting.bugsnag``."""

    apikey: Ignored[Secret] = field(factory=Secret)
    releasestage: Ignored[str] = ""
    endpoint: Ignored[str] = field(default="", repr=False)


@frozen
class NewRelic(Section):
    """``reporting.newrelic``."""

    licensekey: Ignored[Secret] = field(factory=Secret)
    name: Ignored[str] = ""
    verbose: Ignored[bool] = False


@frozen
class Reporting(Section):
    """``reporting``."""

    bugsnag: Ignored[Bugsnag] = field(factory=Bugsnag)
    newrelic: Ignored[NewRelic] = field(factory=NewRelic)
