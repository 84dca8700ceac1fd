"""Commands: programs run to their end, with a bound on time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import SkipTest


class CommandFailed(AssertionError):
    """A command ended with another status than 0, or not in time."""

    def __init__(self, argv: Sequence[str], how: str, output: str) -> None:
        """Take the command, how it ended, and what it printed."""
        super().__init__(f"{' '.join(argv)}\n{how}\n{output}")
        self.output = output


class CommandMissing(AssertionError):
    """A command is not installed, where it must be."""


def need(*names: str) -> None:
    """Go on only where some commands are installed.

    Raises:
        SkipTest: One of them is missing.
        CommandMissing: One of them is missing, and this is CI.
    """
    missing = [name for name in names if shutil.which(name) is None]
    if missing and os.environ.get("CI") == "true":
        raise CommandMissing(", ".join(missing))
    if missing:
        raise SkipTest(f"not installed: {', '.join(missing)}")


def run(
    *argv: str | Path,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a command and return what it printed on its standard output.

    Args:
        argv: The command and its arguments.
        timeout: For how many seconds at the most.
        env: Variables to set beside those that are there.
        cwd: The folder to run in; None: this process's own.

    Raises:
        CommandFailed: It ended with another status than 0, or not in time.
    """
    words = [str(word) for word in argv]
    try:
        ended = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"") + (error.stderr or b"")
        text = output.decode(errors="replace")
        raise CommandFailed(words, f"still running after {timeout} s", text) from None
    if ended.returncode != 0:
        raise CommandFailed(
            words, f"status {ended.returncode}", ended.stdout + ended.stderr
        )
    return ended.stdout
