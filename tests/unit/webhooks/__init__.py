"""Tests of txregistry.webhooks, in memory and on a fake clock."""
