"""Web URLs: those that the registry itself goes to."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import attrs

from txregistry.config.fields import Invalid


def check_web_url(_instance: Any, attribute: attrs.Attribute[str], url: str) -> None:
    """Refuse, as an attribute's validator, what is no URL of the web's; but not "".

    Raises:
        Invalid: It is none.
    """
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https")
        is_url = is_web and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if url and not (is_url and url.isascii() and url.isprintable() and " " not in url):
        raise Invalid(
            attribute.name, 'must be a URL such as "https://example.com/hook"'
        )


def split_user(url: str) -> tuple[str, dict[str, list[str]]]:
    """Return a URL without its user and password, and the header that shows them."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    credentials = b64encode(unquote(userinfo).encode()).decode()
    plain = urlunsplit(parts._replace(netloc=host))
    return plain, {"Authorization": [f"Basic {credentials}"]}
