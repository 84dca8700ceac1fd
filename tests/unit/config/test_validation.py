"""Tests of the validation section's rules."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.sections.validation import URLs, Validation


class URLsTests(SynchronousTestCase):
    """``URLs.permits``."""

    def test_none(self) -> None:
        """Without patterns no URL is permitted."""
        self.assertFalse(URLs().permits("https://a/"))

    def test_allow(self) -> None:
        """With patterns to allow, a URL must match one of them, anywhere."""
        urls = URLs(allow=(re.compile("^https://a/"), re.compile("b")))
        self.assertTrue(urls.permits("https://a/x"))
        self.assertTrue(urls.permits("https://x/b"))
        self.assertFalse(urls.permits("https://x/"))

    def test_deny(self) -> None:
        """With patterns to deny only, every URL that matches none is permitted."""
        urls = URLs(deny=(re.compile("a"),))
        self.assertTrue(urls.permits("https://b/"))
        self.assertFalse(urls.permits("https://a/"))

    def test_both(self) -> None:
        """What is denied is not permitted, even if it is allowed."""
        urls = URLs(allow=(re.compile("a"),), deny=(re.compile("b"),))
        self.assertTrue(urls.permits("a"))
        self.assertFalse(urls.permits("ab"))


class ActiveTests(SynchronousTestCase):
    """``Validation.active``."""

    def test_active(self) -> None:
        """The rules hold unless disabled; ``enabled`` overrules ``disabled``."""
        for disabled, enabled, active in (
            (False, False, True),
            (False, True, True),
            (True, False, False),
            (True, True, True),
        ):
            self.assertEqual(active, Validation(disabled, enabled).active)
