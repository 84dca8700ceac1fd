"""Htpasswd: the file with users and the hashes of their passwords."""

from __future__ import annotations

import sys

import click

from txregistry.auth.editing import InvalidPassword, remove_user, set_password
from txregistry.auth.hashes import DEFAULT_COST
from txregistry.auth.htpasswd import InvalidUser
from txregistry.cli.settings import fail


@click.command()
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


def _read_password(stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
