"""Tests of docs/access.md: its examples."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.reactor import QuietReactor
from txregistry.admission import make_admission
from txregistry.auth.editing import set_password
from txregistry.auth.rulefile import parse_rule_file
from txregistry.auth.tokenkey import TokenKey
from txregistry.config import load
from txregistry.web.gate import OpenGate
from txregistry.web.urls import Urls

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
FOLDER = "/etc/txregistry"
REST = "version: 0.1\nstorage:\n  inmemory: {}\n"


class ExampleTests(SynchronousTestCase):
    """The page's examples can be used as they are."""

    def setUp(self) -> None:
        """Read the page; make the files that it speaks of."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.addCleanup(shutil.rmtree, self.folder)
        blocks = re.findall("```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        self.rule_files = [block for block in blocks if block.startswith("#")]
        self.configurations = [block for block in blocks if not block.startswith("#")]
        set_password(str(self.folder / "htpasswd"), b"alice", b"open sesame", 4)
        (self.folder / "rules.yml").write_text(self.rule_files[0])
        pem = TokenKey.make("tokens", 0.0).certificates_pem
        (self.folder / "tokens.pem").write_bytes(pem)

    def test_configurations(self) -> None:
        """Each configuration is taken without a warning, and shuts the gate."""
        self.assertGreaterEqual(len(self.configurations), 8)
        path = self.folder / "config.yml"
        for block in self.configurations:
            path.write_text(REST + block.replace(FOLDER, str(self.folder)))
            settings = load(str(path), {})
            self.assertEqual((), tuple(settings.warnings), block)
            urls = Urls("/", None, False, lambda _peer: False)
            admitted = make_admission(settings, QuietReactor(), urls)
            self.assertNotIsInstance(admitted.gate, OpenGate)

    def test_rule_files(self) -> None:
        """The file of rules can be read."""
        for block in self.rule_files:
            self.assertTrue(parse_rule_file("rules.yml", block.encode()).rules)
