"""Tests of txregistry.web, in memory and on a fake clock."""
