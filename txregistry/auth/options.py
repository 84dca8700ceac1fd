"""Options: what stands in the configuration for a checker, read with their types.

The environment gives text where the file gives a number or a truth value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from txregistry.interfaces import InvalidOption

_TRUTH: Final = {"true": True, "yes": True, "false": False, "no": False}


class Options:
    """A checker's options. Each is read once; then none may be left."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Take them, as JSON values by key."""
        self._options = options
        self._known: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text.

        Args:
            key: The option.
            default: What it is when it is not given; None: it has to be.

        Raises:
            InvalidOption: It is missing, empty, or no text.
        """
        value = self._value(key, default)
        if value is None:
            raise InvalidOption(key, "is missing")
        if not isinstance(value, str) or not value or "\0" in value:
            raise InvalidOption(key, "has to be a text")
        return value

    def text_or_none(self, key: str) -> str | None:
        """Read a text that need not be given.

        Raises:
            InvalidOption: It is empty, or no text.
        """
        return None if self._value(key, None) is None else self.text(key)

    def flag(self, key: str, default: bool) -> bool:
        """Read a truth value.

        Raises:
            InvalidOption: It is none.
        """
        value = self._value(key, default)
        if isinstance(value, str):
            value = _TRUTH.get(value.lower())
        if not isinstance(value, bool):
            raise InvalidOption(key, "has to be true or false")
        return value

    def seconds(self, key: str, default: float) -> float:
        """Read a number of seconds, not below 0.

        Raises:
            InvalidOption: It is none.
        """
        value = self._value(key, default)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not 0 <= number < math.inf:
            raise InvalidOption(key, "has to be a number of seconds")
        return number

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; empty when it is not given.

        Raises:
            InvalidOption: It is none.
        """
        value = self._value(key, ())
        if not isinstance(value, list | tuple) or not all(
            isinstance(each, str) and each for each in value
        ):
            raise InvalidOption(key, "has to be a list of texts")
        return tuple(value)

    def table(self, key: str) -> Mapping[str, Any] | None:
        """Read options within options; None when they are not given.

        Raises:
            InvalidOption: It is something else.
        """
        value = self._value(key, None)
        if value is not None and not isinstance(value, Mapping):
            raise InvalidOption(key, "has to be a table")
        return value

    def refuse_others(self) -> None:
        """Refuse what nobody has asked for.

        Raises:
            InvalidOption: There is such an option; it is named.
        """
        for key in self._options:
            if key not in self._known:
                known = ", ".join(sorted(self._known))
                raise InvalidOption(key, f"unknown option; known are: {known}")

    def _value(self, key: str, default: Any) -> Any:
        self._known.add(key)
        value = self._options.get(key)
        return default if value is None else value
