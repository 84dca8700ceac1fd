"""Access: what a request wants to do, and how scopes say it.

The scope grammar is that of the Docker token specification (distribution's
``spec/auth/scope``): ``repository:samalba/my-app:pull,push``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from txregistry.oci.names import Name

_SCOPE: Final = re.compile(
    r"(?P<kind>[a-z0-9]+)(?:\([a-z0-9]+\))?:(?P<name>[^\s\x00-\x1f]{1,512}):"
    r"(?P<actions>(?:[a-z]*|\*)(?:,(?:[a-z]*|\*))*)"
)
_MOST_SCOPES: Final = 100


class Access(NamedTuple):
    """One thing that a request wants to do.

    Attributes:
        kind: ``repository`` or ``registry``; others stand in scopes of other services.
        name: The repository's name; ``catalog``.
        action: ``pull``, ``push``, ``delete``; ``*``: everything.
    """

    kind: str
    name: str
    action: str

    def to_json(self) -> dict[str, str]:
        """Return it as the detail of an UNAUTHORIZED error shows it."""
        return {
            "Type": self.kind,
            "Class": "",
            "Name": self.name,
            "Action": self.action,
        }


CATALOG: Final = Access("registry", "catalog", "*")


def repository_accesses(name: Name, *actions: str) -> tuple[Access, ...]:
    """Return the accesses to one repository."""
    text = str(name)
    return tuple([Access("repository", text, action) for action in actions])


def parse_scopes(texts: Iterable[str]) -> list[Access]:
    """Read scopes, several in a text separated by spaces.

    What is malformed is left out: a token service grants less, it does not fail.

    Returns:
        An access for each action, in order, none twice; those of the first hundred.
    """
    scopes = [scope for text in texts for scope in text.split()][:_MOST_SCOPES]
    matches = (_SCOPE.fullmatch(scope) for scope in scopes)
    found = (
        Access(match["kind"], match["name"], action)
        for match in matches
        if match is not None
        for action in match["actions"].split(",")
        if action
    )
    return list(dict.fromkeys(found))


def format_scope(accesses: Sequence[Access]) -> str:
    """Write accesses as one scope text: ``repository:a/b:pull,push registry:…``.

    Accesses to the same thing are joined, in the order in which they first come.
    """
    actions: dict[tuple[str, str], list[str]] = {}
    for access in accesses:
        known = actions.setdefault((access.kind, access.name), [])
        if access.action not in known:
            known.append(access.action)
    return " ".join(
        f"{kind}:{name}:{','.join(each)}" for (kind, name), each in actions.items()
    )
