"""Tests of txregistry.threads."""

from __future__ import annotations

from threading import get_ident

from twisted.trial.unittest import TestCase

from txregistry.threads import in_threads_of


class InThreadsOfTests(TestCase):
    """A reactor's thread pool."""

    async def test_in_thread(self) -> None:
        """Work runs in another thread, and its result comes back to this one."""
        from twisted.internet import reactor

        elsewhere = await in_threads_of(reactor)(get_ident)
        self.assertNotEqual(get_ident(), elsewhere)
