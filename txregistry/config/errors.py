"""Problems with the configuration, and where in it they are."""

from __future__ import annotations

from attrs import frozen


@frozen
class Origin:
    """Where a setting was written: a line of a file, or an environment variable.

    Attributes:
        file: The file's name as it was given; None: not from a file.
        line: The line in it, from 1; None: the file as a whole.
        variable: The environment variable's name; None: not from the environment.
        key: The dotted path of the key that the variable sets; empty for a file.
    """

    file: str | None = None
    line: int | None = None
    variable: str | None = None
    key: str = ""

    def describe(self, key: str, problem: str) -> str:
        """Return one line that says where, which key and what is wrong.

        Args:
            key: The dotted path of the key; empty: none in particular.
            problem: What is wrong with it.
        """
        parts = [self._place(), key, problem]
        if self.variable is not None and key == self.key:
            parts.remove(key)
        return one_line(": ".join(filter(None, parts)))

    def _place(self) -> str:
        if self.variable is not None:
            return f"environment variable {self.variable}"
        if self.line is None:
            return self.file or ""
        return f"{self.file}:{self.line}"


class ConfigError(Exception):
    """The configuration cannot be used. Its text is one line for the administrator.

    Attributes:
        key: The dotted path of the key; empty: none in particular.
        problem: What is wrong, without the place.
        file: The file's name; None: the problem is in the environment.
        line: The line in the file, from 1; None: none in particular.
        variable: The environment variable's name; None: the problem is in the file.
    """

    def __init__(self, key: str, problem: str, origin: Origin) -> None:
        """Name the key, the problem and the place."""
        super().__init__(origin.describe(key, problem))
        self.key = key
        self.problem = problem
        self.file = origin.file
        self.line = origin.line
        self.variable = origin.variable


@frozen
class ConfigWarning:
    """Something in the configuration that has no effect, or not the one expected.

    Attributes:
        key: The dotted path of the key; empty for an unknown environment variable.
        problem: What is the matter with it.
        origin: Where it was written.
    """

    key: str
    problem: str
    origin: Origin

    def __str__(self) -> str:
        """Return one line, of the same form as a ConfigError's."""
        return self.origin.describe(self.key, self.problem)


def one_line(text: str) -> str:
    """Escape everything that a terminal or a log line would not show as it is."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def quoted(text: str, limit: int = 40) -> str:
    """Put a name or a short value into quotes for a message.

    Args:
        text: What to quote; never a secret.
        limit: How many characters of it to show.
    """
    return f'"{text}"' if len(text) <= limit else f'"{text[:limit]}…"'
