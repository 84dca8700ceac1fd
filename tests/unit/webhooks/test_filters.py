"""Tests of txregistry.webhooks.filters: which events an endpoint gets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.webhooks.doubles import DIGEST, NAME, blob_pulled, manifest_pushed
from txregistry.oci.events import Activity, blob_activity
from txregistry.oci.globs import Globs
from txregistry.oci.mediatypes import OCI_MANIFEST, OCTET_STREAM
from txregistry.oci.names import Name, Tag
from txregistry.webhooks.filters import EventFilter

TAG_DELETED = Activity("delete", NAME, None, Tag("latest"))
ALL = [
    manifest_pushed(),
    manifest_pushed("pull"),
    manifest_pushed(repository=Name("other")),
    blob_pulled(),
    blob_activity("push", NAME, DIGEST, 1),
    TAG_DELETED,
]


class FilterTests(SynchronousTestCase):
    """What passes."""

    def passed(self, wanted: EventFilter) -> list[Activity]:
        """Return which of some activities pass."""
        return [each for each in ALL if wanted.passes(each)]

    def test_all(self) -> None:
        """A filter that says nothing lets everything through."""
        self.assertEqual(ALL, self.passed(EventFilter()))

    def test_actions(self) -> None:
        """Actions are kept back by their names, whatever they are done to."""
        passed = self.passed(EventFilter(actions=frozenset({"pull", "delete"})))
        self.assertEqual([ALL[0], ALL[2], ALL[4]], passed)

    def test_media_types(self) -> None:
        """Content is kept back by its media type; a tag has none."""
        passed = self.passed(EventFilter(frozenset({OCTET_STREAM})))
        self.assertEqual([*ALL[:3], TAG_DELETED], passed)
        passed = self.passed(EventFilter(frozenset({OCI_MANIFEST, OCTET_STREAM})))
        self.assertEqual([TAG_DELETED], passed)

    def test_repositories(self) -> None:
        """Only repositories that a glob matches are told of."""
        passed = self.passed(EventFilter(repositories=Globs.parse(["library/*"])))
        self.assertEqual([*ALL[:2], *ALL[3:]], passed)
        passed = self.passed(EventFilter(repositories=Globs.parse(["x", "oth*"])))
        self.assertEqual([ALL[2]], passed)

    def test_repositories_user(self) -> None:
        """A glob of a user's repositories matches none here: nobody is meant."""
        globs = Globs.parse(["library/${user}"])
        self.assertEqual([], self.passed(EventFilter(repositories=globs)))

    def test_together(self) -> None:
        """What one part keeps back the others do not let through."""
        wanted = EventFilter(
            frozenset({OCTET_STREAM}),
            frozenset({"pull"}),
            Globs.parse(["library/**"]),
        )
        self.assertEqual([ALL[0], TAG_DELETED], self.passed(wanted))
