"""Tests of txregistry.oci."""
