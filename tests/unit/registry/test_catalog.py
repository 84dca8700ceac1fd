"""Tests of txregistry.registry.catalog: which repositories there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.registry.case import StoreCase
from txregistry.oci.digest import Digest
from txregistry.oci.names import Name
from txregistry.registry.catalog import Catalog
from txregistry.registry.layout import REPOSITORIES, RepositoryLayout
from txregistry.storage.memory import MemoryDriver
from txregistry.testing.faults import FaultyDriver

# Few letters and all the signs that sort around "/": names that prefix one another.
_COMPONENTS = st.from_regex(r"[ab0](?:(?:[.]|_|__|--?)?[ab0]){0,2}", fullmatch=True)
NAMES = st.lists(_COMPONENTS, min_size=1, max_size=3).map("/".join)
PLACES = NAMES | st.text("ab0-._/ 0z", max_size=6)


class CatalogTests(StoreCase):
    """The list of repositories."""

    def fill(self, *names: str) -> Catalog:
        """Make repositories in an empty store; return its catalog."""
        self.use(MemoryDriver(self.clock))
        for name in names:
            layout = RepositoryLayout(Name.parse(name))
            self.put(layout.revision_link(Digest.of(b"")), b"")
        return self.registry.catalog

    def page(self, catalog: Catalog, after: str = "", limit: int = 1000) -> list[str]:
        """Return a page."""
        return self.run_now(catalog.page(after, limit))

    def test_empty(self) -> None:
        """A store with nothing in it has no repositories."""
        self.assertEqual([], self.page(self.fill()))

    def test_order(self) -> None:
        """Names that prefix one another come in the order of their bytes."""
        names = ["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a_b", "ab"]
        self.assertEqual(names, self.page(self.fill(*reversed(names))))

    def test_none_wanted(self) -> None:
        """A page of none is empty."""
        self.assertEqual([], self.page(self.fill("a"), limit=0))

    @given(st.sets(NAMES, max_size=12), PLACES, st.integers(1, 5))
    def test_sorted(self, names: set[str], after: str, limit: int) -> None:
        """Any page is that part of the sorted names."""
        expected = [name for name in sorted(names) if name > after][:limit]
        self.assertEqual(expected, self.page(self.fill(*names), after, limit))

    @given(st.sets(NAMES, max_size=12), st.integers(1, 4))
    def test_walk(self, names: set[str], limit: int) -> None:
        """Page by page all names come, each once."""
        catalog = self.fill(*names)
        found: list[str] = []
        while page := self.page(catalog, found[-1] if found else "", limit):
            found += page
        self.assertEqual(sorted(names), found)

    def test_uploads_only(self) -> None:
        """What holds no manifests is no repository, but those below it are."""
        self.fill("a/b")
        self.put(f"{REPOSITORIES}/a/_uploads/x/data", b"")
        self.put(f"{REPOSITORIES}/c/_layers/sha256/x/link", b"")
        self.assertEqual(["a/b"], self.page(self.registry.catalog))

    def test_skips(self) -> None:
        """Folders whose names all lie before the page are not opened."""
        self.fill("a/x", "b/x", "c/x")
        faulty = FaultyDriver(self.driver)
        self.use(faulty)
        self.assertEqual(["c/x"], self.page(self.registry.catalog, "b/x"))
        asked = [each.path for each in faulty.operations if "/a" in each.path]
        self.assertEqual([], asked)

    def test_stops(self) -> None:
        """Folders behind a full page are not opened."""
        self.fill("a", "b", "c/d")
        faulty = FaultyDriver(self.driver)
        self.use(faulty)
        self.page(self.registry.catalog, limit=1)
        asked = [each.path for each in faulty.operations if "/c" in each.path]
        self.assertEqual([], asked)
