"""Tests of txregistry.web.push_location."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.oci.errors import BlobUploadInvalid
from txregistry.oci.names import Name
from txregistry.registry.uploads import Upload
from txregistry.web.push_location import PushLocations

NAME = Name("library/nginx")
STARTED = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


class PushLocationTests(SynchronousTestCase):
    """The state in an upload session's URL."""

    def setUp(self) -> None:
        """Make a signer."""
        self.locations = PushLocations(b"open sesame")

    def sign(self, upload: Upload) -> str:
        """Sign as it goes into a query, and read it as a server does."""
        return unquote(self.locations.sign(NAME, upload))

    @given(st.uuids(), st.integers(0, 1 << 62), st.none() | st.just(STARTED))
    def test_round_trip(
        self, session: object, offset: int, started: datetime | None
    ) -> None:
        """What was signed is read back."""
        upload = Upload(str(session), offset, started)
        state = self.sign(upload)
        found = self.locations.read(state, NAME, upload.session_id)
        self.assertEqual(upload, found)

    @given(st.text() | st.none() | st.binary().map(lambda b: b.decode("latin-1")))
    def test_arbitrary(self, text: str | None) -> None:
        """Whatever a client makes up is refused, and by nothing else."""
        with self.assertRaises(BlobUploadInvalid):
            self.locations.read(text, NAME, "1")

    @given(st.data())
    def test_tampered(self, data: st.DataObject) -> None:
        """A state in which any bit was changed is refused."""
        signed = bytearray(urlsafe_b64decode(self.sign(Upload("1", 7, STARTED))))
        at = data.draw(st.integers(0, len(signed) * 8 - 1))
        signed[at // 8] ^= 1 << at % 8
        with self.assertRaises(BlobUploadInvalid):
            self.locations.read(urlsafe_b64encode(signed).decode(), NAME, "1")

    def test_other_session(self) -> None:
        """A state is good for its own session only."""
        with self.assertRaises(BlobUploadInvalid):
            self.locations.read(self.sign(Upload("1", 7)), NAME, "2")

    def test_other_repository(self) -> None:
        """A state is good for its own repository only."""
        with self.assertRaises(BlobUploadInvalid):
            self.locations.read(self.sign(Upload("1", 7)), Name("other"), "1")

    def test_other_secret(self) -> None:
        """A state that another secret signed is refused."""
        state = self.sign(Upload("1", 7))
        with self.assertRaises(BlobUploadInvalid):
            PushLocations(b"another").read(state, NAME, "1")
