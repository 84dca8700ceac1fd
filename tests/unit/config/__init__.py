"""Tests of txregistry.config: texts in, settings or one line out."""
