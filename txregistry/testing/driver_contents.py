"""Cases of DriverContract: paths, and files that are read and written whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from txregistry.interfaces import InvalidPath, IStorageDriver, PathNotFound
from txregistry.testing.driver_fixture import DriverFixture
from txregistry.testing.streams import Pattern

VALID: Final = (
    "/a",
    "/2",
    "/aa",
    "/a.a",
    "/0-9/abcdefg",
    "/abcdefg/z.75",
    "/abc/1.2.3.4.5-6_zyx/123.z/4",
    "/docker/docker-registry",
    "/123.abc",
    "/abc./abc",
    "/.abc",
    "/a--b",
    "/a-.b",
    "/_.abc",
    "/Docker/docker-registry",
    "/Abc/Cba",
)

ODD: Final = (
    "/_layers/_manifests/_uploads",
    "/a_b/c__d",
    "/.../..a/a../...a",
    "/-/--/-x",
    "/_/__",
    "/con/nul/aux.txt",
    "/data.tmp/link.tmp",
    "/0/00/000",
    "/" + "n" * 128 + "/link",
    "/long" + "/" + "/".join(["component-0123456789"] * 20),
)

INVALID: Final = (
    "",
    "abc",
    "123.abc",
    "//bcd",
    "/abc_123/",
    "/a//b",
    "//",
    "/.",
    "/..",
    "/../a",
    "/a/..",
    "/a/./b",
    "/a/../b",
    "./a",
    "../a",
    "/a b",
    " /a",
    "/a ",
    "/a\n",
    "\n/a",
    "/a\nb",
    "/a\0",
    "/a\\b",
    "/a:b",
    "/a+b",
    "/a~b",
    "/a@b",
    "/a*",
    "/a%2fb",
    "/%2e%2e",
    "/ä",
    "/a\N{FULLWIDTH SOLIDUS}b",
    "/a\ud800",
    "/٣",
)


class ContentCases(DriverFixture):
    """A file that is put and got whole."""

    def test_0_provides(self) -> None:
        """The driver provides IStorageDriver."""
        verifyObject(IStorageDriver, self.driver)

    def test_name(self) -> None:
        """The driver's name is a text that errors can show."""
        self.assertIsInstance(self.driver.name, str)
        self.assertNotEqual("", self.driver.name)

    async def test_valid_paths(self) -> None:
        """What is put at a valid path is got there."""
        for path in VALID:
            await self.driver.put_content(path, path.encode("ascii"))
        for path in VALID:
            content = await self.driver.get_content(path)
            self.assertEqual(path.encode("ascii"), content, path)

    async def test_odd_paths(self) -> None:
        """Underscores, dots, dashes, long segments and long paths are valid."""
        for path in ODD:
            await self.driver.put_content(path, path.encode("ascii"))
            content = await self.driver.get_content(path)
            self.assertEqual(path.encode("ascii"), content, path)

    async def test_invalid_paths(self) -> None:
        """Every method refuses a path outside the grammar, and names it."""
        for path in INVALID:
            for method in (*self._for_files(), *self._for_all()):
                await self._require_refused(path, method)

    async def test_root_is_no_file(self) -> None:
        """The root can be listed and asked for, and nothing else."""
        for method in self._for_files():
            await self._require_refused("/", method)

    async def test_letter_case(self) -> None:
        """Letters' case matters: a tag may be ``v1`` and another one ``V1``."""
        await self.driver.put_content("/case", b"small")
        await self.driver.put_content("/Case", b"large")
        self.assertEqual(b"small", await self.driver.get_content("/case"))
        self.assertEqual(b"large", await self.driver.get_content("/Case"))

    async def test_one_byte(self) -> None:
        """One byte is content."""
        await self._require_kept(b"a")

    async def test_zero_bytes(self) -> None:
        """No bytes are content."""
        await self._require_kept(b"")

    async def test_utf_8(self) -> None:
        """Characters of many bytes come back as they were."""
        await self._require_kept("\N{CYRILLIC SMALL LETTER YA}\n\r\n".encode())

    async def test_not_utf_8(self) -> None:
        """Bytes that are no text come back as they were."""
        await self._require_kept(b"\x80\x80\x80\x80")

    async def test_all_bytes(self) -> None:
        """Every byte there is comes back as it was."""
        await self._require_kept(bytes(range(256)))

    async def test_32_bytes(self) -> None:
        """The length of a short text comes back."""
        await self._require_kept(Pattern(32).content())

    async def test_one_mebibyte(self) -> None:
        """The length of a long manifest, and more, comes back."""
        await self._require_kept(Pattern(1024 * 1024 + 1).content())

    async def test_shorter(self) -> None:
        """Content that replaces longer content leaves nothing of that behind."""
        await self.driver.put_content("/d/file", Pattern(4096, 1).content())
        await self.driver.put_content("/d/file", Pattern(2048, 2).content())
        content = await self.driver.get_content("/d/file")
        self.assertEqual(Pattern(2048, 2).content(), content)
        self.assertEqual(2048, (await self.driver.stat("/d/file")).size)

    async def test_put_again(self) -> None:
        """To repeat a put is harmless."""
        await self.driver.put_content("/d/file", b"same")
        await self.driver.put_content("/d/file", b"same")
        self.assertEqual(b"same", await self.driver.get_content("/d/file"))
        self.assertEqual(["file"], await self.driver.list_children("/d"))

    async def test_put_beside(self) -> None:
        """To put a file changes no other."""
        await self.driver.put_content("/d/one", b"1")
        await self.driver.put_content("/d/two", b"2")
        self.assertEqual(b"1", await self.driver.get_content("/d/one"))
        self.assertEqual(b"2", await self.driver.get_content("/d/two"))

    async def test_get_missing(self) -> None:
        """To get what is not there fails with PathNotFound, which names it."""
        await self.require_missing("/d/none", self.driver.get_content("/d/none"))

    async def test_get_directory(self) -> None:
        """A directory has no content."""
        await self.driver.put_content("/d/file", b"x")
        await self.require_missing("/d", self.driver.get_content("/d"))

    async def test_get_below_file(self) -> None:
        """Nothing is below a file."""
        await self.driver.put_content("/d/file", b"x")
        running = self.driver.get_content("/d/file/none")
        await self.require_missing("/d/file/none", running)

    async def require_missing(self, path: str, running: Deferred[Any]) -> None:
        """Require that something fails with PathNotFound for a path."""
        error = await self.refusal(PathNotFound, running)
        self.assertEqual((path, self.driver.name), (error.path, error.driver))
        self.assertIn(self.driver.name, str(error))

    async def _require_kept(self, content: bytes) -> None:
        await self.driver.put_content("/d/file", content)
        self.assertEqual(content, await self.driver.get_content("/d/file"))
        self.assertEqual(content, await self.read("/d/file"))
        self.assertEqual(len(content), (await self.driver.stat("/d/file")).size)

    async def _require_refused(
        self, path: str, method: Callable[[str], Deferred[Any]]
    ) -> None:
        error = await self.refusal(InvalidPath, method(path))
        self.assertEqual((path, self.driver.name), (error.path, error.driver))
        self.assertIn(self.driver.name, str(error))

    def _for_all(self) -> tuple[Callable[[str], Deferred[Any]], ...]:
        driver = self.driver
        return (
            driver.stat,
            driver.list_children,
            lambda path: driver.list_holders(path, "x"),
            lambda path: driver.list_holders(path, "x", deep=True),
        )

    def _for_files(self) -> tuple[Callable[[str], Deferred[Any]], ...]:
        driver = self.driver
        return (
            driver.get_content,
            lambda path: driver.put_content(path, b"x"),
            driver.open_reader,
            driver.open_writer,
            lambda path: driver.open_writer(path, append=True),
            lambda path: driver.move(path, "/valid"),
            lambda path: driver.move("/valid", path),
            driver.delete,
            lambda path: driver.redirect_url(path, "GET", 60.0),
        )
