"""The command ``txregistry``: serve in the foreground, check a configuration, and more.

``events`` has the commands for notifications; ``settings`` what all commands share.
"""

from __future__ import annotations

import sys

import click
from twisted.logger import Logger, globalLogBeginner

from txregistry import __version__
from txregistry.admission import find_rules
from txregistry.auth.editing import InvalidPassword, remove_user, set_password
from txregistry.auth.explaining import access_of, explain, identity_of
from txregistry.auth.hashes import DEFAULT_COST
from txregistry.auth.htpasswd import InvalidUser
from txregistry.cli.events import events
from txregistry.cli.settings import config_option, fail, load_settings
from txregistry.config import ConfigError, render
from txregistry.logs import Places, open_logs
from txregistry.service import make_service
from txregistry.serving import settle_memory, spare_from_signals, stop_on_signals

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


@main.command()
@click.argument("path", type=click.Path(dir_okay=False), metavar="FILE")
@click.argument("user")
@click.option("--remove", is_flag=True, help="Remove the user instead.")
@click.option("--cost", default=DEFAULT_COST, show_default=True, help="Of the hash.")
@click.option("--stdin", is_flag=True, help="Read the password's line from there.")
def htpasswd(path: str, user: str, remove: bool, cost: int, stdin: bool) -> None:
    """Add USER to the htpasswd FILE, or give it another password, or remove it."""
    try:
        if remove:
            done = "removed" if remove_user(path, user.encode()) else "was not there"
        else:
            password = _read_password(stdin)
            new = set_password(path, user.encode(), password.encode(), cost)
            done = "added" if new else "has another password now"
    except (InvalidUser, InvalidPassword, ValueError) as error:
        fail(error)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    click.echo(f"{user}: {done}")


main.add_command(events)


@main.group()
def access() -> None:
    """Look into the access rules."""


@access.command("explain")
@click.argument("user")
@click.argument("action", type=click.Choice(["pull", "push", "delete", "catalog"]))
@click.argument("repository", required=False, default="")
@config_option
@click.option("--group", "groups", multiple=True, help="A group that USER is in.")
def explain_access(
    user: str, action: str, repository: str, file: str | None, groups: tuple[str, ...]
) -> None:
    """Say whether USER may do ACTION on REPOSITORY, and which rule decides.

    USER is a name, anonymous, certificate:NAME or token:NAME.
    """
    try:
        rules = find_rules(load_settings(file))
    except ConfigError as error:
        fail(error)
    if rules is None:
        fail("the configuration has no access rules")
    who = identity_of(user, groups)
    wanted = access_of(action, repository)
    click.echo(explain(rules, who, wanted))
    sys.exit(0 if rules.allow(who, wanted) else 1)


def _read_password(stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
