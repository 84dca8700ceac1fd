"""Editing: users added to an htpasswd file, changed, removed. Everything blocks."""

from __future__ import annotations

import fcntl
import os
import secrets
from base64 import urlsafe_b64encode
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from uuid import uuid4

from attrs import frozen

from txregistry.auth.hashes import DEFAULT_COST, LONGEST_PASSWORD, make_hash
from txregistry.auth.htpasswd import check_user, user_of

_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_FIRST_USER: Final = b"docker"
_PASSWORD_SIZE: Final = 32  # bytes, before they are written in base 64


class InvalidPassword(Exception):
    """A text cannot be a password. Its text says why, and does not show it."""


def set_password(
    path: str, user: bytes, password: bytes, cost: int = DEFAULT_COST
) -> bool:
    """Give a user a password; add the user if it is new.

    The file is replaced at once and durably. Its other lines stay as they are, and so
    do its mode and owner. A new file can be read by its owner alone.

    Args:
        path: The file.
        user: The user's name.
        password: The password.
        cost: Of the hash.

    Returns:
        Whether the user is new.

    Raises:
        InvalidUser: The name cannot be one.
        InvalidPassword: The password cannot be one.
        OSError: The file cannot be read or written.
    """
    check_user(user)
    _check_password(password)
    line = _line(user, password, cost)
    with _locked(path) as file:
        lines = file.lines()
        # The last line for a user counts, and its place is kept.
        places = _places(lines, user)
        if places:
            lines[places[-1]] = line
        else:
            lines.append(line)
        file.replace(_without(lines, places[:-1]))
    return not places


def remove_user(path: str, user: bytes) -> bool:
    """Remove a user.

    Returns:
        Whether it was there.

    Raises:
        OSError: The file cannot be read or written.
    """
    with _locked(path) as file:
        lines = file.lines()
        places = _places(lines, user)
        if places:
            file.replace(_without(lines, places))
    return bool(places)


def provision(path: str, cost: int = DEFAULT_COST) -> str | None:
    """Make an htpasswd file with one user, ``docker``, if there is none.

    Its password is random. It goes into a file beside, ``<path>.password``, that its
    owner alone can read.

    Returns:
        The file with the password; None: there was an htpasswd file already.

    Raises:
        OSError: The files cannot be written.
    """
    _make_folder(os.path.dirname(os.path.abspath(path)))
    with _locked(path) as file:
        if os.path.lexists(path):
            return None
        random = secrets.token_bytes(_PASSWORD_SIZE)
        password = urlsafe_b64encode(random).rstrip(b"=")
        # First the password: one without a use is better than a user without one.
        beside = _File(f"{file.path}.password", keeps_owner=False)
        beside.replace([password])
        file.replace([_line(_FIRST_USER, password, cost)])
    return beside.path


@frozen
class _File:
    """A file of lines that nobody else edits.

    Attributes:
        path: Where it is; no symbolic link.
        keeps_owner: Whether a new content gets the old one's owner and mode.
    """

    path: str
    keeps_owner: bool = True

    def lines(self) -> list[bytes]:
        """Return its lines; none if it is not there."""
        try:
            with open(self.path, "rb") as file:
                content = file.read().removeprefix(BOM_UTF8)
        except FileNotFoundError:
            return []
        return content.removesuffix(b"\n").split(b"\n") if content else []

    def replace(self, lines: list[bytes]) -> None:
        """Put lines in the place of what is there: at once, and durably."""
        folder = os.path.dirname(self.path)
        temporary = os.path.join(folder, f".{uuid4()}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, _PRIVATE)
        try:
            with open(descriptor, "wb") as file:
                file.write(b"".join(line + b"\n" for line in lines))
                file.flush()
                if self.keeps_owner:
                    self._keep_owner(descriptor)
                os.fsync(descriptor)
            os.rename(temporary, self.path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(folder)

    def _keep_owner(self, descriptor: int) -> None:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return
        # The owner first: a change of it takes bits away from the mode.
        os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o7777)


@contextmanager
def _locked(path: str) -> Iterator[_File]:
    # The folder is what is locked: the file is another one after each change.
    real = os.path.realpath(path)
    descriptor = os.open(os.path.dirname(real), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield _File(real)
    finally:
        os.close(descriptor)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: str) -> None:
    with suppress(FileExistsError):
        try:
            os.mkdir(folder, _PRIVATE_FOLDER)
        except FileNotFoundError:
            _make_folder(os.path.dirname(folder))
            os.mkdir(folder, _PRIVATE_FOLDER)


def _line(user: bytes, password: bytes, cost: int) -> bytes:
    return user + b":" + make_hash(password, cost)


def _places(lines: list[bytes], user: bytes) -> list[int]:
    return [place for place, line in enumerate(lines) if user_of(line) == user]


def _without(lines: list[bytes], places: list[int]) -> list[bytes]:
    return [line for place, line in enumerate(lines) if place not in places]


def _check_password(password: bytes) -> None:
    if not password:
        raise InvalidPassword("an empty password")
    if len(password) > LONGEST_PASSWORD:
        raise InvalidPassword(
            f"a password of more than {LONGEST_PASSWORD} bytes,"
            " of which bcrypt would not heed the rest"
        )
    if b"\0" in password:
        raise InvalidPassword("a password with a zero byte")
