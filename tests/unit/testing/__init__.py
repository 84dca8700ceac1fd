"""Tests of txregistry.testing."""
