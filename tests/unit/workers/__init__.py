"""Tests of txregistry.workers."""
