"""htpasswd files: lines of a user's name, a colon, and a bcrypt hash."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from txregistry.auth.hashes import NotBcrypt, cost_of, parse_hash
from txregistry.auth.watched import BrokenFile

LONGEST_NAME: Final = 255
"""Of a user, in bytes."""


@frozen
class Htpasswd:
    """What an htpasswd file says.

    Attributes:
        hashes: The users' hashes, by name.
        costs: The hashes' costs, one for each user.
    """

    hashes: Mapping[bytes, bytes] = field(repr=False)
    costs: tuple[int, ...] = field(repr=False)


class InvalidUser(Exception):
    """A text cannot be a user's name in an htpasswd file. Its text says why."""


def parse_htpasswd(path: str, content: bytes) -> Htpasswd:
    """Read an htpasswd file's content.

    White space around a line does not count; empty lines and those that begin with
    ``#`` do not either. Of several lines for a user the last one counts.

    Args:
        path: The file, for errors.
        content: What is in it.

    Raises:
        BrokenFile: A line is none of an htpasswd file, or its hash is not bcrypt's.
    """
    hashes: dict[bytes, bytes] = {}
    for number, line in enumerate(content.removeprefix(BOM_UTF8).split(b"\n"), 1):
        entry = line.strip()
        if entry and not entry.startswith(b"#"):
            try:
                user, stored = _parse_entry(entry)
            except (InvalidUser, NotBcrypt) as error:
                raise BrokenFile(path, str(error), number) from None
            hashes[user] = stored
    return Htpasswd(hashes, tuple(cost_of(stored) for stored in hashes.values()))


def user_of(line: bytes) -> bytes | None:
    """Return the user that a line is for; None: it is for none."""
    user, colon, _ = line.strip().partition(b":")
    return user if colon and not user.startswith(b"#") else None


def check_user(user: bytes) -> None:
    """Make sure that a user's name can stand in an htpasswd file.

    Raises:
        InvalidUser: It cannot.
    """
    problems = (
        (not user, "a user without a name"),
        (len(user) > LONGEST_NAME, f"a name of more than {LONGEST_NAME} bytes"),
        (b":" in user, "a name with a colon"),
        (user.startswith(b"#"), "a name that begins with #"),
        (user != user.strip(), "white space around the name"),
        (not _is_text(user), "a name with characters that are no text"),
    )
    for is_there, problem in problems:
        if is_there:
            raise InvalidUser(problem)


def _parse_entry(entry: bytes) -> tuple[bytes, bytes]:
    user, colon, stored = entry.partition(b":")
    if not colon:
        raise InvalidUser("no colon between a user's name and a hash")
    check_user(user)
    return user, parse_hash(stored)


def _is_text(name: bytes) -> bool:
    try:
        return name.decode().isprintable()
    except UnicodeDecodeError:
        return False
