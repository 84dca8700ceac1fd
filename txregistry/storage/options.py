"""Options: what stands under ``storage.<name>`` in the configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from txregistry.interfaces import InvalidOption


def refuse_unknown(options: Iterable[str], known: Collection[str]) -> None:
    """Refuse options that a driver does not have.

    Args:
        options: The keys that are set.
        known: The keys that there are.

    Raises:
        InvalidOption: One is not known; it is named.
    """
    for key in options:
        if key not in known:
            raise InvalidOption(key, f"unknown option; {_listed(known)}")


def _listed(known: Collection[str]) -> str:
    return f"known are: {', '.join(sorted(known))}" if known else "there are none"
