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
_VALUE: Final = re.compile("[^&;]+")
_ORIGIN: Final = re.compile("[^:/?#]*://[^/?#]*")
_SEGMENT: Final = re.compile("[^/]+")
# Words of one case, and versions: what people call things, and what no token is.
_WORDS: Final = re.compile(
    "(?:[A-Za-z]?[a-z]{1,11}|[A-Z]{1,3}|v[0-9]{1,3})"
    "(?:[._-](?:[A-Za-z]?[a-z]{1,11}|v?[0-9]{1,3}))*"
)
_LONGEST_WORDS: Final = 24


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
        return hidden(value)
    if isinstance(value, Mapping):
        return {key: masked(str(key), below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [masked("", item) for item in value]
    return _cleaned(value) if isinstance(value, str) else value


def masked_url(url: str) -> str:
    """Return a URL as it may be shown.

    That is without user, value in its query, fragment, and what in its path does not
    look like words: those who take messages give out URLs that are a secret as a whole.
    """
    plain, mark, query = _cleaned(url).partition("#")[0].partition("?")
    origin = _ORIGIN.match(plain)
    end = 0 if origin is None else origin.end()
    path = _SEGMENT.sub(_hide_segment, plain[end:])
    return plain[:end] + path + mark + _VALUE.sub(_hide_value, query)


def hidden(value: Any) -> Any:
    """Return a JSON value with its shape alone: no string or number in it is shown."""
    if isinstance(value, Mapping):
        return {key: hidden(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else MASK


def _hide_segment(segment: re.Match[str]) -> str:
    text = segment[0]
    are_words = len(text) <= _LONGEST_WORDS and _WORDS.fullmatch(text)
    return text if are_words else MASK


def _hide_value(parameter: re.Match[str]) -> str:
    name, equals, _ = parameter[0].partition("=")
    return f"{name}={MASK}" if equals else MASK


def _cleaned(text: str) -> str:
    return _ASSIGNMENT.sub(rf"\1{MASK}", _USERINFO.sub(rf"\1{MASK}@", text))
