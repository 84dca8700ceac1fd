"""Tests of txregistry.starting: importing."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from txregistry.starting import importing


class ImportingTests(SynchronousTestCase):
    """Garbage is not looked for while modules are imported."""

    def setUp(self) -> None:
        """Leave it as it was."""
        self.addCleanup(gc.enable if gc.isenabled() else gc.disable)

    def test_meanwhile(self) -> None:
        """It is looked for again afterwards."""
        gc.enable()
        with importing():
            self.assertFalse(gc.isenabled())
        self.assertTrue(gc.isenabled())

    def test_failure(self) -> None:
        """It is, too, if a module cannot be imported."""
        gc.enable()
        with self.assertRaises(ImportError), importing():
            raise ImportError
        self.assertTrue(gc.isenabled())

    def test_not_before(self) -> None:
        """If it was not looked for before, it is not afterwards."""
        gc.disable()
        with importing():
            pass
        self.assertFalse(gc.isenabled())
