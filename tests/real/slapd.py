"""Slapd: an LDAP server of the test's own, with a few users and groups."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.certificates import Authority
from tests.real.commands import CommandFailed, need, run
from tests.real.daemons import Daemon, free_port
from txregistry.auth.distinguished import escape

BASE: Final = "dc=example,dc=org"
PEOPLE: Final = f"ou=people,{BASE}"
GROUPS: Final = f"ou=groups,{BASE}"
ELSEWHERE: Final = f"ou=elsewhere,{BASE}"

READER: Final = f"cn=reader,{BASE}"
READER_PASSWORD: Final = "reader's password"

ODD: Final = ' odd *(),=+;#<>"\\/${user} näme'.strip()
"""A user's name of all that means something to somebody."""

PASSWORDS: Final = {
    "alice": "alice's password",
    "Jürgen": "Jürgens Paßwort",
    ODD: "odd",
    "twin": "twin",
}
"""The users'; ``twin`` is there twice."""

MEMBERS: Final = {
    f"cn=ops,{GROUPS}": ["alice", "Jürgen"],
    f"cn=Käufer\\, alle,{GROUPS}": ["alice", ODD],
    f"cn=admins,{ELSEWHERE}": ["alice"],
}
"""Of the groups."""

_ADMIN: Final = f"cn=admin,{BASE}"
_ADMIN_PASSWORD: Final = "admin"
_MODULES: Final = "/usr/lib/ldap"
_SCHEMAS: Final = "/etc/ldap/schema"

_CONFIG: Final = """\
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
moduleload memberof
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {admin_password}
directory {folder}/db
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by self read by * none
"""


def name_of(user: str) -> str:
    """Return the distinguished name of a user's entry."""
    return f"uid={escape(user)},{PEOPLE}"


class Slapd:
    """A server on 127.0.0.1, in clear with StartTLS, and with TLS.

    It listens on 127.0.0.2 too, for which its certificate is not.

    Attributes:
        port: Where it listens in clear.
        tls_port: Where it listens with TLS.
        authority: The path of the certificate that its own one comes from.
    """

    def __init__(self, folder: Path) -> None:
        """Start it.

        Args:
            folder: An empty folder for all that it keeps.
        """
        need("slapd", "ldapadd")
        self.port, self.tls_port = free_port(), free_port()
        authority = Authority()
        self.authority = authority.write(folder)
        certificate, key = authority.issue().write(folder)
        (folder / "db").mkdir()
        self._folder = folder
        config = folder / "slapd.conf"
        config.write_text(
            _CONFIG.format(
                schemas=_SCHEMAS,
                modules=_MODULES,
                certificate=certificate,
                key=key,
                folder=folder,
                base=BASE,
                admin=_ADMIN,
                admin_password=_ADMIN_PASSWORD,
                reader=READER,
            )
        )
        addresses = (
            f"ldap://127.0.0.1:{self.port} ldap://127.0.0.2:{self.port}"
            f" ldaps://127.0.0.1:{self.tls_port}"
        )
        # With a level of debugging it stays in the foreground.
        self._daemon = Daemon(
            ["slapd", "-d", "stats", "-h", addresses, "-f", config],
            folder / "slapd.log",
        )

    @property
    def daemon(self) -> Daemon:
        """The process."""
        return self._daemon

    def ready(self) -> Slapd:
        """Wait until it serves, put in the users and groups, and return it."""
        self._daemon.wait_until(self._answers)
        self._ldap("ldapadd", _entries())
        return self

    def stop(self) -> None:
        """Stop it."""
        self._daemon.stop()

    def log(self) -> str:
        """Return the end of its log."""
        return self._daemon.log()

    def change_password(self, user: str, password: str) -> None:
        """Give a user another password."""
        self._ldap(
            "ldapmodify",
            _entry(name_of(user), {"changetype": ["modify"]})
            + "replace: userPassword\n"
            + _line("userPassword", password),
        )

    def _ldap(self, command: str, changes: str) -> None:
        path = self._folder / "changes.ldif"
        path.write_text(changes)
        url = f"ldap://127.0.0.1:{self.port}"
        run(command, "-x", "-H", url, "-D", _ADMIN, "-w", _ADMIN_PASSWORD, "-f", path)

    def _answers(self) -> bool:
        url = f"ldap://127.0.0.1:{self.port}"
        try:
            run("ldapwhoami", "-x", "-H", url)
        except CommandFailed:
            return False
        return True


def _entries() -> str:
    unit = "organizationalUnit"
    entries = [
        (BASE, ["dcObject", "organization"], {"dc": ["example"], "o": ["example"]}),
        (PEOPLE, [unit], {"ou": ["people"]}),
        (GROUPS, [unit], {"ou": ["groups"]}),
        (ELSEWHERE, [unit], {"ou": ["elsewhere"]}),
        (
            READER,
            ["organizationalRole", "simpleSecurityObject"],
            {"cn": ["reader"], "userPassword": [READER_PASSWORD]},
        ),
    ]
    people = [(name_of(user), user) for user in PASSWORDS]
    people.append((f"uid=twin,{ELSEWHERE}", "twin"))
    for name, user in people:
        values = {"cn": [user], "sn": [user], "uid": [user]}
        password = {"userPassword": [PASSWORDS[user]]}
        entries.append((name, ["inetOrgPerson"], {**values, **password}))
    for name, users in MEMBERS.items():
        members = {"member": [name_of(user) for user in users]}
        entries.append((name, ["groupOfNames"], members))
    return "\n".join(
        _entry(name, {"objectClass": classes, **values})
        for name, classes, values in entries
    )


def _entry(name: str, values: Mapping[str, Iterable[str]]) -> str:
    lines = [_line("dn", name)]
    lines += [_line(kind, text) for kind, texts in values.items() for text in texts]
    return "".join(lines)


def _line(kind: str, value: str) -> str:
    return f"{kind}:: {b64encode(value.encode()).decode()}\n"
