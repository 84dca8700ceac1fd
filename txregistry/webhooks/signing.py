"""Signing: how a receiver knows that an event is ours (Standard Webhooks 1.0)."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from attrs import field, frozen

_PREFIX: Final = "whsec_"
_SHORTEST: Final = 24  # bytes; the specification's


class InvalidSecret(ValueError):
    """A text cannot be used as a secret. Its text says why, and not what it is."""


@frozen
class Signer:
    """Signs what is posted.

    Attributes:
        keys: The shared secrets; several while one takes the place of another.
    """

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def parse(cls, secrets: tuple[str, ...]) -> Signer:
        """Read secrets.

        Args:
            secrets: Each ``whsec_`` and base64, as the specification has it, or any
                other text, whose bytes in UTF-8 are the key.

        Raises:
            InvalidSecret: One is none.
        """
        return cls(tuple(map(_key, secrets)))

    def headers(self, message_id: str, at: float, body: bytes) -> dict[str, str]:
        """Return the headers that sign a message.

        Args:
            message_id: What the receiver knows a repetition by.
            at: The time of this attempt, in seconds since the epoch.
            body: What is posted.
        """
        moment = str(int(at))
        signed = b".".join((message_id.encode(), moment.encode(), body))
        signatures = (hmac.digest(key, signed, sha256) for key in self.keys)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": moment,
            "webhook-signature": " ".join(
                f"v1,{b64encode(signature).decode()}" for signature in signatures
            ),
        }


def message_id(event_ids: list[str]) -> str:
    """Return what a receiver knows a message with these events by, at each attempt."""
    if len(event_ids) == 1:
        return event_ids[0]
    return str(uuid5(NAMESPACE_OID, " ".join(event_ids)))


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            key = b64decode(secret.removeprefix(_PREFIX), validate=True)
        except ValueError:
            raise InvalidSecret(f"has no base64 behind {_PREFIX}") from None
    else:
        key = secret.encode()
    if len(key) < _SHORTEST:
        raise InvalidSecret(f"is shorter than {_SHORTEST} bytes")
    return key
