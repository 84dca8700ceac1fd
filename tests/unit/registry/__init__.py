"""Tests of txregistry.registry, on the memory driver."""
