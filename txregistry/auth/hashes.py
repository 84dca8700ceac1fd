"""Hashes of passwords: bcrypt, and the names of those that are not."""

from __future__ import annotations

import re
from typing import Final

import bcrypt

DEFAULT_COST: Final = 10
"""Of a new hash: 1024 rounds, about 70 ms; the Go registry's."""

LOWEST_COST: Final = 4
HIGHEST_COST: Final = 31

LONGEST_PASSWORD: Final = 72
"""In bytes: what comes behind them does not count, says bcrypt."""

# Cost, salt (16 bytes) and hash (23 bytes), in bcrypt's own base 64.
_BCRYPT: Final = re.compile(
    rb"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{22}[./A-Za-z0-9]{31}"
)
_DIGITS: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SALT_END: Final = 28

_OTHERS: Final = (
    (rb"\$2[aby]\$.*", "a damaged bcrypt hash"),
    (rb"\$2x?\$.*", "an obsolete kind of bcrypt hash ($2$ or $2x$)"),
    (rb"\$apr1\$.*", "an MD5 hash (apr1)"),
    (rb"\$1\$.*", "an MD5 hash (crypt)"),
    (rb"\$5\$.*", "a SHA-256 hash (crypt)"),
    (rb"\$6\$.*", "a SHA-512 hash (crypt)"),
    (rb"\$g?y\$.*", "a yescrypt hash"),
    (rb"\$7\$.*|\$scrypt\$.*", "an scrypt hash"),
    (rb"\$argon2.*", "an Argon2 hash"),
    (rb"\{SHA\}.*", "a SHA-1 hash ({SHA})"),
    (rb"\{SSHA\}.*", "a salted SHA-1 hash ({SSHA})"),
    (rb"", "no password"),
    (rb"[./0-9A-Za-z]{13}", "a DES hash (crypt), or a plain password"),
    (rb".*", "a plain password, or a hash of an unknown kind"),
)


class NotBcrypt(Exception):
    """What stands for a password is no bcrypt hash.

    Attributes:
        kind: What it is instead, as far as one can tell.
    """

    def __init__(self, kind: str) -> None:
        """Name what it is instead."""
        super().__init__(f"{kind}; only bcrypt is supported (htpasswd -B)")
        self.kind = kind


def parse_hash(stored: bytes) -> bytes:
    """Read a hash as it stands in a file.

    Returns:
        The hash as ``verify`` takes it. Four bits at the salt's end mean nothing, and
        some programs do not clear them; bcrypt wants them clear.

    Raises:
        NotBcrypt: It is of another kind, which is named.
    """
    if _BCRYPT.fullmatch(stored) is None:
        raise NotBcrypt(_kind(stored))
    last = _DIGITS.index(stored[_SALT_END]) & 0b110000
    return stored[:_SALT_END] + _DIGITS[last : last + 1] + stored[_SALT_END + 1 :]


def cost_of(stored: bytes) -> int:
    """Return a bcrypt hash's cost: the base-2 logarithm of its rounds."""
    return int(stored[4:6])


def dummy(cost: int) -> bytes:
    """Return a hash to verify a password with that has none. No password fits it."""
    return b"$2b$%02d$" % cost + b"." * 53


def make_hash(password: bytes, cost: int) -> bytes:
    """Hash a password. This takes time.

    Args:
        password: At most ``LONGEST_PASSWORD`` bytes.
        cost: From ``LOWEST_COST`` to ``HIGHEST_COST``; one more takes twice the time.
    """
    return bcrypt.hashpw(password, bcrypt.gensalt(cost))


def verify(password: bytes, stored: bytes) -> bool:
    """Say whether a password fits a hash. This takes time.

    Of a longer password the first 72 bytes count, as they do for Apache's ``htpasswd``
    when it makes a hash, and for the Go registry when it verifies.
    """
    return bcrypt.checkpw(password[:LONGEST_PASSWORD], stored)


def _kind(stored: bytes) -> str:
    kinds = (kind for form, kind in _OTHERS if re.fullmatch(form, stored, re.DOTALL))
    return next(kinds)
