"""Rules: who may do what on which repositories. The first one that matches decides.

A rule is a table of three keys, each with a text or a list of texts::

    {who: [user:alice, group:ops], may: [pull, push], on: [lib/**, "users/${user}/*"]}

``who``
    See ``txregistry.auth.subjects``.
``may``, or in its place ``not``
    What the rule allows, or denies: ``pull``, ``push``, ``delete``, ``catalog`` (to ask
    which repositories there are), or ``*``, which is all of them.
``on``
    See ``txregistry.oci.globs``. ``catalog`` is about no repository: a rule of it
    alone has no ``on``, and ``*`` has a part in it only on ``**``.

What no rule matches is denied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, TypeVar

from attrs import frozen
from zope.interface import implementer

from txregistry.auth.subjects import InvalidSubject, Subjects
from txregistry.interfaces import IAccessPolicy, Identity, InvalidOption
from txregistry.oci.access import CATALOG, Access
from txregistry.oci.globs import Globs, InvalidGlob

_CATALOG: Final = "catalog"
_ON_REPOSITORIES: Final = ("pull", "push", "delete")
_EVERYTHING: Final = "*"
_ACTIONS: Final = (*_ON_REPOSITORIES, _CATALOG, _EVERYTHING)
_KEYS: Final = ("who", "may", "not", "on")
_EVERYWHERE: Final = "**"

_T = TypeVar("_T")


class Miss(Enum):
    """Why a rule has nothing to say."""

    ACTION = "is not about the action"
    WHO = "is not about who asks"
    WHERE = "is not about the repository"


@frozen
class Rule:
    """A rule.

    Attributes:
        who: Whom it is about.
        actions: Which actions.
        on: Which repositories; None: it is about the catalog alone.
        allows: Whether it allows them; else it denies them.
    """

    who: Subjects
    actions: tuple[str, ...]
    on: Globs | None
    allows: bool

    def miss(self, identity: Identity, action: str, name: str) -> Miss | None:
        """Say why it has nothing to say; None: it decides.

        Args:
            identity: Who asks.
            action: ``pull``, ``push``, ``delete`` or ``catalog``.
            name: The repository's name; of no meaning for ``catalog``.
        """
        if action not in self.actions and not self._covers_all_with(action):
            return Miss.ACTION
        if not self.who.include(identity):
            return Miss.WHO
        if action == _CATALOG or self.on is None:
            return None
        return None if self.on.match(name, identity.name) else Miss.WHERE

    def __str__(self) -> str:
        """Return one line that says it."""
        verb = "may" if self.allows else "may not"
        text = f"{', '.join(self.who.texts)} {verb} {', '.join(self.actions)}"
        return text if self.on is None else f"{text} on {', '.join(self.on.texts)}"

    def _covers_all_with(self, action: str) -> bool:
        if _EVERYTHING not in self.actions:
            return False
        return action != _CATALOG or self.on is None or _EVERYWHERE in self.on.texts


@frozen
class Decision:
    """What the rules say to somebody who wants to do something.

    Attributes:
        allowed: Whether it is allowed.
        rule: The number of the rule that decided, from 0; None: none matched.
        text: One line that says so.
    """

    allowed: bool
    rule: int | None
    text: str


@frozen
class Rules:
    """Rules, in their order."""

    rules: tuple[Rule, ...]

    def allow(self, identity: Identity, access: Access) -> bool:
        """Say whether somebody may do something.

        The action ``*`` on a repository is allowed if each action is.
        """
        actions = actions_of(access)
        return bool(actions) and all(
            (number := self._first(identity, action, access.name)) is not None
            and self.rules[number].allows
            for action in actions
        )

    def decide(self, identity: Identity, access: Access) -> Decision:
        """Decide whether somebody may do something, and say why.

        Of the actions that ``*`` stands for, the first that is denied decides, or else
        the last one.
        """
        decision = Decision(False, None, "denied: no rule is about such a thing")
        for action in actions_of(access):
            decision = self._decision(self._first(identity, action, access.name))
            if not decision.allowed:
                break
        return decision

    def _first(self, identity: Identity, action: str, name: str) -> int | None:
        for number, rule in enumerate(self.rules):
            if rule.miss(identity, action, name) is None:
                return number
        return None

    def _decision(self, number: int | None) -> Decision:
        if number is None:
            return Decision(False, None, "denied: no rule matches")
        rule = self.rules[number]
        verb = "allowed" if rule.allows else "denied"
        return Decision(rule.allows, number, f"{verb} by rules.{number}: {rule}")


@implementer(IAccessPolicy)
class RulesPolicy:
    """What rules allow. A token's own limits are not heeded here; see GrantsPolicy."""

    def __init__(self, current: Callable[[], Rules]) -> None:
        """Take what returns the rules that are in force."""
        self._current = current

    def may(self, identity: Identity, access: Access) -> bool:
        """See IAccessPolicy."""
        return self._current().allow(identity, access)


def actions_of(access: Access) -> tuple[str, ...]:
    """Return the actions that rules know an access by; none: they do not know it."""
    if access == CATALOG:
        return (_CATALOG,)
    if access.kind != "repository":
        return ()
    if access.action == _EVERYTHING:
        return _ON_REPOSITORIES
    return (access.action,) if access.action in _ON_REPOSITORIES else ()


def parse_rules(value: object, key: str = "rules") -> Rules:
    """Read rules out of a configuration.

    Args:
        value: A list of tables: JSON values.
        key: Where it stands, for errors.

    Raises:
        InvalidOption: It is no list of rules; the key says which rule and which part.
    """
    if not isinstance(value, list):
        raise InvalidOption(key, "has to be a list of rules")
    return Rules(
        tuple(_rule(item, f"{key}.{number}") for number, item in enumerate(value))
    )


def _rule(value: object, key: str) -> Rule:
    if not isinstance(value, Mapping):
        raise InvalidOption(key, "has to be a table with who, may or not, and on")
    for name in value:
        if name not in _KEYS:
            known = ", ".join(_KEYS)
            raise InvalidOption(f"{key}.{name}", f"unknown; known are: {known}")
    verbs = [verb for verb in ("may", "not") if verb in value]
    if len(verbs) != 1:
        raise InvalidOption(key, "has to have either may or not")
    who = _parsed(Subjects.parse, value, "who", key)
    actions = _parsed(_actions, value, verbs[0], key)
    on = None
    if set(actions) != {_CATALOG}:
        on = _parsed(Globs.parse, value, "on", key)
    elif "on" in value:
        raise InvalidOption(f"{key}.on", "the catalog is about no repository")
    return Rule(who, actions, on, allows=verbs == ["may"])


class _UnknownAction(Exception):
    """A text names no action."""


def _parsed(
    parse: Callable[[Iterable[str]], _T], value: Mapping[str, Any], part: str, key: str
) -> _T:
    try:
        return parse(_texts(value.get(part), f"{key}.{part}"))
    except (InvalidGlob, InvalidSubject, _UnknownAction) as error:
        raise InvalidOption(f"{key}.{part}", str(error)) from None


def _texts(value: object, key: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if value is None or not values:
        raise InvalidOption(key, "is missing")
    texts = [text for text in values if isinstance(text, str)]
    if len(texts) != len(values):
        raise InvalidOption(key, "has to be a text or a list of texts")
    return texts


def _actions(texts: Iterable[str]) -> tuple[str, ...]:
    actions = tuple(texts)
    for action in actions:
        if action not in _ACTIONS:
            known = ", ".join(_ACTIONS)
            raise _UnknownAction(f"{action!r} is no action; there are: {known}")
    return actions
