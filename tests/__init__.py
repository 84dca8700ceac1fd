"""The tests: unit (in memory, a fake clock) and real (clients and servers)."""

from hypothesis import HealthCheck, settings

# A busy machine makes generation slow, which says nothing about what is tested.
settings.register_profile(
    "txregistry",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("txregistry")
