"""txregistry: a registry for container images, in Python on Twisted.

The parts and the way imports go are drawn in ``docs/architecture.md``.
"""

__version__ = "0.1.0"
