"""Drivers: what IStorageDriver promises, as tests that any driver can be put to.

A driver's tests derive from ``DriverContract`` by module, so that trial does not
collect the base too::

    from txregistry.testing import drivers

    class ContractTests(drivers.DriverContract):
        def make_driver(self):
            return MyDriver(…)

The tests run in the real reactor, so a driver may use sockets and threads. They assume
nothing of time. Whoever writes to the store meanwhile spoils them.
"""

from __future__ import annotations

from txregistry.testing.driver_batches import BatchCases
from txregistry.testing.driver_cancelling import CancellingCases
from txregistry.testing.driver_concurrency import ConcurrencyCases
from txregistry.testing.driver_contents import ContentCases
from txregistry.testing.driver_readers import ReaderCases
from txregistry.testing.driver_trees import TreeCases
from txregistry.testing.driver_writers import WriterCases


class DriverContract(
    ContentCases,
    ReaderCases,
    WriterCases,
    TreeCases,
    BatchCases,
    ConcurrencyCases,
    CancellingCases,
):
    """Everything that a driver promises; see DriverFixture for what can be set."""
