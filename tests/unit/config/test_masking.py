"""Tests of masking."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.masking import is_secret, masked, masked_url


class MaskingTests(SynchronousTestCase):
    """``masked``."""

    def test_secret_names(self) -> None:
        """Passwords, keys, tokens and the like are known by their names."""
        for name in (
            *("secret", "password", "passwd", "secretkey", "accesskey", "accesskeyid"),
            *("accesskeysecret", "accountkey", "connectionstring", "token", "apikey"),
            *("licensekey", "sentinelpassword", "client_secret", "private_key", "sas"),
            *(
                "Authorization",
                "Proxy-Authorization",
                "X-Api-Key",
                "Cookie",
                "credentials",
            ),
            *("Set-Cookie", "X-Auth-Token", "sessiontoken", "db_pass", "trustid"),
        ):
            self.assertTrue(is_secret(name), name)

    def test_other_names(self) -> None:
        """Paths, names, identifiers and switches are not taken for secrets."""
        for name in (
            *(
                "rootdirectory",
                "bucket",
                "region",
                "keyid",
                "keypairid",
                "username",
                "",
            ),
            *(
                "tempurlcontainerkey",
                "v4auth",
                "authurl",
                "chunksize",
                "keyfile",
                "path",
            ),
            *(
                "skipverify",
                "tenantid",
                "objectacl",
                "X-Content-Type-Options",
            ),
        ):
            self.assertFalse(is_secret(name), name)

    def test_deep(self) -> None:
        """Secrets are masked however deep, and everything below a secret's name."""
        self.assertEqual(
            {
                "a": [{"password": "***", "user": "u"}],
                "credentials": {"type": "***", "n": "***", "on": True, "no": None},
                "token": ["***", ""],
            },
            masked(
                "",
                {
                    "a": [{"password": "x", "user": "u"}],
                    "credentials": {"type": "t", "n": 5, "on": True, "no": None},
                    "token": ["x", ""],
                },
            ),
        )

    def test_in_text(self) -> None:
        """The user of a URL, and what follows ``password=``, are masked anywhere."""
        for text, shown in (
            ("https://u:p@h/x", "https://***@h/x"),
            ("redis://:p/q@h:1", "redis://***@h:1"),
            ("https://h/x", "https://h/x"),
            ("https://h/x?sig=abc&v=1", "https://h/x?sig=***&v=1"),
            ("AccountName=a;AccountKey=b==;X=1", "AccountName=a;AccountKey=***;X=1"),
        ):
            self.assertEqual(shown, masked("url", text))

    def test_url(self) -> None:
        """No value in the query of a URL that we go to is shown, and no user."""
        for url, shown in (
            ("https://u:p@h/x", "https://***@h/x"),
            ("https://h/x?a=b&jwt=c=d;e&f=", "https://h/x?a=***&jwt=***;***&f=***"),
            ("https://h/x?", "https://h/x?"),
            ("", ""),
        ):
            self.assertEqual(shown, masked_url(url))

    def test_path_of_url(self) -> None:
        """Nor is what in its path could be a token; words and versions are."""
        for path, shown in (
            ("/registry/events", "/registry/events"),
            ("/api/v1/web-hooks_2/Push.json", "/api/v1/web-hooks_2/Push.json"),
            ("/services/T024BE7LD/B024BE7LE/abcD", "/services/***/***/***"),
            ("/abcdefghijklmnop", "/***"),
            ("/0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d/", "/***/"),
            ("/a%20b", "/***"),
            ("/aB3dEf", "/***"),
            ("//hook#token", "//hook"),
        ):
            self.assertEqual(f"https://h:1{shown}", masked_url(f"https://h:1{path}"))
