"""Tests of txregistry.web.routes.lists and pages: tags and the catalog."""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.unit.web.case import RegistryCase
from txregistry.oci.digest import Digest
from txregistry.oci.links import parse_link
from txregistry.oci.names import Name, Tag
from txregistry.registry.layout import RepositoryLayout
from txregistry.testing.registry import MemoryRegistry
from txregistry.testing.wire import Answer

# In the order of bytes: "-" is before ".", that before "/", digits and letters.
NAMES = ["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a0/b", "a_b", "ab", "b"]


class ListCase(RegistryCase):
    """A registry and ways to walk its lists."""

    key: str

    def entries(self, target: str) -> list[str]:
        """Return the entries on a page."""
        answer = self.ask("GET", target)
        self.assertEqual(200, answer.status, answer.body)
        self.assertEqual("application/json", answer.header("content-type"))
        found: list[str] = json.loads(answer.body)[self.key]
        return found

    def pages(self, target: str) -> list[list[str]]:
        """Follow the links from page to page; return what is on each."""
        pages = []
        following: str | None = target
        while following is not None:
            pages.append(self.entries(following))
            following = link(self.ask("GET", following))
        return pages


def link(answer: Answer) -> str | None:
    """Return where an answer says that the next page is; None: it does not."""
    if "link" not in answer.headers:
        return None
    return parse_link(answer.header("link"))


class TagsTests(ListCase):
    """end-8a, end-8b."""

    key = "tags"
    target = "/v2/a/b/tags/list"

    def tag(self, *tags: str, name: str = "a/b") -> None:
        """Give an image tags."""
        repository = self.registry.registry.repository(Name(name))
        digest = self.registry.push_image(name)
        for tag in tags:
            put = repository.tags.pointing(Tag(tag), digest)
            pointing = self.registry.driver.put_content(put.path, put.content)
            self.successResultOf(pointing)

    def test_all(self) -> None:
        """All tags are listed, sorted by bytes, under the repository's name."""
        self.tag("latest", "v1", "V1", "1", "_x", "v1.0", "v1-0", "v10")
        answer = self.ask("GET", self.target)
        tags = ["1", "V1", "_x", "latest", "v1", "v1-0", "v1.0", "v10"]
        self.assertEqual({"name": "a/b", "tags": tags}, json.loads(answer.body))
        self.assertNotIn("link", answer.headers)
        self.assertTrue(answer.body.endswith(b"}\n"))

    def test_none(self) -> None:
        """A repository may have no tags."""
        self.registry.push_image("a/b")
        self.assertEqual([], self.entries(self.target))
        self.assertEqual([], self.entries(f"{self.target}?n=5&last=x"))

    def test_unknown(self) -> None:
        """A repository that is not there is NAME_UNKNOWN, and is named."""
        for query in ("", "?n=0", "?n=1", "?last=x"):
            answer = self.ask("GET", f"/v2/none/tags/list{query}")
            error = self.assert_refused(answer, 404, "NAME_UNKNOWN")
            self.assertEqual({"name": "none"}, error["detail"])

    def test_parent(self) -> None:
        """What only has repositories below it is none itself."""
        self.tag("latest")
        refused = self.refused("GET", "/v2/a/tags/list")
        self.assertEqual((404, "NAME_UNKNOWN"), refused)

    def test_bad_name(self) -> None:
        """What is no name is NAME_INVALID."""
        refused = self.refused("GET", "/v2/A/tags/list")
        self.assertEqual((400, "NAME_INVALID"), refused)

    def test_ambiguous_name(self) -> None:
        """A repository may be called as an endpoint is."""
        self.tag("list", name="a/manifests")
        self.assertEqual(["list"], self.entries("/v2/a/manifests/tags/list"))
        answer = self.ask("GET", "/v2/a/manifests/manifests/list")
        self.assertEqual(200, answer.status)

    def test_pages(self) -> None:
        """The links lead through all tags, page by page, and end."""
        self.tag("a", "b", "c", "d", "e")
        expected = {
            1: [["a"], ["b"], ["c"], ["d"], ["e"]],
            2: [["a", "b"], ["c", "d"], ["e"]],
            4: [["a", "b", "c", "d"], ["e"]],
            5: [["a", "b", "c", "d", "e"]],
            6: [["a", "b", "c", "d", "e"]],
        }
        found = {n: self.pages(f"{self.target}?n={n}") for n in expected}
        self.assertEqual(expected, found)

    def test_link(self) -> None:
        """The link is relative and says how many and behind which."""
        self.tag("a", "b", "c")
        answer = self.ask("GET", f"{self.target}?n=2&other=x")
        self.assertEqual(
            '</v2/a/b/tags/list?last=b&n=2>; rel="next"', answer.header("link")
        )

    def test_link_prefix(self) -> None:
        """Below a prefix the link has the prefix."""
        self.registry = MemoryRegistry(prefix="/images/")
        self.tag("a", "b")
        answer = self.ask("GET", "/images/v2/a/b/tags/list?n=1")
        self.assertEqual("/images/v2/a/b/tags/list?last=a&n=1", link(answer))

    def test_zero(self) -> None:
        """None are none, and there is no link (spec: Listing Tags)."""
        self.tag("a")
        answer = self.ask("GET", f"{self.target}?n=0")
        self.assertEqual([], json.loads(answer.body)["tags"])
        self.assertNotIn("link", answer.headers)

    def test_last(self) -> None:
        """A list begins behind ``last``, which need not be there."""
        self.tag("a", "b", "d")
        expected = {
            "a": ["b", "d"],
            "aa": ["b", "d"],
            "c": ["d"],
            "d": [],
            "z": [],
            "": ["a", "b", "d"],
            "%21": ["a", "b", "d"],
            "%C3%A9": [],
        }
        found = {each: self.entries(f"{self.target}?last={each}") for each in expected}
        self.assertEqual(expected, found)

    def test_last_and_n(self) -> None:
        """Both together are a page."""
        self.tag("a", "b", "c", "d")
        self.assertEqual(["b", "c"], self.entries(f"{self.target}?n=2&last=a"))

    def test_largest_page(self) -> None:
        """Who asks for more than the largest page gets the largest."""
        self.registry = MemoryRegistry(max_tags=2)
        self.tag("a", "b", "c")
        self.assertEqual([["a", "b"], ["c"]], self.pages(f"{self.target}?n=9999"))

    def test_bad_number(self) -> None:
        """What is no number of entries is refused, and quoted."""
        self.tag("a")
        for text in ("x", "-1", "1.0", "+1", "%201", "1e3", "٣", "1" * 10, "0x1"):
            answer = self.ask("GET", f"{self.target}?n={quote(text)}")
            self.assert_refused(answer, 400, "PAGINATION_NUMBER_INVALID")
        answer = self.ask("GET", f"{self.target}?n={'y' * 99}")
        error = self.assert_refused(answer, 400, "PAGINATION_NUMBER_INVALID")
        self.assertEqual({"n": "y" * 64}, error["detail"])

    def test_empty_number(self) -> None:
        """An empty ``n`` says nothing."""
        self.tag("a", "b")
        self.assertEqual(["a", "b"], self.entries(f"{self.target}?n="))

    def test_method(self) -> None:
        """Lists are read only."""
        answer = self.ask("DELETE", self.target)
        self.assert_refused(answer, 405, "UNSUPPORTED")
        self.assertEqual("GET, HEAD, OPTIONS", answer.header("allow"))

    def test_head(self) -> None:
        """HEAD says what GET says, but for the body."""
        self.tag("a")
        whole, head = (self.ask(each, self.target) for each in ("GET", "HEAD"))
        self.assertEqual((whole.headers, b""), (head.headers, head.body))

    def test_broken_tag(self) -> None:
        """A tag without its link, which a crash can leave, is none; pages stay full."""
        self.tag("a", "b", "c", "d")
        layout = RepositoryLayout(Name("a/b"))
        for tag in ("a", "c"):
            deleting = self.registry.driver.delete(layout.tag_link(Tag(tag)))
            self.successResultOf(deleting)
        putting = self.registry.driver.put_content(f"{layout.tags}/-/current/link", b"")
        self.successResultOf(putting)
        self.assertEqual(["b", "d"], self.entries(self.target))
        self.assertEqual([["b"], ["d"]], self.pages(f"{self.target}?n=1"))


class CatalogTests(ListCase):
    """The list of repositories."""

    key = "repositories"
    target = "/v2/_catalog"

    def fill(self, *names: str) -> None:
        """Make repositories."""
        for name in names:
            layout = RepositoryLayout(Name(name))
            link_path = layout.revision_link(Digest.of(b""))
            putting = self.registry.driver.put_content(link_path, b"")
            self.successResultOf(putting)

    def test_empty(self) -> None:
        """A registry may have no repositories."""
        self.assertEqual([], self.entries(self.target))

    def test_all(self) -> None:
        """All repositories are listed, sorted by bytes, parents or not."""
        self.fill(*reversed(NAMES))
        self.assertEqual(sorted(NAMES), self.entries(self.target))

    def test_pushed(self) -> None:
        """A repository is one once it has a manifest."""
        self.registry.push_blob("only/blobs", b"")
        self.registry.push_image("some/images")
        self.assertEqual(["some/images"], self.entries(self.target))

    def test_pages(self) -> None:
        """The links lead through all names in true order, however long the pages."""
        self.fill(*NAMES)
        for size in range(1, len(NAMES) + 2):
            pages = self.pages(f"{self.target}?n={size}")
            self.assertEqual(NAMES, [name for page in pages for name in page])
            self.assertEqual({size}, {len(page) for page in pages[:-1]} or {size})

    def test_last(self) -> None:
        """A list begins behind ``last``, whether that is there or not."""
        self.fill(*NAMES)
        for last in ("", "a", "a-", "a/", "a/a", "a/b/d", "a/c", "aa", "z", "A", "a!"):
            expected = [name for name in NAMES if name > last]
            self.assertEqual(expected, self.entries(f"{self.target}?last={last}"))

    def test_link(self) -> None:
        """A name in a link is percent-encoded."""
        self.fill("a/b", "c")
        answer = self.ask("GET", f"{self.target}?n=1")
        self.assertEqual("/v2/_catalog?last=a%2Fb&n=1", link(answer))

    def test_default(self) -> None:
        """A page is of 100 names if the client does not say, and has a link."""
        names = [f"r{number:03}" for number in range(101)]
        self.fill(*names)
        self.assertEqual([names[:100], names[100:]], self.pages(self.target))

    def test_default_beyond_largest(self) -> None:
        """A largest page below that is the page."""
        self.registry = MemoryRegistry(max_catalog=2)
        self.fill("a", "b", "c")
        self.assertEqual([["a", "b"], ["c"]], self.pages(self.target))

    def test_too_many(self) -> None:
        """Who asks for more than the largest page is refused, as in Go's registry."""
        answer = self.ask("GET", f"{self.target}?n=1001")
        error = self.assert_refused(answer, 400, "PAGINATION_NUMBER_INVALID")
        self.assertEqual({"n": 1001}, error["detail"])
        self.assertEqual([], self.entries(f"{self.target}?n=1000"))

    def test_zero(self) -> None:
        """None are none, and there is no link."""
        self.fill("a")
        self.assertEqual([[]], self.pages(f"{self.target}?n=0"))

    def test_bad_number(self) -> None:
        """What is no number of entries is refused."""
        for text in ("x", "-1"):
            refused = self.refused("GET", f"{self.target}?n={text}")
            self.assertEqual((400, "PAGINATION_NUMBER_INVALID"), refused)

    def test_not_utf8(self) -> None:
        """A parameter that is not UTF-8 is refused."""
        for parameter in ("n", "last"):
            refused = self.refused("GET", f"{self.target}?{parameter}=%ff")
            self.assertEqual((400, "UNSUPPORTED"), refused)
