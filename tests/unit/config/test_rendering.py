"""Tests of the effective settings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.config.cases import GOOD, ConfigTestCase
from txregistry.config import Secret, render
from txregistry.config.rendering import effective
from txregistry.config.sections.http import HTTP

SECRETS = """
version: 0.1
storage:
  s3: {bucket: b, accesskey: hidden-1, secretkey: hidden-2, regionendpoint: "http://u:hidden-3@h"}
http: {secret: hidden-4, headers: {Set-Cookie: [hidden-5]}}
notifications:
  endpoints:
    - name: a
      url: "https://x:hidden-6@h/?jwt=hidden-20&hidden-21"
      headers: {Authorization: [hidden-7], X-Auth: [hidden-22, hidden-23]}
redis: {password: hidden-8, sentinelpassword: hidden-9}
proxy: {username: n, password: hidden-11}
log:
  fields: {api_key: hidden-12}
  hooks: [{type: mail, options: {smtp: {password: hidden-13}}}]
middleware: {storage: [{name: cloudfront, options: {privatekey: hidden-14}}]}
reporting: {bugsnag: {apikey: hidden-15}, newrelic: {licensekey: hidden-16}}
health:
  http:
    - uri: "http://z:hidden-17@h?pass=hidden-24;c=hidden-25"
      headers: {X-Token: [hidden-18], X-Vault: [hidden-26]}
"""


class RenderTests(ConfigTestCase):
    """``render`` and ``Settings.effective``."""

    def test_secrets(self) -> None:
        """No secret is shown, neither in the text nor in the settings' repr."""
        settings = self.load(SECRETS)
        for shown in (render(settings), repr(settings), repr(settings.warnings)):
            self.assertNotIn("hidden", shown)
        self.assertIn("***", render(settings))

    def test_answers(self) -> None:
        """Headers of answers, which everybody gets, are shown."""
        settings = self.load(f"{GOOD}http: {{headers: {{X-Robots-Tag: [none]}}}}\n")
        shown = settings.effective()["http"]["headers"]
        self.assertEqual({"X-Robots-Tag": ["none"]}, shown)

    def test_secrets_arrive(self) -> None:
        """What is masked in the text is whole in the settings."""
        settings = self.load(SECRETS)
        self.assertEqual("hidden-4", settings.http.secret)
        self.assertEqual("hidden-2", settings.storage.parameters["secretkey"])

    def test_reads_back(self) -> None:
        """The text reads back as the same settings."""
        for text in (
            "",
            "http: {addr: '[::1]:1', host: https://a/b}",
            "http: {cors: {origins: ['*'], maxage: 1m}}",
            "http: {trustforwarded: [10.0.0.0/8], headers: {X: [a, é]}}",
            "http: {draintimeout: 0}",
            "http: {trustforwarded: false}\nlog: {level: debug, fields: {a: {b: [1]}}}",
            "validation: {manifests: {urls: {allow: ['^a$'], deny: ['\\d']}}}",
            "validation: {manifests: {indexes: {platformlist: [{os: linux}]}}}",
            "health: {file: [{file: /x, interval: 90s}]}\nproxy: {ttl: 0}",
            "loglevel: debug",
            "http: {addr: /run/x.sock, net: unix, socketmode: 0606}",
            "http: {listeners: [{addr: ':1', tls: false}, {endpoint: 'tcp:2'}]}",
            "http: {listeners: [{addr: ./x, net: unix, socketmode: '600'}]}",
            "http: {tls: {certificate: a, key: b, clientcas: [c], ciphersuites: [d]}}",
        ):
            settings = self.load(f"{GOOD}{text}\n")
            self.assertEqual(settings, self.load(render(settings)), text)

    def test_default(self) -> None:
        """All keys that are acted on are shown, those that are unset left out."""
        effective = self.load(GOOD).effective()
        self.assertEqual(
            [
                "version",
                "log",
                "storage",
                "access",
                "http",
                "notifications",
                "health",
                "catalog",
                "tags",
                "validation",
                "policy",
            ],
            list(effective),
        )
        self.assertEqual({}, effective["storage"]["inmemory"])
        self.assertEqual("30s", effective["http"]["draintimeout"])
        self.assertIs(True, effective["http"]["trustforwarded"])
        self.assertNotIn("host", effective["http"])

    @given(st.text(min_size=1))
    def test_any_secret(self, secret: str) -> None:
        """Whatever the secret is, it is shown as three stars."""
        self.assertEqual("***", effective(HTTP(secret=Secret(secret)))["secret"])
