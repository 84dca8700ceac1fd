"""What a driver promises of several changes at once, or gets them one by one."""

from __future__ import annotations

from txregistry.interfaces import (
    Begin,
    Change,
    InvalidPath,
    Note,
    PathNotFound,
    Publish,
    Put,
    Remove,
    Together,
    Vanish,
)
from txregistry.registry.changes import apply
from txregistry.testing.driver_fixture import DriverFixture


class BatchCases(DriverFixture):
    """Changes that are made together."""

    async def apply(self, *changes: Change | Together) -> None:
        """Make changes, as the registry does."""
        await apply(self.driver, changes)

    async def test_batch(self) -> None:
        """All changes are made, in their order."""
        await self.apply(Put("/b/c", b"before"), Note("/note", b"one"))
        writer = await self.write_some("/uploads/one/data", [b"content"])
        await self.apply(
            Publish(writer, "/a/data"),
            Put("/b/c", b"first"),
            Put("/b/c", b"second"),
            Note("/note", b"two"),
            Remove("/uploads/one"),
        )
        self.assertEqual(b"content", await self.driver.get_content("/a/data"))
        self.assertEqual(b"second", await self.driver.get_content("/b/c"))
        self.assertEqual(b"two", await self.driver.get_content("/note"))
        self.assertFalse(await self.exists("/uploads/one"))

    async def test_batch_together(self) -> None:
        """Changes that are made together are all made."""
        writer = await self.write_some("/uploads/one/data", [b"content"])
        together = Together([Publish(writer, "/a/data"), Put("/b/c", b"first")])
        await self.apply(together, Put("/b/c", b"second"), Together([Put("/d", b"")]))
        self.assertEqual(b"content", await self.driver.get_content("/a/data"))
        self.assertEqual(b"second", await self.driver.get_content("/b/c"))
        self.assertEqual(b"", await self.driver.get_content("/d"))

    async def test_batch_begins(self) -> None:
        """A file that is begun is empty, and one that is there stays as it is."""
        await self.apply(Begin("/a/b"))
        self.assertEqual(b"", await self.driver.get_content("/a/b"))
        await self.write("/a/b", [b"content"], append=True)
        await self.apply(Begin("/a/b"))
        self.assertEqual(b"content", await self.driver.get_content("/a/b"))

    async def test_batch_of_nothing(self) -> None:
        """No changes are made at once."""
        await self.apply()
        self.assertEqual([], await self.driver.list_children("/"))

    async def test_batch_notes(self) -> None:
        """Notes can be appended to, and are gone with their folder."""
        await self.apply(Note("/a/one", b""), Note("/a/b/two", b"2"))
        await self.write("/a/one", [b"content"], append=True)
        self.assertEqual(b"content", await self.driver.get_content("/a/one"))
        await self.apply(Remove("/a"), Remove("/none"))
        self.assertEqual([], await self.driver.list_children("/"))

    async def test_batch_puts_over(self) -> None:
        """What is put goes over what is there, and is read at once."""
        await self.apply(Put("/a", b"old"))
        self.assertEqual(b"old", await self.read("/a"))
        await self.apply(Put("/a", b"new"))
        self.assertEqual(b"new", await self.read("/a"))

    async def test_batch_that_fails(self) -> None:
        """What is behind a change that fails is not made."""
        writer = await self.write_some("/uploads/one/data", [b"content"])
        await self.driver.delete("/uploads/one")
        with self.assertRaises(PathNotFound):
            await self.apply(Publish(writer, "/a/data"), Put("/b", b""))
        await writer.cancel()
        self.assertFalse(await self.exists("/b"))

    async def test_batch_vanish(self) -> None:
        """A directory vanishes with all below it, and can be there again at once."""
        await self.apply(Put("/a/b/key", b"1"), Put("/a/b/c/d", b"2"), Put("/a/e", b""))
        await self.apply(Vanish("/a/b", "key"))
        self.assertEqual(["e"], await self.driver.list_children("/a"))
        self.assertFalse(await self.exists("/a/b/c/d"))
        with self.assertRaises(PathNotFound):
            await self.apply(Vanish("/a/b", "key"), Put("/never", b""))
        self.assertFalse(await self.exists("/never"))
        await self.apply(Put("/a/b/key", b"3"))
        self.assertEqual(["b", "e"], await self.driver.list_children("/a"))

    async def test_batch_invalid(self) -> None:
        """A path that is none fails."""
        with self.assertRaises(InvalidPath):
            await self.apply(Put("/../a", b""))
