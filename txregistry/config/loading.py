"""Loading: from a file and the environment to settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Final

from attrs import evolve

from txregistry.config.environment import PATH_VARIABLE, override
from txregistry.config.errors import ConfigError, Origin, quoted
from txregistry.config.nodes import (
    Misfit,
    Node,
    ScalarNode,
    TableNode,
    as_table,
    is_null,
)
from txregistry.config.review import review
from txregistry.config.settings import VERSION, Document, Settings
from txregistry.config.structuring import structure
from txregistry.config.yamltext import read_yaml

EMBEDDED: Final = "default.yml (embedded)"
_MAX_SIZE: Final = 1 << 20  # bytes


def load(path: str | None, environ: Mapping[str, str]) -> Settings:
    """Load the configuration.

    Args:
        path: The file; None: the one that ``REGISTRY_CONFIGURATION_PATH`` names, and
            if it names none, the default that comes with the package.
        environ: The environment, whose ``REGISTRY_`` variables change the file's keys.

    Returns:
        The settings, with warnings for what in the configuration has no effect.

    Raises:
        ConfigError: The configuration cannot be used.
    """
    path = path or environ.get(PATH_VARIABLE) or None
    text = _embedded() if path is None else _read(path)
    return load_document(Document(path or EMBEDDED, text), environ)


def load_document(document: Document, environ: Mapping[str, str]) -> Settings:
    """Load a configuration that was read before; for all else see ``load``."""
    try:
        return _load(document, environ)
    except Misfit as misfit:
        key = ".".join(misfit.steps)
        raise ConfigError(key, misfit.problem, misfit.origin) from None


def _load(document: Document, environ: Mapping[str, str]) -> Settings:
    origin = Origin(file=document.name)
    written = read_yaml(document.text, origin)
    start = evolve(origin, line=1)
    root = as_table(TableNode({}, start) if written is None else written)
    _check_version(root)
    root, ignored = override(root, environ, Settings)
    settings = structure(root, Settings)
    settings = evolve(_with_level(settings, root), source=root, document=document)
    if not settings.storage.drivers:
        raise settings.error("storage", "a storage driver is needed")
    return evolve(settings, warnings=ignored + review(root, Settings))


def _embedded() -> str:
    return (
        resources.files("txregistry.config").joinpath("default.yml").read_text("utf-8")
    )


def _read(path: str) -> str:
    origin = Origin(file=path)
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MAX_SIZE + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise ConfigError("", problem, origin) from None
    except ValueError:
        raise ConfigError("", "is no path", origin) from None
    if len(content) > _MAX_SIZE:
        raise ConfigError("", f"is larger than {_MAX_SIZE} bytes", origin)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError("", "is not UTF-8", evolve(origin, line=line)) from None


def _check_version(root: TableNode) -> None:
    node = root.entries.get("version")
    if node is None:
        raise ConfigError("version", f"is missing; it must be {VERSION}", root.origin)
    text = _text_of(node)
    if text != VERSION:
        problem = f"must be {VERSION}, the only version there is"
        if text is not None:
            problem = f"{quoted(text)} is not supported; it {problem}"
        raise ConfigError("version", problem, node.origin)


def _text_of(node: Node) -> str | None:
    return node.text if isinstance(node, ScalarNode) else None


def _with_level(settings: Settings, root: TableNode) -> Settings:
    """Apply ``loglevel``, the older key, where ``log.level`` does not say otherwise."""
    if settings.loglevel is None:
        return settings
    log = root.entries.get("log")
    level = log.entries.get("level") if isinstance(log, TableNode) else None
    if not is_null(level):
        return evolve(settings, loglevel=None)
    older = evolve(settings.log, level=settings.loglevel)
    return evolve(settings, log=older, loglevel=None)
