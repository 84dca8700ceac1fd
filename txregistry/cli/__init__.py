"""The command ``txregistry``: serve in the foreground, check a configuration, and more.

The other modules have a command each, or a group of them, and what they need is not
there while the registry serves; ``settings`` has what all commands share.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click
from twisted.logger import Logger, globalLogBeginner

from txregistry.starting import importing

with importing():
    from txregistry import __version__
    from txregistry.cli.settings import fail, load_settings
    from txregistry.config import ConfigError, render
    from txregistry.logs import Places, open_logs
    from txregistry.service import make_service
    from txregistry.serving import settle_memory, spare_from_signals, stop_on_signals

_log = Logger()

_file = click.argument(
    "file", required=False, type=click.Path(dir_okay=False), metavar="[FILE]"
)


# Each is in the module of its name.
_ELSEWHERE: Final = ("access", "events", "htpasswd")


class _Commands(click.Group):
    """The commands; those of other modules are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See Group."""
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See Group."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(
            import_module(f"{__name__}.{cmd_name}"), cmd_name
        )
        return found


@click.group(cls=_Commands)
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

    spare_from_signals()
    settings = load_settings(file)
    try:
        logs = open_logs(settings, Places(sys.stderr, sys.stdout))
        globalLogBeginner.beginLoggingTo(logs.observers, redirectStandardIO=False)
        for warning in settings.warnings:
            _log.warn("{problem}", problem=warning)
        service = make_service(settings, reactor, logs=logs)
    except ConfigError as error:
        fail(error)
    service.when_serving(settle_memory)
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

    settings = load_settings(file)
    for warning in settings.warnings:
        click.echo(f"warning: {warning}", err=True)
    try:
        make_service(settings, reactor, makes_files=False)
    except ConfigError as error:
        fail(error)
    click.echo(render(settings), nl=False)
