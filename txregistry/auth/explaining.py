"""Explaining: rule by rule, why somebody may do something, or may not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from txregistry.auth.rules import Rules, actions_of
from txregistry.auth.subjects import ANONYMOUS
from txregistry.interfaces import Identity
from txregistry.oci.access import CATALOG, Access

_KINDS: Final = ("user", "certificate", "token")


def explain(rules: Rules, identity: Identity, access: Access) -> str:
    """Return lines of text: what is decided, and what each rule before that says."""
    lines = [rules.decide(identity, access).text]
    for action in actions_of(access):
        lines.extend(_misses(rules, identity, action, access.name))
    return "\n".join(lines)


def identity_of(text: str, groups: Iterable[str] = ()) -> Identity:
    """Read whom to explain something for.

    Args:
        text: ``anonymous``; ``certificate:NAME``, ``token:NAME``, ``user:NAME``; or the
            user's name alone.
        groups: The groups that it belongs to.
    """
    if text == ANONYMOUS:
        return Identity()
    kind, colon, name = text.partition(":")
    if not colon or kind not in _KINDS:
        kind, name = "user", text
    return Identity(name, kind, frozenset(groups))


def access_of(action: str, repository: str) -> Access:
    """Return the access that an action is: ``catalog`` is on no repository."""
    return CATALOG if action == "catalog" else Access("repository", repository, action)


def _misses(rules: Rules, identity: Identity, action: str, name: str) -> Iterator[str]:
    for number, rule in enumerate(rules.rules):
        miss = rule.miss(identity, action, name)
        if miss is None:
            break
        yield f"{action}: rules.{number} {miss.value}: {rule}"
