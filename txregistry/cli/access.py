"""Access: what the rules say, and why."""

from __future__ import annotations

import sys

import click

from txregistry.admission import find_rules
from txregistry.auth.explaining import access_of, explain, identity_of
from txregistry.cli.settings import config_option, fail, load_settings
from txregistry.config import ConfigError


@click.group()
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
