"""Tests of txregistry.observe."""
