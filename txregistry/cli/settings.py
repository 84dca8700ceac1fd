"""Settings: what every command does with the configuration, and with errors."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from txregistry.config import ConfigError, Settings, load

config_option = click.option(
    "--config", "file", help="The configuration, as serve takes it."
)


def load_settings(file: str | None) -> Settings:
    """Load a configuration, or end the process with a line that says what is wrong."""
    try:
        return load(file, os.environ)
    except ConfigError as error:
        fail(error)


def fail(error: Exception | str) -> NoReturn:
    """End the process with a line on standard error and status 1."""
    click.echo(f"txregistry: {error}", err=True)
    sys.exit(1)
