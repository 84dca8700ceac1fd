"""Names: repositories, tags and what stands for a manifest in a URL."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from txregistry.oci.digest import Digest
from txregistry.oci.errors import NameInvalid, TagInvalid

LONGEST_NAME: Final = 255

_COMPONENT = "[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(f"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@frozen(order=True)
class Name:
    """A repository's name, ``library/nginx`` (spec: Pulling manifests).

    Attributes:
        text: The name; at most 255 characters.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read a name.

        Raises:
            NameInvalid: It does not match the grammar, or is too long.
        """
        if len(text) > LONGEST_NAME:
            raise NameInvalid(
                {"name": text[:LONGEST_NAME]},
                message=f"repository name is longer than {LONGEST_NAME} characters",
            )
        if _NAME.fullmatch(text) is None:
            raise NameInvalid({"name": text})
        return cls(text)

    def __str__(self) -> str:
        """Return the name."""
        return self.text


@frozen(order=True)
class Tag:
    """A tag, ``latest``: a pointer to a manifest.

    Attributes:
        text: The tag; at most 128 characters.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Read a tag.

        Raises:
            TagInvalid: It does not match the grammar.
        """
        if _TAG.fullmatch(text) is None:
            raise TagInvalid({"tag": text[:256]})
        return cls(text)

    def __str__(self) -> str:
        """Return the tag."""
        return self.text


def parse_tag_or_digest(text: str) -> Tag | Digest:
    """Read the last segment of a manifest's URL.

    A text with a ``:`` can only be meant as a digest.

    Raises:
        DigestInvalid: It looks like a digest and is none.
        TagInvalid: It is neither.
    """
    return Digest.parse(text) if ":" in text else Tag.parse(text)
