"""Configuration: YAML and environment in, frozen settings or a ConfigError out.

``sections`` holds the settings, one module a section; the other modules read them.
Knows nothing of the parts that the settings are for. Use what is named here.
"""

from __future__ import annotations

from txregistry.config.addresses import (
    Address,
    BaseURL,
    SocketPath,
    TrustedProxies,
)
from txregistry.config.errors import ConfigError, ConfigWarning, Origin
from txregistry.config.loading import load, load_document
from txregistry.config.rendering import to_yaml as render
from txregistry.config.sections.listeners import Place
from txregistry.config.settings import Document, Settings
from txregistry.config.types import Headers, Parameters, Seconds, Secret

__all__ = [
    "Address",
    "BaseURL",
    "ConfigError",
    "ConfigWarning",
    "Document",
    "Headers",
    "Origin",
    "Parameters",
    "Place",
    "Seconds",
    "Secret",
    "Settings",
    "SocketPath",
    "TrustedProxies",
    "load",
    "load_document",
    "render",
]
