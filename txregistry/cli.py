"""The command ``txregistry``: serve in the foreground, check a configuration."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click
from twisted.logger import Logger, globalLogBeginner

from txregistry import __version__
from txregistry.config import ConfigError, Settings, load, render
from txregistry.observe.logs import make_observer
from txregistry.service import make_service, stop_on_signals

_log = Logger()

_file = click.argument(
    "file", required=False, type=click.Path(dir_okay=False), metavar="[FILE]"
)


@click.group()
@click.version_option(__version__, prog_name="txregistry")
def main() -> None:
    """A registry for container images."""


@main.command()
@_file
def serve(file: str | None) -> None:
    """Serve in the foreground, as FILE says.

    Without FILE, as the file in REGISTRY_CONFIGURATION_PATH says; without that either,
    on 127.0.0.1:5000 with the folder registry-data.
    """
    from twisted.internet import reactor

    settings = _load(file)
    globalLogBeginner.beginLoggingTo(
        [make_observer(sys.stderr, settings.log.level)], redirectStandardIO=False
    )
    for warning in settings.warnings:
        _log.warn("{problem}", problem=warning)
    try:
        service = make_service(settings, reactor)
    except ConfigError as error:
        _fail(error)
    reactor.callWhenRunning(stop_on_signals, reactor, service)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    service.privilegedStartService()
    service.startService()
    reactor.run()
    sys.exit(0 if service.failure is None else 1)


@main.command()
@_file
def check(file: str | None) -> None:
    """Check FILE and print the settings that count, secrets masked.

    Without FILE, what ``serve`` would use.
    """
    from twisted.internet import reactor

    settings = _load(file)
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    try:
        make_service(settings, reactor)
    except ConfigError as error:
        _fail(error)
    click.echo(render(settings), nl=False)


def _load(file: str | None) -> Settings:
    try:
        return load(file, os.environ)
    except ConfigError as error:
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    click.echo(f"txregistry: {error}", err=True)
    sys.exit(1)
