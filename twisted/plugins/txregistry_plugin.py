"""The plugin that gives twistd its ``txregistry`` command."""

from twisted.application.service import ServiceMaker

txregistry = ServiceMaker(
    "txregistry",
    "txregistry.tap",
    "A registry for container images.",
    "txregistry",
)
