"""Push locations: the signed state in the URL of an upload session.

It is the Go registry's, so that processes of both may share a store and a secret:
base64url of HMAC-SHA256 and JSON with Name, UUID, Offset and StartedAt. It keeps a
client from going on at an offset that is not the session's any more.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import UTC, datetime
from typing import Final

from txregistry.oci.errors import BlobUploadInvalid
from txregistry.oci.names import Name
from txregistry.registry.uploads import Upload, timestamp

_MAC_SIZE: Final = 32
_LONGEST: Final = 4096


class PushLocations:
    """Signs and checks the state."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret that all processes on one store share."""
        self._keyed = hmac.new(secret, digestmod="sha256")

    def sign(self, name: Name, upload: Upload) -> str:
        """Return the value of ``_state``, percent-encoded."""
        started = upload.started_at
        # JSON by hand, as there is nothing in a name or an id that it would escape.
        message = (
            f'{{"Name":"{name}","UUID":"{upload.session_id}","Offset":{upload.offset},'
            f'"StartedAt":"{timestamp(started) if started else _NEVER}"}}'
        ).encode("ascii")
        signed = urlsafe_b64encode(self._mac(message) + message)
        return signed.decode("ascii").replace("=", "%3D")

    def read(self, state: str | None, name: Name, session_id: str) -> Upload:
        """Return where the session stood when a state was signed for it.

        Raises:
            BlobUploadInvalid: It is missing, forged, or another session's.
        """
        try:
            text = (state or "")[:_LONGEST].encode("ascii")
            signed = b64decode(text, altchars=b"-_", validate=True)
        except (Base64Error, ValueError):
            raise BlobUploadInvalid("malformed _state") from None
        mac, message = signed[:_MAC_SIZE], signed[_MAC_SIZE:]
        if not hmac.compare_digest(mac, self._mac(message)):
            raise BlobUploadInvalid("_state is missing or not signed by this registry")
        content = json.loads(message.decode())
        if (content["Name"], content["UUID"]) != (str(name), session_id):
            raise BlobUploadInvalid("_state belongs to another upload")
        return Upload(session_id, int(content["Offset"]), _time(content["StartedAt"]))

    def _mac(self, message: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(message)
        return mac.digest()


_NEVER: Final = "0001-01-01T00:00:00Z"


def _time(text: str) -> datetime | None:
    if text == _NEVER:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
