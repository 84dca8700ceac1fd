"""Packaging of txregistry. The tools' settings stand in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (HERE / "txregistry" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
)

# Each lower bound is installed by `make mindeps`, which runs the unit suite with
# exactly these versions.
INSTALL_REQUIRES = [
    "attrs >= 23.2.0",
    "bcrypt >= 4.1.2",
    "cattrs >= 23.2.3",
    "click >= 8.2.0",
    "cryptography >= 45.0.7",
    "hyperlink >= 21.0.0",
    "joserfc >= 1.7.7",
    "klein >= 23.12.0",
    "prometheus-client >= 0.20.0",
    "pyOpenSSL >= 25.2.0",
    "PyYAML >= 6.0.1",
    "treq >= 24.9.1",
    "Twisted[tls] >= 24.7.0",
    "Werkzeug >= 3.1.9",
    "zope.interface >= 6.1",
]
LDAP_REQUIRES = ["ldaptor >= 21.2.0"]
TRACING_REQUIRES = [
    "opentelemetry-exporter-otlp-proto-http >= 1.38.0",
    "opentelemetry-sdk >= 1.38.0",
]
TEST_REQUIRES = [
    *LDAP_REQUIRES,
    *TRACING_REQUIRES,
    "cloudevents >= 2.0.0",
    "coverage[toml] >= 7.10.0",
    "hypothesis >= 6.98.0",
    "standardwebhooks >= 1.0.0",
]
DEV_REQUIRES = [
    "import-linter >= 2.1",
    "mypy >= 1.14",
    "mypy-zope >= 1.0.9",
    "ruff >= 0.9.0",
    "towncrier >= 24.8.0",
    "types-PyYAML >= 6.0.12.20240311",
]

setup(
    name="txregistry",
    version=VERSION.group(1) if VERSION else "0",
    description="A registry for container images, on Twisted",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Twisted",
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=[*find_packages(include=["txregistry*"]), "twisted.plugins"],
    package_data={"txregistry": ["py.typed"], "txregistry.config": ["default.yml"]},
    install_requires=INSTALL_REQUIRES,
    extras_require={
        "ldap": LDAP_REQUIRES,
        "tracing": TRACING_REQUIRES,
        "test": TEST_REQUIRES,
        "dev": [*TEST_REQUIRES, *DEV_REQUIRES],
    },
    entry_points={
        "console_scripts": ["txregistry = txregistry.cli:main"],
        "txregistry.checkers": [
            "htpasswd = txregistry.auth.passwords:factory",
            "ldap = txregistry.auth.ldap_options:factory",
        ],
        "txregistry.storage": [
            "filesystem = txregistry.storage.filesystem:factory",
            "inmemory = txregistry.storage.memory:factory",
        ],
    },
)
