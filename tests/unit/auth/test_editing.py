"""Tests of txregistry.auth.editing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from tests.unit.auth.files import FileTestCase
from txregistry.auth.editing import (
    InvalidPassword,
    provision,
    remove_user,
    set_password,
)
from txregistry.auth.hashes import LOWEST_COST, cost_of, dummy, verify
from txregistry.auth.htpasswd import InvalidUser, parse_htpasswd

HASH: Final = dummy(4)


def mode_of(path: str | Path) -> int:
    """Return a file's mode."""
    return os.stat(path).st_mode & 0o7777


class SetPasswordTests(FileTestCase):
    """``set_password``."""

    def set(self, path: str, user: str, password: str) -> bool:
        """Set a password at a low cost."""
        return set_password(path, user.encode(), password.encode(), LOWEST_COST)

    def test_new_file(self) -> None:
        """A file that is not there is made, for its owner's eyes alone."""
        path = str(self.folder / "users")
        self.assertTrue(self.set(path, "alice", "secret"))
        users = parse_htpasswd(path, Path(path).read_bytes())
        self.assertTrue(verify(b"secret", users.hashes[b"alice"]))
        self.assertEqual(0o600, mode_of(path))

    def test_cost(self) -> None:
        """The hash is of the cost asked for."""
        path = self.write("")
        set_password(path, b"alice", b"secret", 6)
        users = parse_htpasswd(path, Path(path).read_bytes())
        self.assertEqual(6, cost_of(users.hashes[b"alice"]))

    def test_added(self) -> None:
        """A new user comes at the end; the rest stays, down to comments and blanks."""
        before = b"# ours\n\n bob:" + HASH + b" \r\nnonsense\n"
        path = self.write(before)
        self.assertTrue(self.set(path, "alice", "secret"))
        after = Path(path).read_bytes()
        self.assertTrue(after.startswith(before + b"alice:$2b$04$"))
        self.assertTrue(after.endswith(b"\n"))

    def test_no_newline(self) -> None:
        """A last line without its end gets one."""
        path = self.write(b"bob:" + HASH)
        self.set(path, "alice", "secret")
        self.assertIn(b"bob:" + HASH + b"\nalice:", Path(path).read_bytes())

    def test_changed(self) -> None:
        """A user's line is changed in its place, whatever hash it had."""
        path = self.write("# ours\nalice:{SHA}x\nbob:plain\n")
        self.assertFalse(self.set(path, "alice", "secret"))
        lines = Path(path).read_bytes().splitlines()
        self.assertEqual([b"# ours", b"bob:plain"], [lines[0], lines[2]])
        self.assertTrue(verify(b"secret", lines[1].removeprefix(b"alice:")))

    def test_twice(self) -> None:
        """Of several lines for a user the one that counted is left."""
        path = self.write("alice:one\nbob:x\nalice:two\ncarol:y\n")
        self.set(path, "alice", "secret")
        users = [line[:3] for line in Path(path).read_text().splitlines()]
        self.assertEqual(["bob", "ali", "car"], users)

    def test_mode(self) -> None:
        """The file's mode stays."""
        path = self.write("")
        os.chmod(path, 0o640)
        self.set(path, "alice", "secret")
        self.assertEqual(0o640, mode_of(path))

    def test_owner(self) -> None:
        """The file's owner and group stay."""
        path = self.write("")
        os.chown(path, 12345, 23456)
        os.chmod(path, 0o2640)
        self.set(path, "alice", "secret")
        status = os.stat(path)
        self.assertEqual((12345, 23456), (status.st_uid, status.st_gid))
        self.assertEqual(0o2640, mode_of(path))

    if os.getuid() != 0:
        test_owner.skip = "only root can give files away"  # type: ignore[attr-defined] # trial's way

    def test_link(self) -> None:
        """A symbolic link stays, and the file behind it is changed."""
        path = self.write("")
        link = self.folder / "link"
        link.symlink_to("file")
        self.set(str(link), "alice", "secret")
        self.assertTrue(link.is_symlink())
        self.assertIn("alice:", Path(path).read_text())

    def test_failure(self) -> None:
        """When the file cannot be replaced it stays, and nothing lies beside it."""
        path = self.write("bob:x\n")

        def fail(source: str, destination: str) -> None:
            raise OSError("no")

        self.patch(os, "rename", fail)
        self.assertRaises(OSError, self.set, path, "alice", "secret")
        self.assertEqual(["file"], os.listdir(self.folder))
        self.assertEqual("bob:x\n", Path(path).read_text())

    def test_users(self) -> None:
        """A name that cannot stand in the file is refused."""
        path = self.write("")
        for user in ("", "a:b", "#a", "a\nb"):
            self.assertRaises(InvalidUser, self.set, path, user, "secret")

    def test_passwords(self) -> None:
        """A password that cannot be one is refused, and not shown."""
        path = self.write("")
        for password in ("", "x" * 73, "a\0b"):
            error = self.assertRaises(
                InvalidPassword, self.set, path, "alice", password
            )
            self.assertNotIn(password or "\n", str(error))
        self.assertEqual("", Path(path).read_text())

    def test_longest_password(self) -> None:
        """A password of 72 bytes is one."""
        self.assertTrue(self.set(self.write(""), "alice", "x" * 72))


class RemoveUserTests(FileTestCase):
    """``remove_user``."""

    def test_removed(self) -> None:
        """All of a user's lines go, and no others."""
        path = self.write("# alice:x\nalice:x\nalicea:x\n alice:y\n")
        self.assertTrue(remove_user(path, b"alice"))
        self.assertEqual("# alice:x\nalicea:x\n", Path(path).read_text())

    def test_not_there(self) -> None:
        """To remove a user who is not there changes nothing."""
        path = self.write("bob:x")
        self.assertFalse(remove_user(path, b"alice"))
        self.assertEqual("bob:x", Path(path).read_text())

    def test_no_file(self) -> None:
        """Where there is no file there is nobody to remove, and no file after it."""
        self.assertFalse(remove_user(str(self.folder / "users"), b"alice"))
        self.assertEqual([], os.listdir(self.folder))


class ProvisionTests(FileTestCase):
    """``provision``."""

    def test_missing(self) -> None:
        """A file is made with a user whose password lies beside it."""
        path = self.folder / "one" / "two" / "users"
        beside = provision(str(path), LOWEST_COST)
        self.assertEqual(f"{path.absolute()}.password", beside)
        assert beside is not None
        password = Path(beside).read_text().removesuffix("\n")
        self.assertTrue(re.fullmatch("[A-Za-z0-9_-]{43}", password))
        users = parse_htpasswd(str(path), path.read_bytes())
        self.assertEqual([b"docker"], list(users.hashes))
        self.assertTrue(verify(password.encode(), users.hashes[b"docker"]))

    def test_modes(self) -> None:
        """What is made is for its owner alone, with the folders."""
        path = self.folder / "one" / "two" / "users"
        provision(str(path), LOWEST_COST)
        modes = [mode_of(each) for each in (path, f"{path}.password")]
        self.assertEqual([0o600, 0o600], modes)
        modes = [mode_of(each) for each in (path.parent, path.parent.parent)]
        self.assertEqual([0o700, 0o700], modes)

    def test_there(self) -> None:
        """A file that is there stays, be it empty."""
        path = self.write("")
        self.assertIsNone(provision(path))
        self.assertEqual(["file"], os.listdir(self.folder))

    def test_old_password(self) -> None:
        """An earlier password is replaced, and nobody else can read the new one."""
        path = self.folder / "users"
        beside = self.folder / "users.password"
        beside.write_text("old")
        beside.chmod(0o644)
        provision(str(path), LOWEST_COST)
        self.assertEqual(0o600, mode_of(beside))
        self.assertEqual(44, len(beside.read_text()))

    def test_random(self) -> None:
        """No password is like another one."""
        for name in ("one", "two"):
            provision(str(self.folder / name), LOWEST_COST)
        passwords = {each.read_text() for each in self.folder.glob("*.password")}
        self.assertEqual(2, len(passwords))
