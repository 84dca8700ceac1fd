"""Tests of txregistry.auth, on a fake clock."""
