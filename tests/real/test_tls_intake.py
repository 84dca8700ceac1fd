"""Tests of large uploads that threads take in, over TLS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.real import test_intake
from tests.real.registries import Registry
from tests.real.wire import unverified


class TLSIntakeTests(test_intake.IntakeTests):
    """Threads take in a long body over TLS as they do without."""

    cuts = 100

    def setUp(self) -> None:
        """Have a certificate."""
        self.tls = unverified()
        self.pair = Authority().issue().write(self.folder())
        super().setUp()

    def begin(
        self, tree: Path | None = None, http: Mapping[str, Any] | None = None
    ) -> Registry:
        """Start a registry that speaks TLS."""
        tls = dict(zip(("certificate", "key"), self.pair, strict=True))
        return super().begin(tree, {**(http or {}), "tls": tls})
