"""Masking: settings that can be shown to anyone who may see that there are secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"

# Words that make a name a secret's, wherever they stand in it ...
_SECRET_WORDS: Final = re.compile(
    "pass(word|wd|phrase)|secret|token|credential|connectionstring|authorization"
    "|cookie|signature"
)
# ... names that are one as a whole or by their end (secretkey, x-api-key) ...
_SECRET_ENDS: Final = re.compile(".*(key|pass|pwd)|sas|dsn|accesskeyid|trustid")
# ... and a name that looks like one, but is a switch.
_HARMLESS: Final = frozenset(["tempurlcontainerkey"])
_USERINFO: Final = re.compile(r"(://)\S*@")
_ASSIGNMENT: Final = re.compile(
    r"(?i)([\w.-]{0,40}(?:key|secret|password|passwd|token|sig|signature|credential)=)"
    r"[^&;\s]+"
)


def is_secret(name: str) -> bool:
    """Say whether the value under a name is to be kept from readers."""
    plain = re.sub("[^a-z0-9]", "", name.lower())
    if plain in _HARMLESS:
        return False
    return bool(_SECRET_WORDS.search(plain) or _SECRET_ENDS.fullmatch(plain))


def masked(name: str, value: Any) -> Any:
    """Return a JSON value as it may be shown.

    Args:
        name: The key it stands under; empty: none.
        value: Strings and numbers, however deep in lists and mappings, are replaced by
            ``***`` if the name is a secret's, or that of the mapping they stand in.
            In other strings the user of a URL, and values behind ``password=`` and
            the like, are replaced.
    """
    if name and is_secret(name):
        return _hidden(value)
    if isinstance(value, Mapping):
        return {key: masked(str(key), below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [masked("", item) for item in value]
    return _cleaned(value) if isinstance(value, str) else value


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _hidden(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else MASK


def _cleaned(text: str) -> str:
    return _ASSIGNMENT.sub(rf"\1{MASK}", _USERINFO.sub(rf"\1{MASK}@", text))
