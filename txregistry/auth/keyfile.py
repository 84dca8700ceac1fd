"""KeyFile: the token service's key, made at the first start and kept in a file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from txregistry.auth.tokenkey import KEY_OPTION, TokenKey, load_token_key
from txregistry.interfaces import InvalidOption

_OWNER_ONLY: Final = 0o600


def key_in_file(path: str, common_name: str, now: float) -> TokenKey:
    """Return the key in a file; make one if there is no file.

    Of several processes that start at once, one makes the key and all use it.

    Args:
        path: The file: PEM, a private key and its certificates.
        common_name: What a new key's certificate is called.
        now: The time, in seconds since the epoch.

    Raises:
        InvalidOption: The file cannot be used, or not be made.
    """
    if not Path(path).exists():
        try:
            _make(path, TokenKey.make(common_name, now).to_pem())
        except OSError as error:
            raise InvalidOption(KEY_OPTION, f"{path}: {error.strerror}") from None
    return load_token_key(path)


def _make(path: str, content: bytes) -> None:
    temporary = f"{path}.{uuid4()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(temporary, flags, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was quicker: its key counts
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
