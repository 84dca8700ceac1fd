"""Tests of txregistry.webhooks.signing, and by the specification's own library."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from twisted.trial.unittest import SynchronousTestCase

from txregistry.webhooks.signing import InvalidSecret, Signer, message_id

KEY = bytes(range(24))
SECRET = f"whsec_{b64encode(KEY).decode()}"
TEXT = "a secret of more than 24 bytes: é"
BODY = b'{"events":[]}'


class ParseTests(SynchronousTestCase):
    """Reading secrets."""

    def refuse(self, secret: str) -> str:
        """Return why a secret is refused."""
        error = self.assertRaises(InvalidSecret, Signer.parse, (SECRET, secret))
        return str(error)

    def test_kinds(self) -> None:
        """A secret is base64 behind its prefix, or any other text."""
        signer = Signer.parse((SECRET, TEXT))
        self.assertEqual((KEY, TEXT.encode()), signer.keys)

    def test_hidden(self) -> None:
        """Keys are not shown."""
        self.assertEqual("Signer()", repr(Signer.parse((SECRET,))))

    def test_short(self) -> None:
        """A key that can be guessed is refused."""
        short = f"whsec_{b64encode(KEY[:-1]).decode()}"
        for secret in ("", "x" * 23, short):
            self.assertEqual("is shorter than 24 bytes", self.refuse(secret))

    def test_no_base64(self) -> None:
        """Behind the prefix there is base64."""
        for rest in ("x", "*" * 32, "é" * 32, SECRET):
            expected = "has no base64 behind whsec_"
            self.assertEqual(expected, self.refuse(f"whsec_{rest}"))


class HeadersTests(SynchronousTestCase):
    """Signatures."""

    def headers(self, *secrets: str) -> dict[str, str]:
        """Sign the body, now: the library goes by the real time."""
        return Signer.parse(secrets).headers("msg", time.time(), BODY)

    def verify(self, key: str | bytes, headers: dict[str, str], body: bytes) -> Any:
        """Let the library verify a message."""
        return Webhook(key).verify(body, headers)

    def test_example(self) -> None:
        """A message is signed as in the example that all implementations have."""
        signer = Signer.parse(("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",))
        name, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
        expected = {
            "webhook-id": name,
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
        self.assertEqual(expected, signer.headers(name, 1614265330.9, body))

    def test_verified(self) -> None:
        """Receivers that have the secret verify it."""
        headers = self.headers(SECRET)
        self.assertEqual(json.loads(BODY), self.verify(SECRET, headers, BODY))

    def test_text(self) -> None:
        """So do those whose secret is another text."""
        headers = self.headers(TEXT)
        self.assertEqual({"events": []}, self.verify(TEXT.encode(), headers, BODY))

    def test_rotation(self) -> None:
        """While there are two secrets a receiver may have either."""
        headers = self.headers(SECRET, TEXT)
        for key in (KEY, TEXT.encode()):
            self.assertEqual({"events": []}, self.verify(key, headers, BODY))

    def test_not_verified(self) -> None:
        """Nothing else is verified: another body, identifier, time or secret."""
        headers = self.headers(SECRET)
        later = str(int(headers["webhook-timestamp"]) + 1)
        for key, changed, body in (
            (KEY, {}, BODY + b" "),
            (KEY, {"webhook-id": "other"}, BODY),
            (KEY, {"webhook-timestamp": later}, BODY),
            (KEY[::-1], {}, BODY),
        ):
            with self.assertRaises(WebhookVerificationError):
                self.verify(key, headers | changed, body)


class MessageIdTests(SynchronousTestCase):
    """What a receiver knows a message by."""

    def test_one(self) -> None:
        """A message with one event is known by the event's identifier."""
        self.assertEqual("1", message_id(["1"]))

    def test_several(self) -> None:
        """One with several is known by all of them and their order."""
        known = message_id(["1", "2"])
        self.assertEqual(known, message_id(["1", "2"]))
        others = [["2", "1"], ["1", "3"], ["1", "2", "3"], ["1"]]
        self.assertNotIn(known, map(message_id, others))
