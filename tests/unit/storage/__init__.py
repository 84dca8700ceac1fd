"""Tests of txregistry.storage."""
