"""One sync of a folder for all who ask at the same time."""

from __future__ import annotations

from threading import Event, Thread

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storage.rounds import Rounds, _Folder

LONG = 60.0  # seconds that no test needs


class RoundsTests(SynchronousTestCase):
    """Folders with a sync that is held up until a test lets it go on."""

    def setUp(self) -> None:
        """Have nothing synced yet."""
        self.synced: list[str] = []
        self.failures: list[OSError] = []
        self.begun, self.go_on = Event(), Event()
        self.rounds = Rounds(self.sync)
        self.threads: list[Thread] = []
        self.addCleanup(self.end)

    def sync(self, directory: str) -> None:
        """Note a sync, and wait; the second one of ``/bad`` fails."""
        self.synced.append(directory)
        self.begun.set()
        self.go_on.wait(LONG)
        if self.synced.count("/bad") == 2:
            raise OSError

    def ask(self, directory: str) -> None:
        """Ask for a sync in a thread, and see to it that it is asked for."""

        def run() -> None:
            try:
                self.rounds.sync(directory)
            except OSError as error:
                self.failures.append(error)

        thread = Thread(target=run)
        before = self.users(directory)
        thread.start()
        self.threads.append(thread)
        while self.users(directory) == before and thread.is_alive():
            thread.join(0.001)

    def users(self, directory: str) -> int:
        """Return how many want a folder synced."""
        folder = self.rounds._folders.get(directory)
        return 0 if folder is None else folder.users

    def end(self) -> None:
        """Let all syncs go on, and wait for them."""
        self.go_on.set()
        for thread in self.threads:
            thread.join(LONG)

    def test_shared(self) -> None:
        """Who asks while one sync runs shares the next with all others who do."""
        self.ask("/a")
        self.begun.wait(LONG)
        for _ in range(3):
            self.ask("/a")
        self.end()
        self.assertEqual(["/a", "/a"], self.synced)

    def test_one_after_another(self) -> None:
        """Who asks after it has ended gets one of its own."""
        self.go_on.set()
        self.rounds.sync("/a")
        self.rounds.sync("/a")
        self.assertEqual(["/a", "/a"], self.synced)

    def test_others(self) -> None:
        """Another folder's does not wait."""
        self.ask("/a")
        self.begun.wait(LONG)
        self.begun.clear()
        self.ask("/b")
        self.assertTrue(self.begun.wait(LONG))
        self.assertEqual(["/a", "/b"], self.synced)

    def test_failure(self) -> None:
        """All who share one that fails hear of it, and nobody else."""
        self.ask("/bad")
        self.begun.wait(LONG)
        self.ask("/bad")
        self.ask("/bad")
        self.end()
        self.assertEqual(2, len(self.failures))
        self.rounds.sync("/bad")
        self.assertEqual(3, len(self.synced))

    def test_other_failure(self) -> None:
        """Also if it fails as no sync should, nobody takes it for made."""
        self.go_on.set()
        rounds = Rounds(self.run_out)
        waiting = rounds._folders.setdefault("/a", _Folder(users=1)).next
        self.assertRaises(MemoryError, rounds.sync, "/a")
        self.assertTrue(waiting.done)
        self.assertIsInstance(waiting.error, MemoryError)

    def run_out(self, directory: str) -> None:
        """Fail for lack of memory."""
        raise MemoryError

    def test_nothing_is_kept(self) -> None:
        """When nobody asks any more, nothing is remembered."""
        self.go_on.set()
        self.rounds.sync("/a")
        self.assertEqual({}, self.rounds._folders)
