"""Tests of txregistry.registry.tags."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.registry.case import StoreCase
from txregistry.interfaces import StorageError
from txregistry.oci.digest import Digest
from txregistry.oci.errors import ManifestUnknown, NameUnknown
from txregistry.oci.names import Name, Tag
from txregistry.registry.layout import RepositoryLayout
from txregistry.registry.tags import Tags
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver
from txregistry.testing.operations import on

ONE, OTHER = Digest.of(b"1"), Digest.of(b"2")
LAYOUT = RepositoryLayout(Name("a/b"))

TAGS = st.from_regex(r"[aB0_][aB0_.-]{0,3}", fullmatch=True)


class TagsCase(StoreCase):
    """A repository's tags."""

    @property
    def tags(self) -> Tags:
        """The tags."""
        return self.repository.tags

    def point(self, *tags: str, to: Digest = ONE) -> None:
        """Make tags point to a manifest."""
        for tag in tags:
            name = Tag.parse(tag)
            self.make(self.tags.indexing(name, to), self.tags.pointing(name, to))

    def resolve(self, tag: str) -> Digest | None:
        """Return where a tag points; None: there is no such tag."""

        async def resolve() -> Digest | None:
            try:
                return await self.tags.resolve(Tag(tag))
            except ManifestUnknown:
                return None

        return self.run_now(resolve())


class PointTests(TagsCase):
    """Where tags point."""

    def test_moved(self) -> None:
        """A tag points where it was made to point last; the index knows both."""
        self.point("t")
        self.point("t", to=OTHER)
        self.assertEqual(OTHER, self.resolve("t"))
        paths = [LAYOUT.tag_link(Tag("t"))]
        paths += [LAYOUT.tag_index_link(Tag("t"), each) for each in (ONE, OTHER)]
        self.assertEqual(sorted(paths), self.paths())

    def test_go_bytes(self) -> None:
        """A link is the digest's text and nothing else, as in the Go registry."""
        self.point("t")
        content = self.driver.get_content(LAYOUT.tag_link(Tag("t")))
        self.assertEqual(str(ONE).encode(), self.successResultOf(content))

    def test_broken(self) -> None:
        """A tag whose link is empty or broken is none."""
        for content in (b"", b"x", b"\xff", b"sha256:1", str(ONE).encode("utf-16")):
            self.put(LAYOUT.tag_link(Tag("t")), content)
            self.assertIsNone(self.resolve("t"))

    def test_blanks(self) -> None:
        """A link with a line's end, as a person may have left, is read."""
        self.put(LAYOUT.tag_link(Tag("t")), f"{ONE}\n".encode())
        self.assertEqual(ONE, self.resolve("t"))

    def test_pointing_to(self) -> None:
        """The tags that point to a manifest now are found."""
        self.point("a", "c")
        self.point("b", to=OTHER)
        self.point("c", to=OTHER)
        found = self.run_now(self.tags.pointing_to(ONE))
        self.assertEqual([Tag("a")], found)
        self.assertEqual([], self.run_now(self.open("c").tags.pointing_to(ONE)))


class DeleteTests(TagsCase):
    """Deletion."""

    def test_siblings(self) -> None:
        """Tags whose names begin or end alike stay."""
        self.point("v1", "v1.0", "v", "v1-", "v10", "1")
        self.run_now(self.tags.delete(Tag("v1")))
        self.assertEqual(
            ["1", "v", "v1-", "v1.0", "v10"], self.run_now(self.tags.page())
        )

    def test_nothing_left(self) -> None:
        """Nothing of the tag is left."""
        self.point("t")
        self.run_now(self.tags.delete(Tag("t")))
        self.assertEqual([], self.paths())

    def test_unknown(self) -> None:
        """A tag that is not there cannot be deleted."""
        error = self.refusal(ManifestUnknown, self.tags.delete(Tag("t")))
        self.assertEqual({"name": "a/b", "tag": "t"}, error.detail)

    def test_without_index(self) -> None:
        """A tag that has only its link can be deleted."""
        self.put(LAYOUT.tag_link(Tag("t")), str(ONE).encode())
        self.run_now(self.tags.delete(Tag("t")))
        self.assertIsNone(self.resolve("t"))

    def test_cut_off(self) -> None:
        """A deletion that was cut off has deleted the tag."""
        self.point("t")
        faulty = FaultyDriver(self.driver)
        self.use(faulty)
        faulty.fail(on("delete", "/t"))
        self.refusal(StorageError, self.tags.delete(Tag("t")))
        faulty.heal()
        self.assertIsNone(self.resolve("t"))
        self.assertEqual([], self.run_now(self.tags.page()))
        self.point("t", to=OTHER)
        self.assertEqual(OTHER, self.resolve("t"))


class PageTests(TagsCase):
    """Lists."""

    def test_unknown(self) -> None:
        """A repository that is not there has no list."""
        error = self.refusal(NameUnknown, self.tags.page())
        self.assertEqual({"name": "a/b"}, error.detail)

    def test_untagged(self) -> None:
        """A repository of untagged manifests has an empty one."""
        self.put(LAYOUT.revision_link(ONE), b"")
        self.assertEqual([], self.run_now(self.tags.page(limit=3)))

    @given(st.sets(TAGS, min_size=1), st.sets(TAGS), TAGS | st.just(""), st.data())
    def test_sorted(
        self, tags: set[str], broken: set[str], after: str, data: st.DataObject
    ) -> None:
        """Any page is that part of the sorted tags, whatever lies between them."""
        self.use(MemoryDriver(self.clock))
        self.point(*tags)
        for tag in broken - tags:
            self.put(LAYOUT.tag_index_link(Tag(tag), ONE), b"")
        limit = data.draw(st.none() | st.integers(0, len(tags) + 1))
        expected = [tag for tag in sorted(tags) if tag > after][:limit]
        self.assertEqual(expected, self.run_now(self.tags.page(after, limit)))
